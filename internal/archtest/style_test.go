package archtest

import (
	"bytes"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, f := range goFiles(t) {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		doc := f.syntax.Doc.Text()
		good := strings.HasPrefix(doc, "Package "+name+" ") || name == "main" && strings.HasPrefix(doc, "Command ")
		said[f.pkg] = said[f.pkg] || good || f.generated()
	}
	for pkg, ok := range said {
		if !ok {
			t.Errorf("%s: no file has a doc comment of the package", pkg)
		}
	}
}

const maxLines = 500

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	excused := longFiles()
	for _, f := range goFiles(t) {
		lines := bytes.Count(f.source, []byte("\n"))
		if lines > maxLines && !f.generated() && excused[f.path] == "" {
			t.Errorf("%s: %d lines, want at most %d", f.path, lines, maxLines)
		}
	}
}

const maxFunction = 60

// TestFunctionsAreShort holds for the code; a test may be one long table.
func TestFunctionsAreShort(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.test || f.generated() {
			continue
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
			if lines > maxFunction {
				t.Errorf("%s: %s has %d lines, want at most %d", f.at(fn), fn.Name.Name, lines, maxFunction)
			}
		}
	}
}

// selectors calls fn for every x.name of a file.
func selectors(f file, fn func(x, name string, n ast.Node)) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			x, _ := s.X.(*ast.Ident)
			if x == nil {
				x = &ast.Ident{}
			}
			fn(x.Name, s.Sel.Name, n)
		}
		return true
	})
}

// TestNoTestIsSkipped: a test that cannot run fails.
func TestNoTestIsSkipped(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		selectors(f, func(_, name string, n ast.Node) {
			if slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name) {
				t.Errorf("%s: %s", f.at(n), name)
			}
		})
	}
}

// TestNothingIsRun is A-150: the program starts no other and loads no code. What tests and measures may.
func TestNothingIsRun(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		tools := f.test || slices.Contains([]string{
			"bench", "internal/pgtest", "internal/launch", "internal/torture", "internal/apitest", "internal/apitest/clients",
		}, f.pkg)
		for _, path := range f.imports {
			if !tools && slices.Contains([]string{"os/exec", "plugin", "C"}, path) {
				t.Errorf("%s: imports %s", f.path, path)
			}
		}
		selectors(f, func(x, name string, n ast.Node) {
			if !tools && (x == "syscall" || x == "os" || x == "unix") && slices.Contains([]string{"Exec", "ForkExec", "StartProcess"}, name) {
				t.Errorf("%s: %s.%s", f.at(n), x, name)
			}
		})
	}
}

// TestRulesHaveOneClock: what is decided is decided by the clock that is passed in.
func TestRulesHaveOneClock(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.test || !slices.Contains([]string{"internal/auth", "internal/multi", "internal/cis", "internal/oidc", "internal/jose", "internal/seed"}, f.pkg) {
			continue
		}
		selectors(f, func(x, name string, n ast.Node) {
			if x == "time" && slices.Contains([]string{"Now", "Since", "Until"}, name) {
				t.Errorf("%s: time.%s", f.at(n), name)
			}
		})
	}
}

// TestNoStateOfThePackage: variables of a package are errors, embedded files, or on the list.
func TestNoStateOfThePackage(t *testing.T) {
	t.Parallel()
	listed := variables()
	for _, f := range goFiles(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s: init", f.at(fn))
			}
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR || f.test {
				continue
			}
			for _, spec := range decl.Specs {
				v := spec.(*ast.ValueSpec)
				if embedded(decl, v) || errorsOnly(v) {
					continue
				}
				for _, name := range v.Names {
					key := f.pkg + "." + name.Name
					if name.Name != "_" && listed[key] == "" {
						t.Errorf("%s: %s is a variable of the package, and not on the list", f.at(name), key)
					}
					delete(listed, key)
				}
			}
		}
	}
	for key := range listed {
		t.Errorf("the list has %s, which is gone", key)
	}
}

func embedded(d *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, group := range []*ast.CommentGroup{d.Doc, v.Doc} {
		if group == nil {
			continue
		}
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// errorsOnly reports whether all values are made by errors.New.
func errorsOnly(v *ast.ValueSpec) bool {
	for _, value := range v.Values {
		call, _ := value.(*ast.CallExpr)
		if call == nil {
			return false
		}
		s, _ := call.Fun.(*ast.SelectorExpr)
		if s == nil || s.Sel.Name != "New" {
			return false
		}
		if x, _ := s.X.(*ast.Ident); x == nil || x.Name != "errors" {
			return false
		}
	}
	return len(v.Values) > 0
}
