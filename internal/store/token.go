package store

import (
	"errors"
	"fmt"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// AddToken implements auth.Writes.
func (w writes) AddToken(t auth.Token) error {
	e := w.expect("add token", 1, auth.ErrExists)
	n, err := w.q.AddToken(w.ctx, sqlc.AddTokenParams{
		Hash:         t.Hash[:],
		TenantID:     string(t.Tenant),
		SessionID:    string(t.Session),
		Kind:         string(t.Kind),
		IdentityType: string(t.Identity.Type),
		IdentityID:   t.Identity.ID,
		Credential:   string(t.Credential),
		IssuedAt:     micros(t.IssuedAt),
		ExpiresAt:    micros(t.ExpiresAt),
		UsedAt:       micros(t.UsedAt),
		SteppedUpAt:  micros(t.SteppedUpAt),
	})
	return w.met(e, n, err)
}

// StepUpToken implements auth.Writes.
func (w writes) StepUpToken(hash auth.TokenHash, at time.Time) (bool, error) {
	n, err := w.q.StepUpToken(w.ctx, sqlc.StepUpTokenParams{Hash: hash[:], At: micros(at)})
	return moved(w, "step up token", n, err, w.hasToken(hash))
}

// UseToken implements auth.Writes.
func (w writes) UseToken(hash auth.TokenHash, at time.Time) (bool, error) {
	n, err := w.q.UseToken(w.ctx, sqlc.UseTokenParams{Hash: hash[:], At: micros(at)})
	return moved(w, "use token", n, err, w.hasToken(hash))
}

func (w writes) hasToken(hash auth.TokenHash) func() ([][]byte, error) {
	return func() ([][]byte, error) { return w.q.HasToken(w.ctx, hash[:]) }
}

func refreshToken(row sqlc.RefreshToken, hash auth.TokenHash, of sqlc.Session) (auth.RefreshToken, error) {
	root, badRoot := digest[auth.TokenHash](row.Root)
	t := auth.RefreshToken{
		Tenant:    auth.TenantID(of.TenantID),
		Hash:      hash,
		Root:      root,
		Session:   auth.SessionID(of.ID),
		User:      auth.UserID(row.UserID),
		Client:    auth.ClientID(row.ClientID),
		Key:       row.Jkt,
		Audience:  row.Audience,
		Scope:     row.Scope,
		Org:       auth.IdentityRef{Type: auth.IdentityType(row.OrgType), ID: row.OrgID},
		IssuedAt:  moment(row.IssuedAt),
		ExpiresAt: moment(row.ExpiresAt),
		RotatedAt: moment(row.RotatedAt),
	}
	return t, errors.Join(badRoot, decode(row.Claims, &t.Claims), decode(row.Userinfo, &t.UserInfo))
}

// AddRefresh implements auth.Writes.
func (w writes) AddRefresh(t auth.RefreshToken) error {
	const verb = "add refresh token"
	claims, err := encode(t.Claims)
	userInfo, err2 := encode(t.UserInfo)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	e := w.expect(verb, 1, auth.ErrExists)
	n, err := w.q.AddRefresh(w.ctx, sqlc.AddRefreshParams{
		Hash:      t.Hash[:],
		TenantID:  string(t.Tenant),
		Root:      t.Root[:],
		SessionID: string(t.Session),
		UserID:    string(t.User),
		ClientID:  string(t.Client),
		Audience:  t.Audience,
		Scope:     t.Scope,
		OrgType:   string(t.Org.Type),
		OrgID:     t.Org.ID,
		Claims:    claims,
		Userinfo:  userInfo,
		IssuedAt:  micros(t.IssuedAt),
		ExpiresAt: micros(t.ExpiresAt),
		RotatedAt: micros(t.RotatedAt),
		Jkt:       t.Key,
	})
	return w.met(e, n, err)
}

// RotateRefresh implements auth.Writes.
func (w writes) RotateRefresh(hash auth.TokenHash, at time.Time) error {
	e := w.expect("rotate refresh token", 1, auth.ErrRaced)
	n, err := w.q.RotateRefresh(w.ctx, sqlc.RotateRefreshParams{Hash: hash[:], At: micros(at)})
	return w.met(e, n, err)
}

// RevokeRefreshFamily implements auth.Writes.
func (w writes) RevokeRefreshFamily(root auth.TokenHash, at time.Time) (bool, error) {
	n, err := w.q.RevokeRefreshFamily(w.ctx, sqlc.RevokeRefreshFamilyParams{Root: root[:], At: micros(at)})
	return moved(w, "revoke refresh tokens", n, err, w.hasRefresh(root))
}

// RevokeRefreshOf implements auth.Writes.
func (w writes) RevokeRefreshOf(t auth.TenantID, id auth.UserID, org auth.IdentityRef, spared []auth.ClientID, at time.Time) (int, error) {
	const verb = "revoke refresh tokens of a user"
	f := filter{text: "-- name: RevokeRefreshOf :execrows\nUPDATE refresh_tokens SET revoked_at = $1\nWHERE hash = root AND revoked_at = 0"}
	f.args = []any{micros(at)}
	f.and("tenant_id = ?", string(t))
	f.and("user_id = ?", string(id))
	f.and("org_type = ?", string(org.Type))
	f.and("org_id = ?", org.ID)
	for _, c := range spared {
		f.and("client_id <> ?", string(c))
	}
	result, err := w.h.ExecContext(w.ctx, f.text, f.args...)
	if err != nil {
		return 0, w.h.fail(w.ctx, verb, err)
	}
	n, err := result.RowsAffected()
	return int(n), w.h.fail(w.ctx, verb, err)
}

func (w writes) hasRefresh(hash auth.TokenHash) func() ([][]byte, error) {
	return func() ([][]byte, error) { return w.q.HasRefresh(w.ctx, hash[:]) }
}

// RevokedToken implements auth.Reads.
func (r reads) RevokedToken(t auth.TenantID, id string, family auth.TokenHash) (bool, error) {
	rows, err := r.q.RevokedToken(r.ctx, sqlc.RevokedTokenParams{TenantID: string(t), ID: id, Root: family[:]})
	return len(rows) > 0, r.h.fail(r.ctx, "read revoked token", err)
}

// RevokeToken implements auth.Writes.
func (w writes) RevokeToken(t auth.TenantID, id string, expires time.Time) (bool, error) {
	n, err := w.q.RevokeToken(w.ctx, sqlc.RevokeTokenParams{TenantID: string(t), ID: id, ExpiresAt: micros(expires)})
	return n > 0, w.h.fail(w.ctx, "revoke token", err)
}

// RaiseRevokedUntil implements auth.Writes.
func (w writes) RaiseRevokedUntil(until time.Time) error {
	return w.h.fail(w.ctx, "raise revoked until", w.q.RaiseRevokedUntil(w.ctx, micros(until)))
}
