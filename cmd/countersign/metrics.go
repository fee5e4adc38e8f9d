package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"countersign/internal/auth"
	"countersign/internal/passhash"
)

// opsHandler serves the operators' listener, which is apart from the public one and on loopback (security A-142).
func (a *app) opsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registerHasher(registry, a.hasher)
	registerThrottles(registry, a.auth)
	registerSMS(registry, a.auth)
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "countersign_clock_behind_seconds",
		Help: "How far the system's clock is behind the time that was shown before. Beyond a minute no call is taken.",
	}, func() float64 { return a.auth.ClockBehind().Seconds() }))
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "countersign_rewinds_total", Help: "Times the database was found behind what was acknowledged.",
	}, func() float64 { return float64(a.store.Rewinds()) }))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if problem, cause := a.unready(r.Context()); cause != nil {
			http.Error(w, problem, http.StatusServiceUnavailable)
		}
	})
	return mux
}

// registerThrottles publishes how many calls were refused for coming too often, by what they were counted by: refused attempts by
// address, requests by API key or client, requests by user.
func registerThrottles(registry *prometheus.Registry, s *auth.Service) {
	for scope, value := range map[string]func(auth.Throttled) uint64{
		"address": func(t auth.Throttled) uint64 { return t.Address },
		"caller":  func(t auth.Throttled) uint64 { return t.Caller },
		"user":    func(t auth.Throttled) uint64 { return t.User },
	} {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "countersign_throttled_total", Help: "Calls refused because they came too often.", ConstLabels: prometheus.Labels{"scope": scope},
		}, func() float64 { return float64(value(s.Throttled())) }))
	}
}

// registerSMS publishes how many SMS were not sent because a budget was used up, by the budget, and how often too few codes came back.
func registerSMS(registry *prometheus.Registry, s *auth.Service) {
	for budget, value := range map[string]func(auth.SMSWithheld) uint64{
		"number":  func(h auth.SMSWithheld) uint64 { return h.Number },
		"country": func(h auth.SMSWithheld) uint64 { return h.Country },
		"tenant":  func(h auth.SMSWithheld) uint64 { return h.Tenant },
		"server":  func(h auth.SMSWithheld) uint64 { return h.Server },
	} {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "countersign_sms_withheld_total", Help: "SMS not sent because a budget was used up.", ConstLabels: prometheus.Labels{"budget": budget},
		}, func() float64 { return float64(value(s.SMSWithheld())) }))
	}
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "countersign_sms_alarms_total", Help: "Times this server saw that too few codes by SMS came back.",
	}, func() float64 { return float64(s.SMSWithheld().Alarms) }))
}

// registerHasher publishes what the gate counts. That a lock holds is seen here: verified stays at five however many guess.
func registerHasher(registry *prometheus.Registry, h *passhash.Hasher) {
	for _, c := range []struct {
		name, help string
		value      func(passhash.Stats) float64
	}{
		{"countersign_password_verified_total", "Hashes of accounts computed to verify a password.",
			func(s passhash.Stats) float64 { return float64(s.Verified) }},
		{"countersign_password_decoys_total", "Hashes computed only for their cost.",
			func(s passhash.Stats) float64 { return float64(s.Decoys) }},
		{"countersign_password_hashed_total", "New hashes made.",
			func(s passhash.Stats) float64 { return float64(s.Hashed) }},
		{"countersign_password_refused_total", "Calls that were not let in.",
			func(s passhash.Stats) float64 { return float64(s.Refused) }},
	} {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.name, Help: c.help},
			func() float64 { return c.value(h.Stats()) }))
	}
	for _, g := range []struct {
		name, help string
		value      func(passhash.Stats) int
	}{
		{"countersign_password_running", "Hashes running.", func(s passhash.Stats) int { return s.Running }},
		{"countersign_password_waiting", "Calls waiting for a slot.", func(s passhash.Stats) int { return s.Waiting }},
		{"countersign_password_inside", "Calls let in: those that hash, wait for a slot or have other work.",
			func(s passhash.Stats) int { return s.Inside }},
		{"countersign_password_queued", "Calls waiting to be let in.", func(s passhash.Stats) int { return s.Queued }},
	} {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help},
			func() float64 { return float64(g.value(h.Stats())) }))
	}
}
