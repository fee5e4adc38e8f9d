package store

import (
	"errors"
	"fmt"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Grant implements auth.Reads.
func (r reads) Grant(hash auth.TokenHash) (auth.Grant, error) {
	const verb = "read grant"
	rows, err := r.q.Grant(r.ctx, hash[:])
	row, err := one(r, verb, rows, err)
	if err != nil {
		return auth.Grant{}, err
	}
	h, bad := digest[auth.TokenHash](row.Hash)
	g := auth.Grant{
		Tenant:      auth.TenantID(row.TenantID),
		Hash:        h,
		Client:      auth.ClientID(row.ClientID),
		RedirectURI: row.RedirectUri,
		Challenge:   row.Challenge,
		Key:         row.Jkt,
		Browser:     auth.SessionID(row.BrowserID),
		Session:     auth.SessionID(row.SessionID),
		Scope:       row.Scope,
		Audience:    row.Audience,
		Nonce:       row.Nonce,
		Org:         auth.IdentityRef{Type: auth.IdentityType(row.OrgType), ID: row.OrgID},
		IssuedAt:    moment(row.IssuedAt),
		ExpiresAt:   moment(row.ExpiresAt),
		UsedAt:      moment(row.UsedAt),
	}
	if err := errors.Join(bad, decode(row.Claims, &g.Claims), decode(row.Userinfo, &g.UserInfo)); err != nil {
		return g, fmt.Errorf("%s: %w", verb, err)
	}
	return g, nil
}

// AddGrant implements auth.Writes.
func (w writes) AddGrant(g auth.Grant) error {
	const verb = "add grant"
	claims, err := encode(g.Claims)
	userInfo, err2 := encode(g.UserInfo)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	n, err := w.q.AddGrant(w.ctx, sqlc.AddGrantParams{
		Hash:        g.Hash[:],
		TenantID:    string(g.Tenant),
		ClientID:    string(g.Client),
		RedirectUri: g.RedirectURI,
		Challenge:   g.Challenge,
		BrowserID:   string(g.Browser),
		SessionID:   string(g.Session),
		Scope:       g.Scope,
		Audience:    g.Audience,
		Nonce:       g.Nonce,
		OrgType:     string(g.Org.Type),
		OrgID:       g.Org.ID,
		Claims:      claims,
		Userinfo:    userInfo,
		IssuedAt:    micros(g.IssuedAt),
		ExpiresAt:   micros(g.ExpiresAt),
		UsedAt:      micros(g.UsedAt),
		Jkt:         g.Key,
	})
	return w.added(verb, n, err)
}

// UseGrant implements auth.Writes.
func (w writes) UseGrant(hash auth.TokenHash, at time.Time) (bool, error) {
	n, err := w.q.UseGrant(w.ctx, sqlc.UseGrantParams{Hash: hash[:], At: micros(at)})
	return moved(w, "use grant", n, err, func() ([][]byte, error) { return w.q.HasGrant(w.ctx, hash[:]) })
}
