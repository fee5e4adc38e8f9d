package store

import (
	"math"
	"time"

	"countersign/internal/store/sqlc"
)

// Sweep implements auth.Writes. A session and its tokens go at its absolute limit, a refresh token at its own, attempts when they say
// so. A session that ended early is kept until then: nothing finds it alive, and no index has to follow its end.
func (w writes) Sweep(before time.Time, n int) (int, error) {
	b, max := micros(before), limit(n)
	var total int64
	for _, sweep := range []func() (int64, error){
		func() (int64, error) {
			return w.q.SweepTokens(w.ctx, sqlc.SweepTokensParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepRefreshTokens(w.ctx, sqlc.SweepRefreshTokensParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepSessions(w.ctx, sqlc.SweepSessionsParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepAttempts(w.ctx, sqlc.SweepAttemptsParams{Before: b, N: max})
		},
	} {
		rows, err := sweep()
		if err != nil {
			return int(total), w.h.fail(w.ctx, "sweep", err)
		}
		total += rows
	}
	return int(total), nil
}

// limit is n as a LIMIT: at least none, at most what the databases take alike.
func limit(n int) int32 {
	return int32(min(max(n, 0), math.MaxInt32))
}
