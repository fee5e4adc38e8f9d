package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the name of ours.
const module = "countersign"

// file is one Go file of the tree.
type file struct {
	path    string // from the root, with slashes
	pkg     string // folder
	test    bool
	source  []byte
	syntax  *ast.File
	fset    *token.FileSet
	imports []string
}

// generated reports whether a program wrote the file (go.dev/s/generatedcode).
func (f file) generated() bool { return ast.IsGenerated(f.syntax) }

// at says where a node stands.
func (f file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

// walk calls fn for every file of the tree that belongs to the project.
func walk(t *testing.T, fn func(name string, read func() []byte)) {
	t.Helper()
	base := root(t)
	err := filepath.WalkDir(base, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(base, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel == ".git" || rel == "bin" || d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			fn(rel, func() []byte {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				return data
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// parsed is the tree, which every test reads and none changes. Each run of the tests reads it anew.
var parsed struct {
	sync.Once
	files []file
}

// goFiles parses the whole tree, whatever the build tags.
func goFiles(t *testing.T) []file {
	t.Helper()
	parsed.Do(func() { parsed.files = parseAll(t) })
	if len(parsed.files) < 100 {
		t.Fatalf("got %d Go files, want the whole tree", len(parsed.files))
	}
	return parsed.files
}

func parseAll(t *testing.T) []file {
	var files []file
	walk(t, func(name string, read func() []byte) {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
			return
		}
		f := file{path: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), source: read(), fset: token.NewFileSet()}
		var err error
		if f.syntax, err = parser.ParseFile(f.fset, name, f.source, parser.ParseComments); err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.syntax.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			f.imports = append(f.imports, p)
		}
		files = append(files, f)
	})
	return files
}
