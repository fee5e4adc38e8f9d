package store

import (
	"errors"
	"fmt"

	"countersign/internal/auth"
	"countersign/internal/jose"
	"countersign/internal/store/sqlc"
)

// clientSecret is auth.ClientSecret as JSON.
type clientSecret struct {
	Hash      []byte `json:"hash"`
	CreatedAt int64  `json:"created_at"`
}

// clientLogout is auth.ClientLogout as JSON.
type clientLogout struct {
	RedirectURIs    []string `json:"redirect_uris,omitempty"`
	URI             string   `json:"uri,omitempty"`
	SessionRequired bool     `json:"session_required,omitempty"`
}

func client(row sqlc.Client) (auth.Client, error) {
	c := auth.Client{
		Tenant:          auth.TenantID(row.TenantID),
		ID:              auth.ClientID(row.ID),
		Kind:            auth.ClientKind(row.Kind),
		AppID:           auth.AppID(row.AppID),
		AppName:         row.AppName,
		Alg:             jose.Alg(row.Alg),
		AccessTokenFor:  span(row.AccessTokenFor),
		RefreshTokenFor: span(row.RefreshTokenFor),
		CreatedAt:       moment(row.CreatedAt),
		DisabledAt:      moment(row.DisabledAt),
		Native:          row.Native,
		SecondFactor:    row.SecondFactor,
		Auth:            auth.ClientAuth(row.AuthMethod),
		JWKS:            row.Jwks,
		AuthAlg:         jose.Alg(row.AuthAlg),
		PKCE:            auth.PKCEMode(row.Pkce),
		RequirePAR:      row.RequirePar,
		BoundTokens:     row.BoundTokens,
		ThirdParty:      row.ThirdParty,
		Name:            row.Name,
		Description:     row.Description,
		SessionFor:      span(row.SessionFor),
		RotateFor:       span(row.RotateFor),
		UpdatedAt:       moment(row.UpdatedAt),
	}
	var secrets []clientSecret
	var logout clientLogout
	err := errors.Join(decode(row.Logout, &logout), decode(row.Secrets, &secrets), decode(row.RedirectUris, &c.RedirectURIs),
		decode(row.Resources, &c.Resources), decode(row.Claims, &c.Claims), decode(row.Roles, &c.Roles))
	c.Logout = auth.ClientLogout(logout)
	for _, s := range secrets {
		h, bad := digest[[32]byte](s.Hash)
		err = errors.Join(err, bad)
		c.Secrets = append(c.Secrets, auth.ClientSecret{Hash: h, CreatedAt: moment(s.CreatedAt)})
	}
	return c, err
}

// PutClient implements auth.Writes. The id of another tenant's client is auth.ErrExists.
func (w writes) PutClient(c auth.Client) error {
	const verb = "put client"
	secrets := make([]clientSecret, len(c.Secrets))
	for i, s := range c.Secrets {
		secrets[i] = clientSecret{s.Hash[:], micros(s.CreatedAt)}
	}
	p := sqlc.PutClientParams{
		TenantID:        string(c.Tenant),
		ID:              string(c.ID),
		Kind:            string(c.Kind),
		AppID:           string(c.AppID),
		AppName:         c.AppName,
		Alg:             string(c.Alg),
		AccessTokenFor:  c.AccessTokenFor.Microseconds(),
		RefreshTokenFor: c.RefreshTokenFor.Microseconds(),
		CreatedAt:       micros(c.CreatedAt),
		DisabledAt:      micros(c.DisabledAt),
		Native:          c.Native,
		SecondFactor:    c.SecondFactor,
		AuthMethod:      string(c.Auth),
		Jwks:            c.JWKS,
		AuthAlg:         string(c.AuthAlg),
		Pkce:            string(c.PKCE),
		RequirePar:      c.RequirePAR,
		BoundTokens:     c.BoundTokens,
		ThirdParty:      c.ThirdParty,
		Name:            c.Name,
		Description:     c.Description,
		SessionFor:      c.SessionFor.Microseconds(),
		RotateFor:       c.RotateFor.Microseconds(),
		UpdatedAt:       micros(c.UpdatedAt),
	}
	var err error
	for _, column := range []struct {
		text  *string
		value any
	}{
		{&p.Secrets, secrets}, {&p.RedirectUris, c.RedirectURIs}, {&p.Resources, c.Resources}, {&p.Claims, c.Claims}, {&p.Roles, c.Roles},
		{&p.Logout, clientLogout(c.Logout)},
	} {
		if *column.text, err = encode(column.value); err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
	}
	n, err := w.q.PutClient(w.ctx, p)
	if err == nil && n == 0 {
		return w.added(verb, n, nil)
	}
	return w.put(verb, err)
}
