package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"countersign/internal/apitest"
)

// TestCommands runs the scripts of the command line, on the program as it is built. Beside the commands of testscript they have
//
//	start ARGS      starts countersign in the background and waits until it serves; saves URL. ! start: it must end with an error
//	signal NAME     sends TERM, INT or KILL to what was started last, waits for its end, and saves its exit status as EXIT; what it
//	                logged is in the file log
//	certificate NAME...   makes ca.pem, and cert.pem and key.pem by it for these names and IP addresses
//	trust FILE      calls go by https from now on, and to who has a certificate by this authority
//	call METHOD PATH [BODY]   calls the server at URL with the sandbox's API key and, once there is one, TOKEN; it must answer with 2xx
//	member VAR NAME    VAR becomes the text of this name in the last answer to call
//
// and the variable KEY, a master key.
func TestCommands(t *testing.T) {
	binary := apitest.Binary(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("KEY", apitest.MasterKey)
			env.Values[startedKey{}] = &started{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": func(ts *testscript.TestScript, denied bool, args []string) { startCommand(ts, binary, denied, args) },
			"signal": func(ts *testscript.TestScript, denied bool, args []string) {
				if len(args) != 1 || denied {
					ts.Fatalf("usage: signal TERM|INT|KILL")
				}
				signalCommand(ts, args[0])
			},
			"certificate": func(ts *testscript.TestScript, denied bool, args []string) {
				if len(args) == 0 || denied {
					ts.Fatalf("usage: certificate NAME...")
				}
				certificateCommand(ts, args)
			},
			"trust": func(ts *testscript.TestScript, denied bool, args []string) {
				if len(args) != 1 || denied {
					ts.Fatalf("usage: trust FILE")
				}
				trustCommand(ts, args[0])
			},
			"call": func(ts *testscript.TestScript, denied bool, args []string) {
				if len(args) < 2 || len(args) > 3 || denied {
					ts.Fatalf("usage: call METHOD PATH [BODY]")
				}
				callCommand(ts, args[0], args[1], strings.Join(args[2:], ""))
			},
			"member": func(ts *testscript.TestScript, denied bool, args []string) {
				if len(args) != 2 || denied {
					ts.Fatalf("usage: member VAR NAME")
				}
				text, ok := ts.Value(startedKey{}).(*started).answer[args[1]].(string)
				if !ok {
					ts.Fatalf("the last answer has no text %s", args[1])
				}
				ts.Setenv(args[0], text)
			},
		},
	})
}

// started is what was started last.
type started struct {
	command *exec.Cmd
	log     chan string    // all of it, when it has ended
	answer  map[string]any // to the last call
	trusts  *x509.CertPool // nil: calls go by http
}

type startedKey struct{}

var serving = regexp.MustCompile(`"msg":"serving".*"address":"([^"]+)"`)

func startCommand(ts *testscript.TestScript, binary string, denied bool, args []string) {
	cmd := exec.Command(binary, args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"HOME=" + cmd.Dir, "TMPDIR=" + cmd.Dir}
	for _, name := range []string{envDatabase, envMasterKey, envKernel} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Stdout = io.Discard
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill() }) // one that ended is no error
	address, ended := make(chan string, 1), make(chan string, 1)
	go watch(stderr, address, ended)
	select {
	case at := <-address:
		if denied {
			ts.Fatalf("it serves")
		}
		s := ts.Value(startedKey{}).(*started)
		*s = started{command: cmd, log: ended, trusts: s.trusts}
		ts.Setenv("URL", map[bool]string{false: "http://", true: "https://"}[s.trusts != nil]+at)
	case log := <-ended:
		err := cmd.Wait()
		ts.Check(os.WriteFile(ts.MkAbs("log"), []byte(log), 0o600))
		if !denied || err == nil {
			ts.Fatalf("it ended with %v:\n%s", err, log)
		}
	case <-time.After(time.Minute):
		ts.Fatalf("it neither serves nor ends")
	}
}

// watch tells where a server serves, and at the end all that it logged.
func watch(stderr io.Reader, address, ended chan<- string) {
	var log strings.Builder
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if m := serving.FindStringSubmatch(lines.Text()); m != nil {
			address <- m[1]
		}
	}
	ended <- log.String()
}

func signalCommand(ts *testscript.TestScript, name string) {
	s := ts.Value(startedKey{}).(*started)
	if s.command == nil {
		ts.Fatalf("nothing was started")
	}
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	ts.Check(s.command.Process.Signal(signals[name]))
	select {
	case log := <-s.log:
		ts.Check(os.WriteFile(ts.MkAbs("log"), []byte(log), 0o600))
	case <-time.After(time.Minute):
		ts.Fatalf("it does not end")
	}
	err := s.command.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		ts.Setenv("EXIT", "0")
	case errors.As(err, &exit):
		ts.Setenv("EXIT", exit.String())
	default:
		ts.Fatalf("wait: %v", err)
	}
	s.command = nil
}

// callCommand makes one call as a back end does.
func callCommand(ts *testscript.TestScript, method, path, body string) {
	out, err := http.NewRequest(method, ts.Getenv("URL")+path, strings.NewReader(body))
	ts.Check(err)
	out.Header.Set("api-key", "sk_demo")
	out.Header.Set("Content-Type", "application/json")
	if token := ts.Getenv("TOKEN"); token != "" {
		out.Header.Set("Authorization", "Bearer "+token)
	}
	s := ts.Value(startedKey{}).(*started)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.trusts}}
	defer transport.CloseIdleConnections()
	got, err := (&http.Client{Transport: transport}).Do(out)
	ts.Check(err)
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, 1<<20))
	ts.Check(err)
	if got.StatusCode/100 != 2 {
		ts.Fatalf("%s %s: %s %s", method, path, got.Status, text)
	}
	s.answer = nil
	if len(text) > 0 {
		ts.Check(json.Unmarshal(text, &s.answer))
	}
}
