package auth_test

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"
	"time"

	"countersign/internal/auth"
)

func TestEveryCodeHasAName(t *testing.T) {
	t.Parallel()
	seen := map[string]auth.Code{}
	for _, c := range auth.Codes() {
		name := c.String()
		if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(name) {
			t.Errorf("code %d: got the name %q", int(c), name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q names %d and %d", name, int(other), int(c))
		}
		seen[name] = c
	}
	if len(seen) < 39 || auth.CodeNotFound.String() != "not_found" || auth.CodeLocked.String() != "locked" {
		t.Errorf("the names do not follow the codes: %d, %s, %s", len(seen), auth.CodeNotFound, auth.CodeLocked)
	}
	if got := auth.Code(-1).String() + auth.Code(1000).String(); got != "code(-1)code(1000)" {
		t.Errorf("got %q for no codes", got)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	locked := &auth.Error{Code: auth.CodeLocked, Cause: errors.New("why")}
	for _, tt := range []struct {
		name string
		err  error
		want auth.Code
	}{
		{"nothing", nil, auth.CodeInternal},
		{"a fault", errors.New("disk full"), auth.CodeInternal},
		{"a code", auth.CodeBusy, auth.CodeBusy},
		{"a refusal", locked, auth.CodeLocked},
		{"wrapped", fmt.Errorf("log in: %w", locked), auth.CodeLocked},
		{"wrapped twice", fmt.Errorf("a: %w", fmt.Errorf("b: %w", auth.CodeBusy)), auth.CodeBusy},
		{"joined", errors.Join(nil, locked), auth.CodeLocked},
		{"a database that is not there", fmt.Errorf("view: %w: %w", auth.ErrUnavailable, errors.New("refused")), auth.CodeOverloaded},
		{"a refusal because of another", &auth.Error{Code: auth.CodeInvalidToken, Cause: auth.CodeBusy}, auth.CodeInvalidToken},
	} {
		if got := auth.CodeOf(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	times := map[time.Duration]bool{} // C-21: not the same for all
	for range 500 {
		no := auth.RefusalOf(fmt.Errorf("write: %w", auth.ErrUnavailable))
		if !errors.Is(no, auth.ErrUnavailable) {
			t.Fatalf("got %+v, want the cause", no)
		}
		times[no.RetryAfter] = true
	}
	if want := []time.Duration{1e9, 2e9, 3e9, 4e9, 5e9}; !slices.Equal(slices.Sorted(maps.Keys(times)), want) {
		t.Errorf("times to come back: got %v, want %v", times, want)
	}
	if !errors.Is(fmt.Errorf("x: %w", locked), auth.CodeLocked) || errors.Is(locked, auth.CodeBusy) {
		t.Error("errors.Is does not tell codes apart")
	}
}
