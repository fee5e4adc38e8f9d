package auth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestOCRA is RFC 6287, Appendix C.1: the one-way challenge of a key of twenty bytes.
func TestOCRA(t *testing.T) {
	t.Parallel()
	for challenge, want := range map[string]string{
		"00000000": "237653", "11111111": "243178", "22222222": "653583", "33333333": "740991", "44444444": "608993", "55555555": "388898",
		"66666666": "816933", "77777777": "224598", "88888888": "750600", "99999999": "294470",
	} {
		got, err := auth.OCRA([]byte("12345678901234567890"), "OCRA-1:HOTP-SHA1-6:QN08", challenge)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", challenge, got, err, want)
		}
	}
}

// TestTransactionTakesItsOwnCodeAlone: neither an ordinary code of the app nor one of another transaction approves it, nor a second time
// (A-071, B-22).
func TestTransactionTakesItsOwnCodeAlone(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	live := adaOn(t, e)
	key, err := e.RegisterTOTP(t.Context(), e.App(), live, "", false)
	if err != nil {
		t.Fatal(err)
	}
	start := func(text string) string {
		challenge, err := e.StartTransaction(t.Context(), e.App(), auth.ByUserID, string(authtest.Ada), auth.Proposal{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		return challenge
	}
	answer := func(code string) (auth.TokenSet, error) {
		return e.AuthenticateTransaction(t.Context(), e.App(), auth.TOTPLogin{Kind: auth.ByUserID, Identifier: string(authtest.Ada), Code: code})
	}
	former := auth.TransactionCode(t, key.Secret, start(`{"sum":"1"}`), e.Clock.Now())
	right := auth.TransactionCode(t, key.Secret, start(`{"sum":"2"}`), e.Clock.Now())
	plain, err := totp.GenerateCode(key.Secret, e.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]string{"an ordinary code": plain, "one of the former transaction": former} {
		if _, err := answer(code); !errors.Is(err, auth.CodeWrongOTP) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	set, err := answer(right)
	if err != nil {
		t.Fatal(err)
	}
	if got := claimsOf(t, set.IDToken)["approval_data"].(map[string]any)["sum"]; got != "2" {
		t.Errorf("approved: got %v, want 2", got)
	}
	if _, err := answer(right); !errors.Is(err, auth.CodeWrongOTP) {
		t.Errorf("again: got %v", err)
	}
	late := auth.TransactionCode(t, key.Secret, start(`{"sum":"3"}`), e.Clock.Now().Add(auth.TransactionFor))
	e.Clock.Advance(auth.TransactionFor + time.Second)
	if _, err := answer(late); !errors.Is(err, auth.CodeWrongOTP) {
		t.Errorf("late: got %v", err)
	}
}

// TestLatestTransactionCounts: also one of the same moment as the former, or begun after the clock was set back or by a node whose clock is
// behind.
func TestLatestTransactionCounts(t *testing.T) {
	t.Parallel()
	for _, passes := range []time.Duration{0, -time.Second, time.Second} {
		e := authtest.New(t)
		key, err := e.RegisterTOTP(t.Context(), e.App(), adaOn(t, e), "", false)
		if err != nil {
			t.Fatal(err)
		}
		challenge := ""
		for range 8 { // the id, which is random, does not decide
			e.Clock.Advance(passes)
			challenge, err = e.StartTransaction(t.Context(), e.App(), auth.ByUserID, string(authtest.Ada), auth.Proposal{})
			if err != nil {
				t.Fatal(err)
			}
		}
		in := auth.TOTPLogin{
			Kind: auth.ByUserID, Identifier: string(authtest.Ada), Code: auth.TransactionCode(t, key.Secret, challenge, e.Clock.Now()),
		}
		if _, err := e.AuthenticateTransaction(t.Context(), e.App(), in); err != nil {
			t.Errorf("after %v: got %v", passes, err)
		}
	}
}
