package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"countersign/internal/apitest"
	"countersign/internal/auth"
)

// refusedForGood is an outcome that is not tried again.
type refusedForGood string

func (r refusedForGood) Error() string { return string(r) }
func (refusedForGood) Permanent() bool { return true }

// TestWebhookCommands: a delivery that failed is listed and replayed, and no listing shows what was in it or where it went.
func TestWebhookCommands(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.yaml")
	text := "public_url: https://auth.example.com\nmaster_key: " + apitest.MasterKey +
		"\ndatabase: sqlite:" + filepath.Join(filepath.Dir(file), "test.db") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) (string, error) {
		var out strings.Builder
		err := run(t.Context(), append(args, "--config", file), nil, &out, io.Discard)
		return out.String(), err
	}
	want := func(pattern []string, args ...string) {
		t.Helper()
		out, err := command(args...)
		if err != nil {
			t.Errorf("%q: %v", args, err)
		}
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if out == "" {
			lines = nil
		}
		if len(lines) != len(pattern) {
			t.Fatalf("%q: got %d lines, want %d:\n%s", args, len(lines), len(pattern), out)
		}
		for i, words := range pattern {
			for word := range strings.SplitSeq(words, "|") {
				if !strings.Contains(lines[i], word) {
					t.Errorf("%q: line %d has no %q:\n%s", args, i+1, word, lines[i])
				}
			}
		}
		for _, secret := range []string{"ada@example.com", "receiver.test", "t0ken"} {
			if strings.Contains(out, secret) {
				t.Errorf("%q shows %q:\n%s", args, secret, out)
			}
		}
	}
	want([]string{"schema moved"}, "migrate")
	ids := fill(t, file)

	want([]string{
		"pending|/consumers/consumer_deactivated/watch|tries 0|due",
		"failed|/consumers/consumer_activated/watch|tries 1|answered 410",
		"delivered|  -  |tries 1|delivered",
	}, "webhook", "list", "live")
	want([]string{"failed"}, "webhook", "list", "live", "--status", "failed")
	want([]string{"pending"}, "webhook", "list", "live", "--limit", "1")
	want(nil, "webhook", "list", "other")
	want([]string{"delivery " + ids[1] + " is tried again"}, "webhook", "replay", "live", ids[1])
	want([]string{"pending", "pending|tries 0|replayed", "delivered"}, "webhook", "list", "live")
	want([]string{"0 deliveries are tried again"}, "webhook", "replay", "live", "--all")
	for _, test := range []struct {
		text string
		args []string
	}{
		{"there is no failed delivery " + ids[0] + " in tenant live", []string{"webhook", "replay", "live", ids[0]}},
		{"there is no failed delivery " + ids[1] + " in tenant other", []string{"webhook", "replay", "other", ids[1]}},
		{"there is no tenant nowhere", []string{"webhook", "list", "nowhere"}},
		{"there is no tenant nowhere", []string{"webhook", "replay", "nowhere", "--all"}},
		{"give the id of a delivery, or --all", []string{"webhook", "replay", "live"}},
		{"give the id of a delivery, or --all", []string{"webhook", "replay", "live", "x", "--all"}},
		{"--limit", []string{"webhook", "list", "live", "--limit", "0"}},
		{"--status", []string{"webhook", "list", "live", "--status", "lost"}},
	} {
		if _, err := command(test.args...); err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%q: got %v, want %s", test.args, err, test.text)
		}
	}
}

// fill makes three deliveries: one was taken, one failed, and one is pending. It returns the ids of the first two.
func fill(t *testing.T, file string) []string {
	t.Helper()
	config, err := soundConfig(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	w := &world{ctx: t.Context(), stdout: io.Discard, stderr: io.Discard}
	err = config.withService(w, func(ctx context.Context, s *auth.Service) error {
		ref := auth.IdentityRef{Type: auth.Consumer, ID: "1001"}
		tenant := auth.Tenant{ID: "live", Mode: auth.ModeLive, Settings: auth.DefaultSettings()}
		other := tenant
		tenant.Webhook.URL, other.ID = "https://receiver.test/?t0ken", "other"
		_, err := s.Apply(ctx, auth.Setup{Digest: "test", Tenants: []auth.TenantSetup{{
			Tenant: tenant, APIKeys: []auth.APIKeySetup{{Name: "backend", Key: "key of tests"}}, Identities: []auth.Identity{{Ref: ref}},
			Users: []auth.UserSetup{{ID: "1001", Email: "ada@example.com", RootOf: []auth.IdentityRef{ref}}},
		}, {Tenant: other}}})
		if err != nil {
			return err
		}
		settle := func(outcome error) error {
			claimed, err := s.ClaimParcels(ctx, auth.Queue{Tenant: "live", Kind: auth.ParcelWebhook}, 10)
			for _, d := range claimed {
				ids = append(ids, string(d.ID))
				err = errors.Join(err, s.SettleParcel(ctx, d, outcome))
			}
			return err
		}
		return errors.Join(s.SuspendIdentity(ctx, "live", ref, "TEMPORARY"), settle(nil),
			s.ResumeIdentity(ctx, "live", ref), settle(refusedForGood("answered 410")), s.SuspendIdentity(ctx, "live", ref, "TEMPORARY"))
	})
	if err != nil || len(ids) != 2 {
		t.Fatalf("got %q and %v, want two ids", ids, err)
	}
	return ids
}

// TestPathOf: of a parcel only where it goes is shown.
func TestPathOf(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]auth.Delivery{
		"-":             {},
		"/login/watch":  {News: &auth.News{Kind: auth.NewsLogin}},
		"logout of app": {Logout: &auth.LogoutNotice{Client: "app", User: "1001", Session: "s"}},
	} {
		if got := pathOf(d); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
