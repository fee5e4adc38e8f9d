package store

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// TestMigrationsSayWhomTheyServe is C-24: the oldest binary is the youngest that any of the migrations asks for.
func TestMigrationsSayWhomTheyServe(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for _, c := range []struct {
		files fstest.MapFS
		want  int64
	}{
		{fstest.MapFS{"00001_a.sql": file("-- A.\n")}, 1},
		{fstest.MapFS{"00001_a.sql": file(""), "00002_b.sql": file("-- B.\n-- serves: 1\n\n-- +goose Up\n")}, 1},
		{fstest.MapFS{"00001_a.sql": file(""), "00002_b.sql": file("-- serves: 1\n"), "00003_c.sql": file("")}, 3},
		{fstest.MapFS{"00003_c.sql": file(""), "00004_d.sql": file("-- serves: 3\n"), "00005_e.sql": file("-- serves: 4\n")}, 4},
		{fstest.MapFS{"00001_a.sql": file(""), "00002_b.sql": file("SELECT 1; -- serves: 1\n")}, 2},
	} {
		if got, err := serves(c.files); err != nil || got != c.want {
			t.Errorf("%v: got %d, %v, want %d", c.files, got, err, c.want)
		}
	}
	if _, err := serves(fstest.MapFS{"x_a.sql": file("")}); err == nil {
		t.Error("a migration without a number was taken")
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(dir, "*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), "-- serves:") != len(servesLine().FindAll(text, -1)) {
			t.Errorf("%s: a line \"-- serves:\" that is not read", name)
		}
	}
}
