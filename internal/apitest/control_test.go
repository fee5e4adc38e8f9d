package apitest

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// need starts the server if it does not run yet.
func (s *script) need() error {
	switch {
	case s.running:
		return nil
	case s.server != nil:
		return errors.New("the server is halted")
	}
	s.start()
	return nil
}

// start starts the server, whether for the first time or again.
func (s *script) start() {
	s.server, s.running = Start(s.tb, s.options), true
	s.wire = newWire(s)
	s.options.Listen = strings.TrimPrefix(s.server.URL, "http://")
	if s.ahead != 0 {
		s.moveClock(s.ahead)
	}
	if s.robot != nil && s.robot.Client == nil {
		if err := s.bindRobot(); err != nil {
			s.ts.Fatalf("%v", err)
		}
	}
}

func (s *script) serverCommand(denied bool, args []string) error {
	if s.server != nil && (s.running || !denied) {
		return errors.New("there is one already")
	}
	if len(args) > 1 && args[0] == "-serve" {
		s.options.Config, args = args[1]+"\n", args[2:]
	}
	if denied {
		if err := arity(args, 2, 2); err != nil {
			return err
		}
		return s.refusesToStart(s.ts.MkAbs(args[0]), args[1])
	}
	if err := arity(args, 0, 1); err != nil {
		return err
	}
	if len(args) == 1 {
		s.options.Seed = s.ts.MkAbs(args[0])
	}
	s.start()
	return nil
}

// refusesToStart runs the sandbox on a seed that it must not take.
func (s *script) refusesToStart(seed, pattern string) error {
	out, err := exec.CommandContext(s.tb.Context(), Binary(s.tb), "sandbox", "--listen", "127.0.0.1:0", "--data", s.options.Data, "--seed", seed).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("the server ended with %v", err)
	}
	return match("the output", pattern, string(out))
}

func (s *script) restart(_ bool, args []string) error {
	if err := arity(args, 0, 1); err != nil {
		return err
	}
	switch {
	case s.server == nil:
		return errors.New("there is no server")
	case len(args) == 1 && args[0] == "-kill":
		s.server.Kill()
		s.gone()
	case s.running:
		if err := s.halt(false, nil); err != nil {
			return err
		}
	}
	s.start()
	return nil
}

func (s *script) halt(_ bool, args []string) error {
	if err := errors.Join(arity(args, 0, 0), s.need()); err != nil {
		return err
	}
	if err := s.server.Stop(s.tb); err != nil {
		return fmt.Errorf("the server exited with %v:\n%s", err, s.server.Log())
	}
	s.gone()
	return nil
}

// gone remembers what a server that ended has logged.
func (s *script) gone() {
	s.ended += s.server.Log()
	s.running = false
	s.wire.close()
}

func (s *script) operate(denied bool, args []string) error {
	if s.server == nil || s.server.Config == "" {
		return errors.New("there is no server that was started by -serve")
	}
	cmd := exec.CommandContext(s.tb.Context(), Binary(s.tb), append(args, "--config", s.server.Config)...)
	out, err := cmd.CombinedOutput()
	s.ts.Logf("%s", out)
	if (err == nil) == denied {
		return fmt.Errorf("ended with %v", err)
	}
	s.last = &reply{header: http.Header{}, body: out}
	return nil
}

func (s *script) clock(_ bool, args []string) error {
	if err := errors.Join(arity(args, 1, 1), s.need()); err != nil {
		return err
	}
	d, err := time.ParseDuration(strings.TrimPrefix(args[0], "+"))
	if err != nil {
		return err
	}
	if !s.answered.IsZero() {
		d = max(d-time.Since(s.answered), 0)
	}
	s.ahead += d
	s.moveClock(d)
	return nil
}

func (s *script) moveClock(d time.Duration) {
	r := request{method: "POST", path: "/sandbox/clock", body: []byte(fmt.Sprintf(`{"advance":"%s"}`, d)), typ: "application/json"}
	reply, err := s.wire.send(r)
	if err != nil || reply.status != http.StatusOK {
		s.ts.Fatalf("move the clock: %v %v", reply, err)
	}
}

func (s *script) metric(_ bool, args []string) error {
	if err := errors.Join(arity(args, 1, 2), s.need()); err != nil {
		return err
	}
	got, noted := s.server.Metric(s.tb, args[0]), s.metrics[args[0]]
	s.metrics[args[0]] = got
	if len(args) == 1 {
		return nil
	}
	var want float64
	if _, err := fmt.Sscan(args[1], &want); err != nil {
		return err
	}
	if strings.HasPrefix(args[1], "+") {
		want += noted
	}
	if got != want {
		return fmt.Errorf("is %v, want %v", got, want)
	}
	return nil
}

// logged returns all that was logged up to now, in every life of the server.
func (s *script) logged() string {
	if s.running {
		s.wire.settle(s.server)
		return s.ended + s.server.Log()
	}
	return s.ended
}

func (s *script) log(denied bool, args []string) error {
	if err := errors.Join(arity(args, 1, 1), s.need()); err != nil {
		return err
	}
	err := match("the log", args[0], s.logged())
	if denied && err == nil {
		return errors.New("the log has it")
	}
	if denied {
		return nil
	}
	return err
}

// match reports how a text differs from a pattern; an empty pattern is for the empty text.
func match(what, pattern, text string) error {
	if pattern == "" {
		pattern = "^$"
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	if !re.MatchString(text) {
		return fmt.Errorf("%s does not match:\n%s", what, text)
	}
	return nil
}

// finish ends a script: it looks for what must not have got out.
func (s *script) finish() {
	if s.server == nil {
		return
	}
	log := s.logged()
	if s.running {
		s.server.Kill()
		s.wire.close()
	}
	for _, leak := range s.secrets.judge(log) {
		s.tb.Error(leak)
	}
}
