package auth

import "context"

// AppMethods returns an application's own rules of how its users prove themselves (contract/cis §1.8).
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound.
func (s *Service) AppMethods(ctx context.Context, by Actor, id AppID) (Methods, error) {
	state, err := s.Application(ctx, by, id)
	return state.Methods.clone(), err
}

// ChangeAppMethods changes them. What follows holds for the next request on every node. change may be called more than once; its error is
// returned.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeAppNotFound, CodeValueInvalid.
func (s *Service) ChangeAppMethods(ctx context.Context, by Actor, id AppID, change func(*Methods) error) (Methods, error) {
	now := s.now()
	var out Methods
	err := s.administer(ctx, by, func(tx Tx, d *directory) (Event, error) {
		present := d.apps[appRef{by.Tenant, id}]
		if present == nil {
			return Event{}, refuse(CodeAppNotFound)
		}
		a := *present
		a.Methods = a.Methods.clone()
		if err := change(&a.Methods); err != nil {
			return Event{}, err
		}
		if err := a.Methods.check(); err != nil {
			return Event{}, err
		}
		a.UpdatedAt, out = now, a.Methods
		e := s.note(by, EventAppChanged, string(id), now)
		e.Reason = "login preferences"
		return e, tx.PutApplication(a)
	})
	return out, err
}

// SetAppMethods puts other rules in the place of an application's own; an operator's. Where they say nothing the tenant's Settings hold again.
//
// Errors: ErrNotFound, CodeValueInvalid.
func (s *Service) SetAppMethods(ctx context.Context, t TenantID, id AppID, m Methods) error {
	if err := m.check(); err != nil {
		return err
	}
	return s.operate(ctx, t, EventAppChanged, id, func(tx Tx, d Directory) error {
		a, ok := d.application(t, id)
		if !ok {
			return ErrNotFound
		}
		a.Methods, a.UpdatedAt = m, s.now()
		return tx.PutApplication(a)
	})
}

// application finds an application, which may be but a name that its clients give.
func (d Directory) application(t TenantID, id AppID) (Application, bool) {
	for _, a := range d.Applications {
		if a.Tenant == t && a.ID == id {
			return a, true
		}
	}
	for _, c := range d.Clients {
		if c.Tenant == t && c.AppID == id && c.Kind == ClientApplication && c.DisabledAt.IsZero() {
			return Application{Tenant: t, ID: id, Name: c.AppName, CreatedAt: c.CreatedAt}, true
		}
	}
	return Application{}, false
}
