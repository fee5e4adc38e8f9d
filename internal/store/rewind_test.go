package store

import "testing"

// TestJudge is C-17: what tells that a database is behind, and what does not.
func TestJudge(t *testing.T) {
	t.Parallel()
	const first, second, other = "77/00000001", "77/00000002", "88/00000001"
	noted := func(line string, waits bool, s noteState) note {
		n := note{line: line, waits: waits, state: s}
		return readNote(n.text())
	}
	here := memory{line: first}
	waited := memory{line: first, waited: true}
	for _, test := range []struct {
		name    string
		memory  memory
		sight   sight
		behind  bool
		refused bool
		state   noteState // that is left
		forgets bool
	}{
		{name: "a new database", sight: sight{line: first}, state: noteWhole},
		{name: "as it was", memory: here, sight: sight{line: first, note: noted(first, false, noteWhole)}, state: noteWhole},
		{name: "a start", sight: sight{line: first, note: noted(first, false, noteWhole)}, state: noteWhole},
		{name: "a change is gone", memory: here, sight: sight{line: first, missing: 1, note: noted(first, false, noteWhole)}, behind: true, state: noteBehind},
		{name: "a change is gone, and the note as well", memory: here, sight: sight{line: first, missing: 1}, behind: true, state: noteBehind},
		{name: "a change is gone though commits waited", memory: waited, behind: true, state: noteBehind,
			sight: sight{line: second, missing: 1, note: noted(first, true, noteWhole)}},
		{name: "a change is gone that was made on a line of before the voiding", memory: here, state: noteVoided, forgets: true,
			sight: sight{line: second, missing: 1, note: noted(second, false, noteVoided)}},
		{name: "a change is gone that was made after the voiding", memory: memory{line: second}, behind: true, state: noteBehind,
			sight: sight{line: second, missing: 1, note: noted(second, false, noteVoided)}},
		{name: "a new line for which nobody waited", memory: here, behind: true, state: noteBehind,
			sight: sight{line: second, note: noted(first, false, noteWhole)}},
		{name: "the same, at a start", behind: true, state: noteBehind, sight: sight{line: second, note: noted(first, false, noteWhole)}},
		{name: "a new line that was waited for", memory: waited, state: noteWhole, sight: sight{line: second, note: noted(first, true, noteWhole)}},
		{name: "the same, at a start", state: noteWhole, sight: sight{line: second, note: noted(first, true, noteWhole)}},
		{name: "a new line for which nobody waited any more", memory: here, behind: true, state: noteBehind,
			sight: sight{line: second, note: noted(first, true, noteWhole)}},
		{name: "an earlier line", memory: waited, behind: true, state: noteBehind, sight: sight{line: first, note: noted(second, true, noteWhole)}},
		{name: "another database", behind: true, state: noteBehind, sight: sight{line: other, note: noted(first, true, noteWhole)}},
		{name: "found behind by another", memory: here, behind: true, state: noteBehind,
			sight: sight{line: second, note: noted(second, false, noteBehind)}},
		{name: "left behind by a crash", behind: true, state: noteBehind, sight: sight{line: second, note: noted(second, false, noteBehind)}},
		{name: "void since it was found behind", memory: memory{line: first, behind: true}, state: noteVoided, forgets: true,
			sight: sight{line: first, missing: 3, note: noted(first, false, noteVoided)}},
		{name: "a line that was voided, lost in its turn", memory: memory{line: second}, behind: true, state: noteBehind,
			sight: sight{line: "77/00000003", note: noted(second, false, noteVoided)}},
		{name: "a standby that has caught up", memory: here, sight: sight{standby: true, note: noted(first, false, noteWhole)}, state: noteWhole},
		{name: "a standby that has not", memory: here, refused: true, state: noteWhole,
			sight: sight{standby: true, missing: 1, note: noted(first, false, noteWhole)}},
		{name: "a line that cannot be read", memory: here, sight: sight{blind: true, note: noted(first, false, noteWhole)}, state: noteWhole},
		{name: "never to be read", sight: sight{blind: true}, state: noteWhole},
		{name: "never to be read, a change is gone", sight: sight{blind: true, missing: 1, note: noted("", false, noteWhole)}, behind: true,
			state: noteBehind},
		{name: "to be read for the first time", sight: sight{line: first, note: noted("", false, noteWhole)}, state: noteWhole},
		{name: "emptied", memory: here, sight: sight{line: first, missing: 2, cleared: 1, note: noted(first, false, noteWhole)}, state: noteWhole,
			forgets: true},
	} {
		v := judge(test.memory, test.sight)
		if (v.why != "") != test.behind || v.refused != test.refused || v.note.state != test.state || v.forgets != test.forgets {
			t.Errorf("%s: got %+v", test.name, v)
		}
		if again := readNote(v.note.text()); again.line != v.note.line || again.waits != v.note.waits || again.state != v.note.state {
			t.Errorf("%s: the note %q is read as %+v", test.name, v.note.text(), again)
		}
		if test.sight.line != "" && !test.sight.standby && !test.refused && test.sight.note.state != noteBehind && v.note.line != test.sight.line {
			t.Errorf("%s: the line %s is noted", test.name, v.note.line)
		}
	}
}

// TestMarksAreAsManyAsCommitAtOnce: only the latest changes are remembered.
func TestMarksAreAsManyAsCommitAtOnce(t *testing.T) {
	t.Parallel()
	g := &guard{keep: 2}
	g.acknowledge(mark{"t", "before it is on"})
	g.on.Store(true)
	for _, id := range []string{"1", "", "2", "3"} {
		g.acknowledge(mark{"t", id})
	}
	if len(g.marks) != 2 || g.marks[0].id != "2" || g.marks[1].id != "3" {
		t.Errorf("got %v", g.marks)
	}
}

func TestCaution(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		names, commit string
		standbys      int
		warned        bool
	}{
		{"", "on", 0, false}, {"", "off", 0, false}, {"", "on", 1, true}, {"*", "on", 1, false}, {"*", "remote_apply", 0, false},
		{"*", "remote_write", 1, false}, {"*", "local", 1, true}, {"*", "off", 0, true},
	} {
		if got := caution(test.names, test.commit, test.standbys); (got != "") != test.warned {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}
