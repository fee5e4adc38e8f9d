package store

import (
	"fmt"
	"time"

	"countersign/internal/auth"
	"countersign/internal/jose"
	"countersign/internal/store/sqlc"
)

func device(row sqlc.Device) (auth.Device, error) {
	key, err := jose.ParsePublic(row.PublicKey)
	return auth.Device{
		ID:          auth.DeviceID(row.ID),
		Tenant:      auth.TenantID(row.TenantID),
		User:        auth.UserID(row.UserID),
		Version:     row.Version,
		Name:        row.Name,
		Key:         key,
		Push:        orNil(row.Push),
		PIN:         row.Pin,
		Certificate: row.Certificate,
		Status:      auth.DeviceStatus(row.Status),
		Failures:    int(row.Failures),
		BoundAt:     moment(row.BoundAt),
		UsedAt:      moment(row.UsedAt),
		EndedAt:     moment(row.EndedAt),
		Passkey: auth.DevicePasskey{
			ID: row.PasskeyID, Public: orNil(row.PasskeyPublic), Site: row.PasskeySite, Counter: row.PasskeyCounter,
			BackupEligible: row.PasskeyBackupEligible,
		},
	}, err
}

// Device implements auth.Reads.
func (r reads) Device(id auth.DeviceID) (auth.Device, error) {
	const verb = "read device"
	rows, err := r.q.Device(r.ctx, string(id))
	row, err := one(r, verb, rows, err)
	if err != nil {
		return auth.Device{}, err
	}
	d, err := device(row)
	if err != nil {
		return auth.Device{}, fmt.Errorf("%s: %w", verb, err)
	}
	return d, nil
}

// Devices implements auth.Reads.
func (r reads) Devices(t auth.TenantID, id auth.UserID) ([]auth.Device, error) {
	rows, err := r.q.Devices(r.ctx, sqlc.DevicesParams{TenantID: string(t), UserID: string(id)})
	return list(r, "list devices", rows, err, device)
}

// AddDevice implements auth.Writes.
func (w writes) AddDevice(d auth.Device) error {
	n, err := w.q.AddDevice(w.ctx, sqlc.AddDeviceParams{
		ID:          string(d.ID),
		TenantID:    string(d.Tenant),
		UserID:      string(d.User),
		Name:        d.Name,
		PublicKey:   d.Key.String(),
		Push:        blob(d.Push),
		Certificate: d.Certificate,
		Status:      string(d.Status),
		Failures:    int64(d.Failures),
		BoundAt:     micros(d.BoundAt),
		UsedAt:      micros(d.UsedAt),
		EndedAt:     micros(d.EndedAt),
		Pin:         d.PIN,

		PasskeyID:             d.Passkey.ID,
		PasskeyPublic:         blob(d.Passkey.Public),
		PasskeySite:           d.Passkey.Site,
		PasskeyCounter:        d.Passkey.Counter,
		PasskeyBackupEligible: d.Passkey.BackupEligible,
	})
	return w.added("add device", n, err)
}

// PutDevice implements auth.Writes.
func (w writes) PutDevice(d auth.Device, from int64) (bool, error) {
	const verb = "put device"
	n, err := w.q.PutDevice(w.ctx, sqlc.PutDeviceParams{
		ID:             string(d.ID),
		TenantID:       string(d.Tenant),
		Version:        d.Version,
		Name:           d.Name,
		Push:           blob(d.Push),
		Pin:            d.PIN,
		Status:         string(d.Status),
		Failures:       int64(d.Failures),
		UsedAt:         micros(d.UsedAt),
		EndedAt:        micros(d.EndedAt),
		PasskeyCounter: d.Passkey.Counter,
		FromVersion:    from,
	})
	return moved(w, verb, n, err, func() ([]string, error) {
		return w.q.HasDevice(w.ctx, sqlc.HasDeviceParams{ID: string(d.ID), TenantID: string(d.Tenant)})
	})
}

// Ticket implements auth.Reads.
func (r reads) Ticket(hash auth.TokenHash) (auth.Ticket, error) {
	rows, err := r.q.Ticket(r.ctx, hash[:])
	row, err := one(r, "read ticket", rows, err)
	if err != nil {
		return auth.Ticket{}, err
	}
	return auth.Ticket{
		Hash:      hash,
		Tenant:    auth.TenantID(row.TenantID),
		User:      auth.UserID(row.UserID),
		Session:   auth.SessionID(row.SessionID),
		CreatedAt: moment(row.CreatedAt),
		ExpiresAt: moment(row.ExpiresAt),
		UsedAt:    moment(row.UsedAt),
	}, nil
}

// AddTicket implements auth.Writes.
func (w writes) AddTicket(t auth.Ticket) error {
	_, err := w.q.UseTicketsOf(w.ctx, sqlc.UseTicketsOfParams{At: micros(t.CreatedAt), TenantID: string(t.Tenant), UserID: string(t.User)})
	if err != nil {
		return w.h.fail(w.ctx, "void tickets", err)
	}
	n, err := w.q.AddTicket(w.ctx, sqlc.AddTicketParams{
		Hash:      t.Hash[:],
		TenantID:  string(t.Tenant),
		UserID:    string(t.User),
		SessionID: string(t.Session),
		CreatedAt: micros(t.CreatedAt),
		ExpiresAt: micros(t.ExpiresAt),
	})
	return w.added("add ticket", n, err)
}

// UseTicket implements auth.Writes.
func (w writes) UseTicket(hash auth.TokenHash, at time.Time) (bool, error) {
	n, err := w.q.UseTicket(w.ctx, sqlc.UseTicketParams{At: micros(at), Hash: hash[:]})
	return moved(w, "use ticket", n, err, func() ([][]byte, error) { return w.q.HasTicket(w.ctx, hash[:]) })
}

// Approval implements auth.Reads.
func (r reads) Approval(t auth.TenantID, id auth.ChallengeID) (auth.Approval, error) {
	rows, err := r.q.Approval(r.ctx, sqlc.ApprovalParams{TenantID: string(t), ChallengeID: string(id)})
	row, err := one(r, "read approval", rows, err)
	if err != nil {
		return auth.Approval{}, err
	}
	return auth.Approval{
		Tenant:      auth.TenantID(row.TenantID),
		Challenge:   auth.ChallengeID(row.ChallengeID),
		User:        auth.UserID(row.UserID),
		Device:      auth.DeviceID(row.DeviceID),
		Decision:    auth.Decision(row.Decision),
		Answer:      row.Answer,
		Assertion:   auth.DeviceAssertion{ClientData: row.ClientData, Authenticator: row.AuthenticatorData, Signature: row.Signature},
		Certificate: row.Certificate,
		Event:       auth.EventID(row.EventID),
		AnsweredAt:  moment(row.AnsweredAt),
	}, nil
}

// AddApproval implements auth.Writes.
func (w writes) AddApproval(a auth.Approval) error {
	n, err := w.q.AddApproval(w.ctx, sqlc.AddApprovalParams{
		TenantID:    string(a.Tenant),
		ChallengeID: string(a.Challenge),
		UserID:      string(a.User),
		DeviceID:    string(a.Device),
		Decision:    string(a.Decision),
		Answer:      a.Answer,
		Certificate: a.Certificate,
		EventID:     string(a.Event),
		AnsweredAt:  micros(a.AnsweredAt),

		ClientData:        a.Assertion.ClientData,
		AuthenticatorData: a.Assertion.Authenticator,
		Signature:         a.Assertion.Signature,
	})
	return w.added("add approval", n, err)
}
