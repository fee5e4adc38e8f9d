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
