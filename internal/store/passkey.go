package store

import (
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// Passkey implements auth.Reads.
func (r reads) Passkey(t auth.TenantID, id string) (auth.Passkey, error) {
	const verb = "read passkey"
	rows, err := r.q.Passkey(r.ctx, sqlc.PasskeyParams{TenantID: string(t), ID: id})
	row, err := one(r, verb, rows, err)
	if err != nil {
		return auth.Passkey{}, err
	}
	return passkey(row)
}

// PasskeysOf implements auth.Reads.
func (r reads) PasskeysOf(t auth.TenantID, id auth.UserID) ([]auth.Passkey, error) {
	rows, err := r.q.PasskeysOf(r.ctx, sqlc.PasskeysOfParams{TenantID: string(t), UserID: string(id)})
	return list(r, "list passkeys", rows, err, passkey)
}

// PasskeysNamed implements auth.Reads.
func (r reads) PasskeysNamed(t auth.TenantID, name string, n int) ([]auth.Passkey, error) {
	rows, err := r.q.PasskeysNamed(r.ctx, sqlc.PasskeysNamedParams{TenantID: string(t), Name: name, N: limit(n)})
	return list(r, "list passkeys by name", rows, err, passkey)
}

func passkey(row sqlc.Passkey) (auth.Passkey, error) {
	p := auth.Passkey{
		Tenant:         auth.TenantID(row.TenantID),
		ID:             row.ID,
		User:           auth.UserID(row.UserID),
		Version:        row.Version,
		Username:       row.Username,
		Name:           row.Name,
		Label:          row.Label,
		Handle:         orNil(row.Handle),
		Public:         orNil(row.Public),
		AAGUID:         row.Aaguid,
		Attachment:     row.Attachment,
		Site:           row.Site,
		Client:         auth.ClientID(row.ClientID),
		Counter:        row.Counter,
		Verified:       row.Verified,
		BackupEligible: row.BackupEligible,
		BackedUp:       row.BackedUp,
		CreatedAt:      moment(row.CreatedAt),
		UsedAt:         moment(row.UsedAt),
	}
	return p, decode(row.Transports, &p.Transports)
}

// AddPasskey implements auth.Writes.
func (w writes) AddPasskey(p auth.Passkey) error {
	transports, err := encode(p.Transports)
	if err != nil {
		return err
	}
	n, err := w.q.AddPasskey(w.ctx, sqlc.AddPasskeyParams{
		TenantID:       string(p.Tenant),
		ID:             p.ID,
		UserID:         string(p.User),
		Version:        p.Version,
		Username:       p.Username,
		Name:           p.Name,
		Label:          p.Label,
		Handle:         blob(p.Handle),
		Public:         blob(p.Public),
		Aaguid:         p.AAGUID,
		Attachment:     p.Attachment,
		Transports:     transports,
		Site:           p.Site,
		ClientID:       string(p.Client),
		Counter:        p.Counter,
		Verified:       p.Verified,
		BackupEligible: p.BackupEligible,
		BackedUp:       p.BackedUp,
		CreatedAt:      micros(p.CreatedAt),
		UsedAt:         micros(p.UsedAt),
	})
	return w.added("add passkey", n, err)
}

// PutPasskey implements auth.Writes. It stays its user's, and its key the same.
func (w writes) PutPasskey(p auth.Passkey, from int64) (bool, error) {
	n, err := w.q.SwapPasskey(w.ctx, sqlc.SwapPasskeyParams{
		TenantID:    string(p.Tenant),
		ID:          p.ID,
		Version:     p.Version,
		Label:       p.Label,
		Counter:     p.Counter,
		Verified:    p.Verified,
		BackedUp:    p.BackedUp,
		UsedAt:      micros(p.UsedAt),
		FromVersion: from,
	})
	return n > 0, w.h.fail(w.ctx, "put passkey", err)
}

// DropPasskey implements auth.Writes.
func (w writes) DropPasskey(t auth.TenantID, id string) (bool, error) {
	const verb = "drop passkey"
	err := w.q.DropAttemptsOf(w.ctx, sqlc.DropAttemptsOfParams{TenantID: string(t), Subject: string(auth.PasskeySubject(id))})
	if err != nil {
		return false, w.h.fail(w.ctx, verb, err)
	}
	n, err := w.q.DropPasskey(w.ctx, sqlc.DropPasskeyParams{TenantID: string(t), ID: id})
	return n > 0, w.h.fail(w.ctx, verb, err)
}

// Ceremony implements auth.Reads.
func (r reads) Ceremony(t auth.TenantID, id auth.CeremonyID) (auth.Ceremony, error) {
	rows, err := r.q.Ceremony(r.ctx, sqlc.CeremonyParams{TenantID: string(t), ID: string(id)})
	row, err := one(r, "read ceremony", rows, err)
	if err != nil {
		return auth.Ceremony{}, err
	}
	c := auth.Ceremony{
		Tenant:    auth.TenantID(row.TenantID),
		ID:        auth.CeremonyID(row.ID),
		Purpose:   auth.CeremonyPurpose(row.Purpose),
		Client:    auth.ClientID(row.ClientID),
		Username:  row.Username,
		Name:      row.Name,
		Handle:    orNil(row.Handle),
		Challenge: orNil(row.Challenge),
		Site:      row.Site,
		Approval:  row.Approval,
		CreatedAt: moment(row.CreatedAt),
		ExpiresAt: moment(row.ExpiresAt),
		UsedAt:    moment(row.UsedAt),
	}
	return c, decode(row.Allowed, &c.Allowed)
}

// AddCeremony implements auth.Writes.
func (w writes) AddCeremony(c auth.Ceremony) error {
	allowed, err := encode(c.Allowed)
	if err != nil {
		return err
	}
	n, err := w.q.AddCeremony(w.ctx, sqlc.AddCeremonyParams{
		TenantID:  string(c.Tenant),
		ID:        string(c.ID),
		Purpose:   string(c.Purpose),
		ClientID:  string(c.Client),
		Username:  c.Username,
		Name:      c.Name,
		Handle:    blob(c.Handle),
		Challenge: blob(c.Challenge),
		Site:      c.Site,
		Allowed:   allowed,
		Approval:  c.Approval,
		CreatedAt: micros(c.CreatedAt),
		ExpiresAt: micros(c.ExpiresAt),
		UsedAt:    micros(c.UsedAt),
	})
	return w.added("add ceremony", n, err)
}

// UseCeremony implements auth.Writes.
func (w writes) UseCeremony(t auth.TenantID, id auth.CeremonyID, at time.Time) (bool, error) {
	n, err := w.q.UseCeremony(w.ctx, sqlc.UseCeremonyParams{TenantID: string(t), ID: string(id), At: micros(at)})
	return moved(w, "use ceremony", n, err, func() ([]string, error) {
		return w.q.HasCeremony(w.ctx, sqlc.HasCeremonyParams{TenantID: string(t), ID: string(id)})
	})
}
