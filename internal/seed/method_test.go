package seed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
	"countersign/internal/seed"
)

// app puts the methods of an application, in flow style, on line 4.
func app(methods string) string {
	return tenant("    applications: [{id: a, name: A, methods: {" + methods + "}}]\n")
}

func TestMethodsOfAnApplication(t *testing.T) {
	t.Parallel()
	s, err := seed.Parse("seed.yaml", []byte(app(`
      password: {level: 3, min_length: 6, history: 7, block_list: true, expires_after: 30d, ignore_expiration: true, temporary_for: 2h,
                 reset_for: 10m, reset_digits: 8, require_mfa: true, notify: false, lockout: {failures: 4, for: 1m, forget_after: 1h, tiers: [{failures: 2, for: 1m}, {failures: 3, for: 1d}]}},
      sms: off, email_otp: {for: 2m, failures: 20, lock_for: 3m, digits: 4, cross_clients: true}, email: {for: 1d},
      totp: {algorithm: sha512, digits: 8, period: 60s, window: 0, issuer: Demo},
      webauthn_api: {site: bank.example, synced: false, models: [00000000-0000-0000-0000-000000000001]}`)))
	if err != nil {
		t.Fatal(err)
	}
	lock := auth.LockPolicy{Failures: 5, For: 15 * time.Minute, ForgetAfter: 15 * time.Minute}
	want := auth.Methods{
		Password: &auth.PasswordMethod{
			Level: 3, MinLength: 6, History: 7, BlockList: true, ExpiresAfter: 30 * 24 * time.Hour, Lasting: true, TemporaryFor: 2 * time.Hour,
			ResetFor: 10 * time.Minute, ResetDigits: 8, TwoFactors: true, Unannounced: true, Lock: auth.LockPolicy{
				Failures: 4, For: time.Minute, ForgetAfter: time.Hour,
				Tiers: []auth.LockTier{{Failures: 2, For: time.Minute}, {Failures: 3, For: 24 * time.Hour}},
			},
		},
		SMS:   &auth.CodeMethod{Off: true},
		Email: &auth.CodeMethod{For: 2 * time.Minute, Failures: 20, LockFor: 3 * time.Minute, Digits: 4, Shared: true},
		Link:  &auth.LinkMethod{For: 24 * time.Hour},
		TOTP:  &auth.TOTPMethod{Algorithm: auth.TOTPSHA512, Digits: 8, Period: time.Minute, Issuer: "Demo", Lock: lock},
		Passkey: &auth.PasskeyMethod{
			Site: "bank.example", Origins: []string{"https://bank.example"}, Models: []string{"00000000-0000-0000-0000-000000000001"}, Lock: lock,
		},
	}
	got := s.Tenants[0].Applications[0].Methods
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
}

// TestBadMethodsAreRefused: each is told by its line and with words.
func TestBadMethodsAreRefused(t *testing.T) {
	t.Parallel()
	for methods, words := range map[string]string{
		"sms: on":                         `sms: found "on"; allowed: off`,
		"google: off":                     `the key "google"`,
		"sms: {digits: 9}":                `digits: found "9"; allowed: 4 to 8`,
		"sms: {for: 90s}":                 `for: found "90s"; allowed: 1m to 24h, in steps of 1m`,
		"sms: {for: 0s}":                  `for: found "0s"; allowed: 1m`,
		"password: {reset_for: 4m}":       `reset_for: found "4m"; allowed: 5m to 1h`,
		"password: {min_length: 15}":      `min_length: found "15"; allowed: 5 to 14`,
		"totp: {digits: 7}":               "digits: found 7; allowed: 6, 8",
		"totp: {lockout: {failures: 21}}": `failures: found "21"; allowed: 1 to 20`,
		"webauthn_api: {synced: true}":    "webauthn_api: found no site",
		"webauthn_api: {site: bank.example, origins: ['https://other.example']}":         "allowed: hosts of the site bank.example",
		"password: {lockout: {tiers: [{failures: 2, for: 1m}, {failures: 2, for: 2m}]}}": "tier: found failures 2 after 2",
	} {
		_, err := seed.Parse("seed.yaml", []byte(app(methods)))
		if lines := errorLines(err); err == nil || len(lines) != 1 || !strings.HasPrefix(lines[0], "seed.yaml:4: ") || !strings.Contains(lines[0], words) {
			t.Errorf("%s: got %v, want line 4 and %q", methods, err, words)
		}
	}
}
