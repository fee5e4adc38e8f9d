package store

import (
	"math"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// How much longer than others rows are kept that somebody may come back to: a parcel that could not be carried, and what was not confirmed.
const (
	keepFailed = 30 * 24 * time.Hour
	keepLinks  = 90 * 24 * time.Hour
)

// Sweep implements auth.Writes. A session and its tokens go at its absolute limit, a refresh token, a grant, a party, a ceremony and the like at their
// own, attempts when they say so. A session that ended early is kept until then: nothing finds it alive, and no index has to follow its
// end. A challenge goes when it ended or, if nobody ended it, expired; one that confirmed something is evidence and stays, and so does what
// it confirmed. What was to be confirmed and was not goes when nothing has changed it for long. A parcel goes when it was carried, and one
// that could not be, for an operator to see, much later.
func (w writes) Sweep(before time.Time, n int) (int, error) {
	total := 0
	for _, sweep := range w.sweeps(micros(before)) {
		rows, err := sweep(limit(n - total))
		if err != nil {
			return total, w.h.fail(w.ctx, "sweep", err)
		}
		if total += int(rows); total >= n {
			break
		}
	}
	return total, nil
}

// sweeps delete rows of one kind each, at most so many. What refers to another row goes before it.
func (w writes) sweeps(b int64) []func(n int32) (int64, error) {
	return []func(n int32) (int64, error){
		func(n int32) (int64, error) { return w.q.SweepTokens(w.ctx, sqlc.SweepTokensParams{Before: b, N: n}) },
		func(n int32) (int64, error) {
			return w.q.SweepRefreshTokens(w.ctx, sqlc.SweepRefreshTokensParams{Before: b, N: n})
		},
		func(n int32) (int64, error) { return w.q.SweepGrants(w.ctx, sqlc.SweepGrantsParams{Before: b, N: n}) },
		func(n int32) (int64, error) { return w.q.SweepParties(w.ctx, sqlc.SweepPartiesParams{Before: b, N: n}) },
		func(n int32) (int64, error) {
			return w.q.SweepCeremonies(w.ctx, sqlc.SweepCeremoniesParams{Before: b, N: n})
		},
		func(n int32) (int64, error) {
			return w.q.SweepAssertions(w.ctx, sqlc.SweepAssertionsParams{Before: b, N: n})
		},
		func(n int32) (int64, error) {
			return w.q.SweepPushedRequests(w.ctx, sqlc.SweepPushedRequestsParams{Before: b, N: n})
		},
		func(n int32) (int64, error) {
			return w.q.SweepRevokedTokens(w.ctx, sqlc.SweepRevokedTokensParams{Before: b, N: n})
		},
		func(n int32) (int64, error) {
			return w.q.SweepSessions(w.ctx, sqlc.SweepSessionsParams{Before: b, N: n})
		},
		func(n int32) (int64, error) {
			return w.q.SweepAttempts(w.ctx, sqlc.SweepAttemptsParams{Before: b, N: n})
		},
		func(n int32) (int64, error) {
			return w.q.SweepChallenges(w.ctx, sqlc.SweepChallengesParams{Before: b, N: n})
		},
		func(n int32) (int64, error) { return w.q.SweepTickets(w.ctx, sqlc.SweepTicketsParams{Before: b, N: n}) },
		func(n int32) (int64, error) {
			return w.q.SweepSpentChallenges(w.ctx, sqlc.SweepSpentChallengesParams{Before: b, N: n})
		},
		func(n int32) (int64, error) { return w.sweepParcels(auth.ParcelDelivered, b, n) },
		func(n int32) (int64, error) { return w.sweepParcels(auth.ParcelFailed, b-keepFailed.Microseconds(), n) },
		func(n int32) (int64, error) { return w.q.SweepAnswers(w.ctx, sqlc.SweepAnswersParams{Before: b, N: n}) },
		func(n int32) (int64, error) {
			return w.q.SweepSMSCounts(w.ctx, sqlc.SweepSMSCountsParams{Before: b, N: n})
		},
		func(n int32) (int64, error) {
			return w.q.SweepLinks(w.ctx, sqlc.SweepLinksParams{Before: b - keepLinks.Microseconds(), N: n})
		},
	}
}

func (w writes) sweepParcels(s auth.ParcelStatus, before int64, n int32) (int64, error) {
	return w.q.SweepParcels(w.ctx, sqlc.SweepParcelsParams{Status: string(s), Before: before, N: n})
}

// Clear implements auth.Writes.
func (w writes) Clear() error {
	for _, table := range []string{
		"pushed_requests", "assertions", "sms_counts",
		"organization_logos", "organization_domains", "approvals", "devices", "tickets", "answers", "outbox", "links", "challenges", "events", "grants",
		"parties", "revoked_tokens", "refresh_tokens", "tokens", "sessions", "attempts", "spent_challenges", "user_keys",
		"consents", "password_history", "passwords", "ceremonies", "passkeys", "totps", "authenticators", "memberships", "identities", "identifiers", "users", "user_counts", "former_users",
		"clients", "app_keys", "applications", "resources", "roles", "programme_keys", "api_keys", "tenants", // each after what refers to it
	} {
		if _, err := w.h.ExecContext(w.ctx, "-- name: Clear :exec\nDELETE FROM "+table); err != nil {
			return w.h.fail(w.ctx, "clear", err)
		}
	}
	const count = `-- name: Clear :exec
INSERT INTO meta (name, value) VALUES ('` + metaCleared + `', '1')
ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)`
	if _, err := w.h.ExecContext(w.ctx, count); err != nil { // so that nobody takes the events for lost
		return w.h.fail(w.ctx, "clear", err)
	}
	return w.put("clear", nil)
}

// limit is n as a LIMIT: at least none, at most what the databases take alike.
func limit(n int) int32 {
	return int32(min(max(n, 0), math.MaxInt32))
}
