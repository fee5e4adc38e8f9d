//go:build postgres

package apitest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"countersign/internal/launch"
	"countersign/internal/pgtest"
)

// chatty starts a PostgreSQL server that logs every statement with its parameters, however long, and those of what fails as well.
func chatty(t *testing.T) *pgtest.Server {
	t.Helper()
	s, err := pgtest.Start("log_min_duration_statement=0", "log_parameter_max_length=-1", "log_parameter_max_length_on_error=-1",
		"log_min_error_statement=error", "log_connections=on",
		"fsync=off", "synchronous_commit=off") // nothing is to outlive a crash here
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestCanariesOnPostgres is TestCanaries on PostgreSQL, whose own log has the parameters of all statements: what a secret's place held stands
// neither there nor in a dump of the database (B-58, A-131).
func TestCanariesOnPostgres(t *testing.T) {
	t.Parallel()
	s := chatty(t)
	data, err := s.Create("canaries")
	if err != nil {
		t.Fatal(err)
	}
	sink := func(read func() ([]byte, error), want string) func() []byte {
		return func() []byte {
			text, err := read()
			if err != nil || !bytes.Contains(text, []byte(want)) {
				t.Fatalf("%d bytes without %q: %v", len(text), want, err)
			}
			return text
		}
	}
	proveCanaries(t, data, map[string]func() []byte{
		"the database":     sink(func() ([]byte, error) { return s.Dump("canaries") }, "ada@example.com"),
		"PostgreSQL's log": sink(func() ([]byte, error) { return []byte(s.Log()), nil }, "parameters: $1 = 'demo', $2 = 'email', $3 = 'ada@example.com'"),
	})
}

// TestURLsOfDatabasesStayUntold is B-58: the password in a database's URL is in nothing that the program says, whatever is wrong with the URL or
// with the server.
func TestURLsOfDatabasesStayUntold(t *testing.T) {
	t.Parallel()
	s := chatty(t)
	good, err := s.Create("canary")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "Canary7!secretpassword"
	socket := strings.TrimPrefix(good, "postgres:///canary?")
	for name, database := range map[string]string{
		"no such user":      "postgres://somebody:" + secret + "@/canary?" + strings.Replace(socket, "user=", "x=", 1),
		"no such database":  "postgres://postgres:" + secret + "@/nowhere?" + socket,
		"nobody listens":    "postgres://postgres:" + secret + "@127.0.0.1:1/canary?sslmode=disable",
		"no such host":      "postgres://postgres:" + secret + "@host.invalid/canary?sslmode=verify-full",
		"no schema":         "postgres://postgres:" + secret + "@/canary?" + socket,
		"unescaped":         "postgres://postgres:" + secret + "/%zz@127.0.0.1:1/canary",
		"no port":           "postgres://postgres:" + secret + "@127.0.0.1:port/canary",
		"unknown parameter": "postgres://postgres:" + secret + "@127.0.0.1:1/canary?password=" + secret + "&sslmode=" + secret,
		"another scheme":    "postgress://postgres:" + secret + "@127.0.0.1/canary",
		"words":             "host=127.0.0.1 port=1 password=" + secret,
	} {
		for _, command := range []string{"check", "migrate", "serve"} {
			if name == "no schema" && command == "migrate" {
				continue // it would make one
			}
			file := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(file, []byte(launch.Config("127.0.0.1:0", database, "", "")), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(Binary(t), command, "--config", file).CombinedOutput()
			if err == nil || len(out) == 0 {
				t.Errorf("%s: %s succeeded", name, command)
			}
			if bytes.Contains(out, []byte(secret)) || bytes.Contains(out, []byte("secretpassword")) {
				t.Errorf("%s: %s says %s", name, command, out)
			}
		}
	}
	if log := s.Log(); log == "" || strings.Contains(log, "secretpassword") {
		t.Errorf("PostgreSQL's log holds it, or is not there: %s", log)
	}
}
