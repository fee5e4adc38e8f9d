package apitest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs every command of the README's transcripts as it stands, in one shell, against a fresh sandbox, and compares what is
// printed. In a transcript … stands for anything, and a line that is only … for any lines.
func TestReadme(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := transcript(string(data))
	if len(steps) < 5 {
		t.Fatalf("found %d commands in the README's transcripts", len(steps))
	}
	s := Start(t, Options{})
	const mark = "--- next command ---"
	var script strings.Builder
	for _, step := range steps {
		fmt.Fprintf(&script, "%s\necho; echo '%s'\n", strings.ReplaceAll(step.command, "http://127.0.0.1:8080", s.URL), mark)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail")
	shell.Stdin = strings.NewReader(script.String())
	var progress strings.Builder // curl's, when its output is no terminal
	shell.Stderr = &progress
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, progress.String())
	}
	replies := strings.Split(string(out), mark)
	for i, step := range steps {
		got := strings.Trim(strings.ReplaceAll(replies[i], "\r", ""), "\n")
		if !step.want.MatchString(got) {
			t.Errorf("$ %s\ngot:\n%s\nwant:\n%s", step.command, got, step.text)
		}
	}
}

type step struct {
	command string
	text    string
	want    *regexp.Regexp
}

var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// transcript reads the commands and their output from the console blocks of a Markdown text.
func transcript(text string) []step {
	var steps []step
	for _, block := range consoleBlock.FindAllStringSubmatch(text, -1) {
		for _, part := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, output, _ := strings.Cut(part, "\n")
			steps = append(steps, step{command, output, pattern(strings.Trim(output, "\n"))})
		}
	}
	return steps
}

func pattern(output string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(output)
	quoted = strings.ReplaceAll(quoted, "\n…\n", "\n(?s:.*)\n")
	return regexp.MustCompile("^" + strings.ReplaceAll(quoted, "…", "[^\n]*") + "$")
}
