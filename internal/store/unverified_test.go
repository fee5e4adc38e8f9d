package store_test

import (
	"testing"

	"countersign/internal/store"
)

// TestUnverified: one host of several is enough, and how it is named makes no difference.
func TestUnverified(t *testing.T) {
	for _, name := range []string{"PGHOST", "PGSSLMODE", "PGSERVICE"} {
		t.Setenv(name, "")
	}
	for dsn, want := range map[string]bool{
		"sqlite:test.db":                                             false,
		"postgres://127.0.0.1/db":                                    false,
		"postgres://[::1]/db":                                        false,
		"postgres://localhost/db?sslmode=disable":                    false,
		"postgres://ada@/db?host=/run":                               false,
		"postgres://%2Frun/db":                                       false,
		"postgres://192.0.2.1/db":                                    true,
		"postgres://db.example.com/db?sslmode=disable":               true,
		"postgresql://db.example.com/db?sslmode=require":             true,
		"postgres://db.example.com/db?sslmode=verify-ca":             true,
		"postgres://db.example.com/db?sslmode=verify-full":           false,
		"postgres://127.0.0.1,db.example.com/db":                     true,
		"postgres://a.example.com,b.example.com/db":                  true,
		"postgres://a.example.com,b.example.com/db?sslmode=prefer":   true,
		"postgres://a.test,b.test/db?sslmode=verify-full":            false,
		"postgres://ada@/db?host=/run,192.0.2.1":                     true,
		"postgres://127.0.0.1/db?host=192.0.2.1":                     true,
		"postgres://ada@/db?host=/run,192.0.2.1&sslmode=verify-full": false,
	} {
		if got := store.Unverified(dsn); got != want {
			t.Errorf("%s: got %v, want %v", dsn, got, want)
		}
	}
	t.Setenv("PGHOST", "192.0.2.1")
	if !store.Unverified("postgres://ada@/db") {
		t.Error("a host of the environment counts for none")
	}
	t.Setenv("PGSSLMODE", "verify-full")
	if store.Unverified("postgres://ada@/db") {
		t.Error("what the environment says of TLS counts for nothing")
	}
}
