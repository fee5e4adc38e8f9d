package auth

import (
	"slices"
	"strings"

	"countersign/internal/jose"
)

// RequestableClaims lists the claims that a client may ask for beyond those always present (contract/cis §2.5).
func RequestableClaims() []string {
	return []string{
		"fname", "mname", "lname", "webauthn", "webauthn_username", "new_user", "groups", "roles", "role_values", "permissions",
		"email", "email_verified", "phone_number", "phone_number_verified", "username", "secondary_phone_numbers", "secondary_emails",
		"birthday", "address", "address_type", "street_address", "city", "country", "picture", "language", "created_at", "last_auth",
		"external_account_id", "external_user_id", "app_name", "custom_data", "custom_app_data", "custom_group_data", "approval_data",
		"organization",
	}
}

// ClaimRequest asks for one claim; Fields, of custom_data and custom_app_data alone, for some members of it (contract/cis §2.5).
type ClaimRequest struct {
	Name   string
	Fields []string
}

// String is the form in which a refresh token remembers a request: the name, and then its fields, each behind a unit separator.
func (r ClaimRequest) String() string {
	return strings.Join(append([]string{r.Name}, r.Fields...), "\x1f")
}

func parseClaimRequest(s string) ClaimRequest {
	parts := strings.Split(s, "\x1f")
	return ClaimRequest{parts[0], parts[1:]}
}

func customClaim(object string, fields []string) (any, bool) {
	if len(fields) > 0 {
		return jose.RawFields(object, fields...), object != ""
	}
	return jose.Raw(object), object != ""
}

// claim returns the value of a requestable claim; ok is false when the user has none, and then the token lacks it (OIDC Core §5.5.1).
func (i issuance) claim(c *Client, name string, fields []string) (value any, ok bool) {
	u, p := i.user, i.user.Profile
	switch name {
	case "email_verified":
		return !u.EmailVerifiedAt.IsZero(), u.Email != ""
	case "phone_number_verified":
		return !u.PhoneVerifiedAt.IsZero(), u.Phone != ""
	case "created_at":
		return u.CreatedAt.UnixMilli(), true
	case "last_auth":
		return i.lastAuth.UnixMilli(), !i.lastAuth.IsZero()
	case "secondary_emails":
		return secondary(p.SecondaryEmails, "email_verified"), true
	case "secondary_phone_numbers":
		return secondary(p.SecondaryPhones, "phone_number_verified"), true
	case "address":
		return p.Address.claim(), p.Address != Address{}
	case "custom_data":
		return customClaim(p.CustomData, fields)
	case "custom_app_data":
		return customClaim(p.CustomAppData, fields)
	case "groups":
		return []string{}, true
	case "roles":
		return slices.Concat(i.own.ids, i.roles()), true
	case "role_values":
		return slices.Concat(i.own.names, i.roles()), true
	case "permissions":
		return i.own.permissions, true
	case "webauthn":
		return slices.ContainsFunc(i.session.Methods, func(m Method) bool { return m.amr() == string(MethodPasskey) }), true
	case "new_user":
		return false, true
	}
	text := i.textClaim(c, name)
	return text, text != ""
}

func (i issuance) textClaim(c *Client, name string) string {
	u, p := i.user, i.user.Profile
	switch name {
	case "fname":
		return p.FirstName
	case "mname":
		return p.MiddleName
	case "lname":
		return p.LastName
	case "email":
		return u.Email
	case "phone_number":
		return u.Phone
	case "username":
		return u.Username
	case "webauthn_username":
		return i.username
	case "birthday":
		return p.Birthday
	case "address_type":
		return p.Address.Type
	case "street_address":
		return p.Address.Street
	case "city":
		return p.Address.City
	case "country":
		return p.Address.Country
	case "picture":
		return p.Picture
	case "language":
		return p.Language
	case "external_account_id":
		return p.ExternalAccountID
	case "external_user_id":
		return p.ExternalUserID
	case "app_name":
		return c.AppName
	case "organization":
		return i.session.Org.ID
	}
	return ""
}

func secondary(values []string, verified string) []map[string]any {
	list := make([]map[string]any, 0, len(values))
	for _, v := range values {
		list = append(list, map[string]any{"value": v, verified: false})
	}
	return list
}

func (a Address) claim() map[string]any {
	claim := map[string]any{}
	for name, v := range map[string]string{
		"country": a.Country, "state": a.State, "city": a.City, "street_address": a.Street, "postal_code": a.PostalCode, "type": a.Type,
	} {
		if v != "" {
			claim[name] = v
		}
	}
	return claim
}

// requestable keeps the requests for claims that may be asked for; OIDC Core §5.5 lets a provider ignore the others.
func requestable(requests []ClaimRequest) []string {
	known := RequestableClaims()
	var kept []string
	for _, r := range requests {
		if slices.Contains(known, r.Name) {
			slices.Sort(r.Fields)
			kept = append(kept, r.String())
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

// named asks for whole claims.
func named(names []string) []ClaimRequest {
	requests := make([]ClaimRequest, len(names))
	for i, n := range names {
		requests[i].Name = n
	}
	return requests
}
