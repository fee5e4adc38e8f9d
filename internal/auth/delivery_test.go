package auth_test

import (
	"errors"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
	"countersign/internal/seal"
)

// TestWebhookIsToldWhatHappened (A-123, contract/multi §4.2): what succeeded is told with its cause, and nothing else is. Each piece of news
// is as its receiver gets it.
func TestWebhookIsToldWhatHappened(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Tenant.Webhook.URL = "https://receiver.test/hooks" })
	ada := auth.IdentityRef{Type: auth.Consumer, ID: "1001"}
	login := func(email, password string) error {
		_, err := e.LoginPassword(t.Context(), e.Key(), auth.PasswordLogin{
			Kind: auth.ByEmail, Identifier: email, Password: seal.NewSecret(password),
		})
		return err
	}
	for _, test := range []struct {
		name string
		do   func() error
		want []auth.News
	}{
		{"login", func() error { return login("ada@example.com", authtest.Password) }, []auth.News{{
			Kind: auth.NewsLogin, User: authtest.Ada, Credential: auth.Root, Identity: ada, Method: "PASSWORD", Status: "VERIFIED",
		}}},
		{"login of one who acts for nobody", func() error { return login("nobody@example.com", authtest.Password) }, []auth.News{{
			Kind: auth.NewsLogin, User: authtest.Nobody, Method: "PASSWORD", Status: "VERIFIED",
		}}},
		{"wrong password", func() error { return refused(login("ada@example.com", "wrong")) }, nil},
		{"unknown address", func() error { return refused(login("who@example.com", "wrong")) }, nil},
		{"expired password", func() error { return refused(login("grace@example.com", authtest.Password)) }, nil},
		{"suspend", func() error { return e.Suspend(t.Context(), authtest.Demo, authtest.Ada) }, []auth.News{{
			Kind: auth.NewsUserDeactivated, User: authtest.Ada, DoneBy: "ADMIN", Email: "ada@example.com", Reason: "UNDEFINED_REASON",
		}}},
		{"suspend again", func() error { return e.Suspend(t.Context(), authtest.Demo, authtest.Ada) }, nil},
		{"resume", func() error { return e.Resume(t.Context(), authtest.Demo, authtest.Ada) }, nil},
		{"suspend in a tenant without a webhook", func() error { return e.Suspend(t.Context(), authtest.Rival, authtest.Ada) }, nil},
	} {
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		claimed, err := e.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelWebhook}, 10)
		if err != nil || len(claimed) != len(test.want) {
			t.Errorf("%s: got %d pieces of news and %v, want %d", test.name, len(claimed), err, len(test.want))
			continue
		}
		for i, d := range claimed {
			want := test.want[i]
			want.At = authtest.Start()
			if got := *d.News; !got.At.Equal(want.At) || got.Kind != want.Kind || got.User != want.User || got.Credential != want.Credential ||
				got.Identity != want.Identity || got.Method != want.Method || got.Status != want.Status || got.DoneBy != want.DoneBy ||
				got.Email != want.Email || got.Reason != want.Reason || got.Token != "" {
				t.Errorf("%s:\n got %+v\nwant %+v", test.name, got, want)
			}
			if d.Webhook.URL != "https://receiver.test/hooks" || d.Key.Reveal() != "test key of demo" {
				t.Errorf("%s: goes to %s, signed with %q", test.name, d.Webhook.URL, d.Key.Reveal())
			}
		}
	}
}

// refused is an error unless err is a refusal.
func refused(err error) error {
	if _, ok := errors.AsType[*auth.Error](err); !ok {
		return errors.New("it was not refused")
	}
	return nil
}

// TestListedDeliveriesHoldNoSecret: what is listed has the kind of news and no more of it, and none when it was delivered.
func TestListedDeliveriesHoldNoSecret(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Tenant.Webhook.URL = "https://receiver.test/hooks" })
	if err := e.Suspend(t.Context(), authtest.Demo, authtest.Ada); err != nil {
		t.Fatal(err)
	}
	for _, want := range []*auth.News{{Kind: auth.NewsUserDeactivated}, nil} {
		all, err := e.Deliveries(t.Context(), authtest.Demo, "", 10)
		if err != nil || len(all) != 1 {
			t.Fatalf("got %d deliveries and %v, want 1", len(all), err)
		}
		d := all[0]
		if (d.News == nil) != (want == nil) || d.News != nil && (d.News.Kind != want.Kind || d.News.Email != "" || d.News.User != "") {
			t.Errorf("got news %+v, want %+v", d.News, want)
		}
		if len(d.Sealed) > 0 || !d.Key.IsZero() || d.Webhook.URL != "" {
			t.Errorf("got %d sealed bytes, key %v and URL %q, want none", len(d.Sealed), d.Key, d.Webhook.URL)
		}
		claimed, err := e.ClaimParcels(t.Context(), auth.Queue{Tenant: authtest.Demo, Kind: auth.ParcelWebhook}, 10)
		for _, d := range claimed {
			err = errors.Join(err, e.SettleParcel(t.Context(), d, nil))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if all, err := e.Deliveries(t.Context(), authtest.Rival, "", 10); err != nil || len(all) != 0 {
		t.Errorf("another tenant: got %d deliveries and %v", len(all), err)
	}
	if _, err := e.Deliveries(t.Context(), "nowhere", "", 10); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("unknown tenant: got %v, want ErrNotFound", err)
	}
}
