package webhook_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/httpx/httpxtest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestBodies (contract/multi §4.2): each kind of news, with all of its fields and with as few as there can be.
func TestBodies(t *testing.T) {
	t.Parallel()
	r := receive(t, false, status(http.StatusNoContent))
	w := carrier(t)
	at := time.UnixMilli(1_700_000_000_123)
	consumer, corporate := auth.IdentityRef{Type: auth.Consumer, ID: "2001"}, auth.IdentityRef{Type: auth.Corporate, ID: "2002"}
	full := auth.News{
		At: at, User: "1001", Credential: auth.Root, Identity: consumer, Challenge: "77", Method: "BIOMETRIC", Status: "VERIFIED",
		Token: "exchange me", Email: "ada@example.com", DoneBy: "ADMIN", Reason: "ACCOUNT_SECURITY",
		Links: []auth.LinkRef{{Type: "outgoing_wire_transfers", ID: "5"}, {Type: "sends", ID: "6"}}, Digest: "00ff",
	}
	var all []auth.News
	for _, k := range []auth.NewsKind{
		auth.NewsLogin, auth.NewsStepUp, auth.NewsAuthenticator, auth.NewsConfirmed, auth.NewsUserDeactivated,
		auth.NewsIdentityActivated, auth.NewsIdentityDeactivated,
	} {
		n := full
		n.Kind = k
		all = append(all, n)
		n.Identity, n.Credential = corporate, auth.Member
		all = append(all, n)
	}
	all = append(all, *login(),
		auth.News{Kind: auth.NewsLogin, At: at, User: "1001", Method: "PASSWORD", Status: "DECLINED"},
		auth.News{Kind: auth.NewsStepUp, At: at, User: "1001", Challenge: "77", Method: "SMS", Status: "EXPIRED"},
		auth.News{Kind: auth.NewsConfirmed, At: at, User: "1001", Challenge: "77", Status: "DECLINED"})
	for _, n := range all {
		if err := w.Deliver(t.Context(), delivery(r.URL+"/hooks?app=1", &n)); err != nil {
			t.Errorf("%+v: %v", n, err)
		}
	}
	var text strings.Builder
	for _, q := range r.requests() {
		var body bytes.Buffer
		if err := json.Indent(&body, []byte(q.body), "", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s %s\n%s\n\n", q.method, q.uri, &body)
		if len(q.body) > 20<<10 {
			t.Errorf("%s: %d bytes, want at most 20 kB (A-124)", q.uri, len(q.body))
		}
	}
	httpxtest.Golden(t, "bodies", text.String(), *update)
}

// TestIdentityOfNoTypeHasNoPath: news of the deactivation of nothing is not sent anywhere.
func TestIdentityOfNoTypeHasNoPath(t *testing.T) {
	t.Parallel()
	r := receive(t, false, status(http.StatusNoContent))
	for _, k := range []auth.NewsKind{auth.NewsIdentityActivated, auth.NewsIdentityDeactivated} {
		if got := outcome(carrier(t).Deliver(t.Context(), delivery(r.URL, &auth.News{Kind: k}))); got != "failed" {
			t.Errorf("%s: got %s, want failed", k, got)
		}
	}
}
