package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store"
)

func BenchmarkSQLite(b *testing.B) {
	benchmark(b, openFile(b, filepath.Join(b.TempDir(), "bench.db"), store.Options{}))
}

// benchmark measures the verbs that every request waits for, alone and, where they only read, in parallel.
func benchmark(b *testing.B, s auth.Store) {
	if err := s.Update(b.Context(), household); err != nil {
		b.Fatal(err)
	}
	read := map[string]func(auth.Reads) error{
		"Bearer": func(r auth.Reads) error { _, err := r.Bearer(auth.TokenHash{1}); return err },
		"AccountByIdentifier": func(r auth.Reads) error {
			_, err := r.AccountByIdentifier("demo", auth.ByEmail, "ada@example.com", "")
			return err
		},
		"Revision": func(r auth.Reads) error { _, err := r.Revision(); return err },
	}
	for name, verb := range read {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.View(b.Context(), verb); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"Parallel", func(b *testing.B) {
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := s.View(b.Context(), verb); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
	b.Run("SettleLogin", func(b *testing.B) {
		b.ReportAllocs()
		subject := auth.Subject(b.Name() + time.Now().String())
		for i := int64(0); b.Loop(); i++ {
			id := fmt.Sprintf("%s %09d", subject, i)
			err := s.Write(b.Context(), func(w auth.Writes) error {
				if _, err := w.PutAttempts("demo", subject, auth.AttemptPassword, auth.Attempts{Version: i + 1}, i); err != nil {
					return err
				}
				if err := w.AddSession(auth.Session{Tenant: "demo", ID: auth.SessionID(id), User: "17"}); err != nil {
					return err
				}
				return w.AddEvents(auth.Event{Tenant: "demo", ID: auth.EventID(id)})
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
