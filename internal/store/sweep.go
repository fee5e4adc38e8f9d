package store

import (
	"math"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// keepFailed is how long a parcel that could not be carried is kept beyond others.
const keepFailed = 30 * 24 * time.Hour

// Sweep implements auth.Writes. A session and its tokens go at its absolute limit, a refresh token, a grant, a party, a ceremony and the like at their
// own, attempts when they say so. A session that ended early is kept until then: nothing finds it alive, and no index has to follow its
// end. A challenge goes when it ended or, if nobody ended it, expired; one that confirmed something is evidence and stays. A parcel goes
// when it was carried, and one that could not be, for an operator to see, much later.
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
			return w.q.SweepGrants(w.ctx, sqlc.SweepGrantsParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepParties(w.ctx, sqlc.SweepPartiesParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepCeremonies(w.ctx, sqlc.SweepCeremoniesParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepAssertions(w.ctx, sqlc.SweepAssertionsParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepPushedRequests(w.ctx, sqlc.SweepPushedRequestsParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepRevokedTokens(w.ctx, sqlc.SweepRevokedTokensParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepSessions(w.ctx, sqlc.SweepSessionsParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepAttempts(w.ctx, sqlc.SweepAttemptsParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepChallenges(w.ctx, sqlc.SweepChallengesParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepTickets(w.ctx, sqlc.SweepTicketsParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepSpentChallenges(w.ctx, sqlc.SweepSpentChallengesParams{Before: b, N: max})
		},
		func() (int64, error) { return w.sweepParcels(auth.ParcelDelivered, before, max) },
		func() (int64, error) { return w.sweepParcels(auth.ParcelFailed, before.Add(-keepFailed), max) },
		func() (int64, error) {
			return w.q.SweepAnswers(w.ctx, sqlc.SweepAnswersParams{Before: b, N: max})
		},
		func() (int64, error) {
			return w.q.SweepSMSCounts(w.ctx, sqlc.SweepSMSCountsParams{Before: b, N: max})
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

func (w writes) sweepParcels(s auth.ParcelStatus, before time.Time, n int32) (int64, error) {
	return w.q.SweepParcels(w.ctx, sqlc.SweepParcelsParams{Status: string(s), Before: micros(before), N: n})
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
	return w.put("clear", nil)
}

// limit is n as a LIMIT: at least none, at most what the databases take alike.
func limit(n int) int32 {
	return int32(min(max(n, 0), math.MaxInt32))
}
