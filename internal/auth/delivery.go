package auth

import (
	"context"
	"slices"
)

// Deliveries lists what a tenant's webhook and its clients were told or are to be told, newest first, at most n; an empty status does not filter; an
// operator's. Of its content only where it goes is left, and nothing is once it was delivered (security A-126). Error: ErrNotFound
// for the tenant.
func (s *Service) Deliveries(ctx context.Context, t TenantID, status ParcelStatus, n int) ([]Delivery, error) {
	if !slices.ContainsFunc(s.Tenants(), func(have Tenant) bool { return have.ID == t }) {
		return nil, ErrNotFound
	}
	var parcels []Parcel
	f := ParcelFilter{Tenant: t, Kinds: []ParcelKind{ParcelWebhook, ParcelLogout}, Status: status}
	if err := s.store.View(ctx, func(r Reads) (err error) { parcels, err = r.Parcels(f, n); return err }); err != nil {
		return nil, err
	}
	all := make([]Delivery, len(parcels))
	for i, p := range parcels {
		var news News
		var out LogoutNotice
		switch {
		case len(p.Sealed) == 0:
		case p.Kind == ParcelLogout && s.open(p, &out) == nil:
			all[i].Logout = &LogoutNotice{Client: out.Client}
		case p.Kind == ParcelWebhook && s.open(p, &news) == nil:
			all[i].News = &News{Kind: news.Kind, Identity: news.Identity}
		}
		p.Sealed = nil
		all[i].Parcel = p
	}
	return all, nil
}
