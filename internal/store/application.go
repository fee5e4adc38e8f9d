package store

import (
	"errors"
	"fmt"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

func application(row sqlc.Application) (auth.Application, error) {
	a := auth.Application{
		Tenant:      auth.TenantID(row.TenantID),
		ID:          auth.AppID(row.ID),
		Name:        row.Name,
		Description: row.Description,
		Logo:        row.Logo,
		LoginURI:    row.LoginUri,
		InviteURI:   row.InviteUri,
		CreatedBy:   auth.ClientID(row.CreatedBy),
		CreatedAt:   moment(row.CreatedAt),
		UpdatedAt:   moment(row.UpdatedAt),
	}
	var o appOptions
	var m methods
	err := errors.Join(decode(row.Roles, &a.Roles), decode(row.Options, &o), decode(row.Methods, &m))
	a.Keeps, a.Methods = auth.RefreshKeeping{OnSuspension: o.KeepsOnSuspension, OnRoles: o.KeepsOnRoles}, m.auth()
	return a, err
}

// appOptions are settings of an application as JSON.
type appOptions struct {
	KeepsOnSuspension bool `json:"keeps_on_suspension,omitzero"`
	KeepsOnRoles      bool `json:"keeps_on_roles,omitzero"`
}

// PutApplication implements auth.Writes.
func (w writes) PutApplication(a auth.Application) error {
	roles, err := encode(a.Roles)
	if err != nil {
		return fmt.Errorf("put application: %w", err)
	}
	options, err := encode(appOptions{a.Keeps.OnSuspension, a.Keeps.OnRoles})
	if err != nil {
		return fmt.Errorf("put application: %w", err)
	}
	ways, err := encode(toMethods(a.Methods))
	if err != nil {
		return fmt.Errorf("put application: %w", err)
	}
	return w.put("put application", w.q.PutApplication(w.ctx, sqlc.PutApplicationParams{
		TenantID:    string(a.Tenant),
		ID:          string(a.ID),
		Name:        a.Name,
		Description: a.Description,
		Logo:        a.Logo,
		LoginUri:    a.LoginURI,
		InviteUri:   a.InviteURI,
		CreatedBy:   string(a.CreatedBy),
		CreatedAt:   micros(a.CreatedAt),
		UpdatedAt:   micros(a.UpdatedAt),
		Roles:       roles,
		Options:     options,
		Methods:     ways,
	}))
}

// DropApplication implements auth.Writes.
func (w writes) DropApplication(t auth.TenantID, id auth.AppID) (bool, error) {
	n, err := w.q.DropApplication(w.ctx, sqlc.DropApplicationParams{TenantID: string(t), ID: string(id)})
	return n > 0, w.put("drop application", err)
}
