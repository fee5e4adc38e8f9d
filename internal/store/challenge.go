package store

import (
	"errors"
	"fmt"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// linkRef is auth.LinkRef as JSON.
type linkRef struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

func challenge(row sqlc.Challenge) (auth.Challenge, error) {
	token, badToken := digest[auth.TokenHash](row.Token)
	code, badCode := digest[[32]byte](row.CodeHash)
	shown, badDigest := digest[[32]byte](row.Digest)
	c := auth.Challenge{
		Tenant:    auth.TenantID(row.TenantID),
		ID:        auth.ChallengeID(row.ID),
		Version:   row.Version,
		Purpose:   auth.Purpose(row.Purpose),
		Channel:   auth.Channel(row.Channel),
		Status:    auth.ChallengeStatus(row.Status),
		Subject:   auth.Subject(row.Subject),
		User:      auth.UserID(row.UserID),
		Session:   auth.SessionID(row.SessionID),
		Token:     token,
		Key:       row.KeyID,
		Identity:  auth.IdentityRef{Type: auth.IdentityType(row.IdentityType), ID: row.IdentityID},
		Target:    row.Target,
		CodeHash:  code,
		Digest:    shown,
		Failures:  int(row.Failures),
		Sends:     int(row.Sends),
		CreatedAt: moment(row.CreatedAt),
		SentAt:    moment(row.SentAt),
		ExpiresAt: moment(row.ExpiresAt),
		EndedAt:   moment(row.EndedAt),
		Nonce:     row.Nonce,
		Number:    row.Number,
		Approval:  row.Approval,
	}
	var links []linkRef
	err := errors.Join(badToken, badCode, badDigest, decode(row.Links, &links))
	for _, l := range links {
		c.Links = append(c.Links, auth.LinkRef(l))
	}
	return c, err
}

// theChallenge returns the only one of the rows.
func (r reads) theChallenge(rows []sqlc.Challenge, err error) (auth.Challenge, error) {
	const verb = "read challenge"
	row, err := one(r, verb, rows, err)
	if err != nil {
		return auth.Challenge{}, err
	}
	c, err := challenge(row)
	if err != nil {
		return auth.Challenge{}, fmt.Errorf("%s: %w", verb, err)
	}
	return c, nil
}

// Challenge implements auth.Reads.
func (r reads) Challenge(t auth.TenantID, id auth.ChallengeID) (auth.Challenge, error) {
	return r.theChallenge(r.q.Challenge(r.ctx, sqlc.ChallengeParams{TenantID: string(t), ID: string(id)}))
}

// LatestChallenge implements auth.Reads. Of two of the same time the one with the greater number for an id is the newer.
func (r reads) LatestChallenge(
	t auth.TenantID, subject auth.Subject, p auth.Purpose, session auth.SessionID, by auth.Channel,
) (auth.Challenge, error) {
	return r.theChallenge(r.q.LatestChallenge(r.ctx, sqlc.LatestChallengeParams{
		TenantID:  string(t),
		Subject:   string(subject),
		Purpose:   string(p),
		SessionID: string(session),
		Channel:   string(by),
	}))
}

// PendingChallenges implements auth.Reads. A user's are found by their subject, for which there is an index.
func (r reads) PendingChallenges(t auth.TenantID, id auth.UserID, n int) ([]auth.Challenge, error) {
	var rows []sqlc.Challenge
	var err error
	if id == "" {
		rows, err = r.q.PendingChallenges(r.ctx, sqlc.PendingChallengesParams{TenantID: string(t), N: limit(n)})
	} else {
		rows, err = r.q.PendingChallengesOf(r.ctx, sqlc.PendingChallengesOfParams{
			TenantID: string(t),
			Subject:  string(auth.SubjectOf(id)),
			N:        limit(n),
		})
	}
	return list(r, "list pending challenges", rows, err, challenge)
}

// OverdueChallenges implements auth.Reads. A challenge is over at the very time that it ends at.
func (r reads) OverdueChallenges(now time.Time, n int) ([]auth.Challenge, error) {
	rows, err := r.q.OverdueChallenges(r.ctx, sqlc.OverdueChallengesParams{Now: micros(now), N: limit(n)})
	return list(r, "list overdue challenges", rows, err, challenge)
}

// CountPushed implements auth.Reads.
func (r reads) CountPushed(t auth.TenantID, subject auth.Subject, since time.Time) (auth.Tally, error) {
	rows, err := r.q.CountPushed(r.ctx, sqlc.CountPushedParams{TenantID: string(t), Subject: string(subject), Since: micros(since)})
	row, err := one(r, "count pushes", rows, err)
	return auth.Tally{Count: int(row.N), Oldest: moment(row.Oldest)}, err
}

// CountDenied implements auth.Reads.
func (r reads) CountDenied(t auth.TenantID, subject auth.Subject, since time.Time) (auth.Tally, error) {
	rows, err := r.q.CountDenied(r.ctx, sqlc.CountDeniedParams{TenantID: string(t), Subject: string(subject), Since: micros(since)})
	row, err := one(r, "count denials", rows, err)
	return auth.Tally{Count: int(row.N), Oldest: moment(row.Oldest)}, err
}

func linksOf(c auth.Challenge) (string, error) {
	links := make([]linkRef, len(c.Links))
	for i, l := range c.Links {
		links[i] = linkRef(l)
	}
	return encode(links)
}

// AddChallenge implements auth.Writes.
func (w writes) AddChallenge(c auth.Challenge) error {
	const verb = "add challenge"
	links, err := linksOf(c)
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	n, err := w.q.AddChallenge(w.ctx, sqlc.AddChallengeParams{
		TenantID:     string(c.Tenant),
		ID:           string(c.ID),
		Purpose:      string(c.Purpose),
		Channel:      string(c.Channel),
		Status:       string(c.Status),
		Subject:      string(c.Subject),
		UserID:       string(c.User),
		SessionID:    string(c.Session),
		Token:        c.Token[:],
		KeyID:        c.Key,
		IdentityType: string(c.Identity.Type),
		IdentityID:   c.Identity.ID,
		Target:       c.Target,
		CodeHash:     c.CodeHash[:],
		Digest:       c.Digest[:],
		Links:        links,
		Failures:     int64(c.Failures),
		Sends:        int64(c.Sends),
		CreatedAt:    micros(c.CreatedAt),
		SentAt:       micros(c.SentAt),
		ExpiresAt:    micros(c.ExpiresAt),
		EndedAt:      micros(c.EndedAt),
		Nonce:        c.Nonce,
		Number:       c.Number,
		Approval:     c.Approval,
	})
	return w.added(verb, n, err)
}

// PutChallenge implements auth.Writes.
func (w writes) PutChallenge(c auth.Challenge, from int64) (bool, error) {
	const verb = "put challenge"
	links, err := linksOf(c)
	if err != nil {
		return false, fmt.Errorf("%s: %w", verb, err)
	}
	n, err := w.q.PutChallenge(w.ctx, sqlc.PutChallengeParams{
		TenantID:     string(c.Tenant),
		ID:           string(c.ID),
		Version:      c.Version,
		Purpose:      string(c.Purpose),
		Channel:      string(c.Channel),
		Status:       string(c.Status),
		Subject:      string(c.Subject),
		UserID:       string(c.User),
		SessionID:    string(c.Session),
		Token:        c.Token[:],
		KeyID:        c.Key,
		IdentityType: string(c.Identity.Type),
		IdentityID:   c.Identity.ID,
		Target:       c.Target,
		CodeHash:     c.CodeHash[:],
		Digest:       c.Digest[:],
		Links:        links,
		Failures:     int64(c.Failures),
		Sends:        int64(c.Sends),
		CreatedAt:    micros(c.CreatedAt),
		SentAt:       micros(c.SentAt),
		ExpiresAt:    micros(c.ExpiresAt),
		EndedAt:      micros(c.EndedAt),
		Approval:     c.Approval,
		FromVersion:  from,
	})
	return moved(w, verb, n, err, func() ([]string, error) {
		return w.q.HasChallenge(w.ctx, sqlc.HasChallengeParams{TenantID: string(c.Tenant), ID: string(c.ID)})
	})
}

// CancelChallenges implements auth.Writes.
func (w writes) CancelChallenges(t auth.TenantID, subject auth.Subject, p auth.Purpose, at time.Time) (int, error) {
	n, err := w.q.CancelChallenges(w.ctx, sqlc.CancelChallengesParams{
		TenantID: string(t),
		Subject:  string(subject),
		Purpose:  string(p),
		At:       micros(at),
	})
	return int(n), w.h.fail(w.ctx, "cancel challenges", err)
}
