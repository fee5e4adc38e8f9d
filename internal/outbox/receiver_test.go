package outbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/outbox"
	"countersign/internal/seal"
	"countersign/internal/webhook"
)

// TestTarpitDelaysNobody: the same as TestDeadReceiverDelaysNobody over real connections. The tarpit takes requests and answers
// none before everything has arrived at the other receiver.
func TestTarpitDelaysNobody(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	tarpit := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-open }))
	arrived := make(chan string)
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("call-ref")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer tarpit.Close()
	defer good.Close()
	to := func(tenant auth.TenantID, url string, i int) auth.Delivery {
		d := news(tenant, auth.ParcelID(fmt.Sprint(tenant, i)))
		d.Webhook.URL, d.News.Kind, d.Key = url, auth.NewsLogin, seal.NewSecret("key")
		return d
	}
	s := newShelf()
	for i := range 50 {
		s.add(to("a", tarpit.URL, i), to("b", good.URL, i))
	}
	carrier := webhook.New(webhook.Config{Now: time.Now, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer carrier.Close()
	stop := start(t, nil, outbox.Config{Service: s, Webhooks: carrier, Messages: carry(nil), PerQueue: 4})
	ids := map[string]bool{}
	for range 50 {
		ids[<-arrived] = true
	}
	if len(ids) != 50 {
		t.Errorf("got %d deliveries, want 50", len(ids))
	}
	if waiting, _, _ := s.counts(); waiting != 46 {
		t.Errorf("got %d parcels waiting for the tarpit, want 46", waiting)
	}
	close(open)
	stop()
}
