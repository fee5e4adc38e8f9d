package auth

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Logo is the image of an organization that was uploaded (contract/cis §1.7). Its address is a secret of its own and names nobody; the image
// is for everybody who has that.
type Logo struct {
	Tenant       TenantID
	Organization string
	ID           string // in its address, for this image alone
	URI          string // as CheckLogo wants it
	CreatedAt    time.Time
}

// logoPath is what the id of a logo stands behind.
const logoPath = "/cis/v1/organization-logos/"

// SetOrganizationLogo gives an organization an image, in the place of the one it had, whose address is good no more; and its logo_url the
// address.
//
// Errors: CodeUnknownClient, CodeClientRefused, CodeNotFound, CodeValueInvalid.
func (s *Service) SetOrganizationLogo(ctx context.Context, by Actor, id, uri string) (Managed, error) {
	if err := s.manages(by); err != nil {
		return Managed{}, err
	}
	if err := CheckLogo(uri); err != nil {
		return Managed{}, &Error{Code: CodeValueInvalid, Field: "logo", Cause: err}
	}
	return s.editOrganization(ctx, by, id, func(tx Tx, i *Identity, now time.Time) (*Error, error) {
		l := Logo{Tenant: by.Tenant, Organization: id, ID: randomText(16), URI: uri, CreatedAt: now}
		i.Organization.LogoURL = s.publicURL + logoPath + l.ID
		return nil, tx.PutLogo(l)
	})
}

// OrganizationLogo finds an image by the id in its address, with its media type: bytes of a PNG or JPEG, in base64.
//
// Error: CodeNotFound.
func (s *Service) OrganizationLogo(ctx context.Context, id string) (media, encoded string, err error) {
	var l Logo
	err = s.store.View(ctx, func(r Reads) (err error) { l, err = r.Logo(id); return err })
	if errors.Is(err, ErrNotFound) {
		err = refuse(CodeNotFound)
	}
	head, encoded, _ := strings.Cut(l.URI, ";base64,")
	return strings.TrimPrefix(head, "data:"), encoded, err
}
