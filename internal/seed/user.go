package seed

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"countersign/internal/auth"
)

// users reads the people of one tenant and whom they act for.
type users struct {
	*reader
	tenant *auth.TenantSetup
	scope  string // sets this tenant's values apart from those of others
}

// scopeOf returns a name for the tenant at n that no other tenant of the file has, even when its id is missing or wrong.
func scopeOf(n *yaml.Node) string { return fmt.Sprintf("%d:%d ", n.Line, n.Column) }

const (
	digits        = `^[0-9]{1,18}$`
	digitsAllowed = "1 to 18 decimal digits, in quotes"
)

func (u *users) identity(n *yaml.Node) (i auth.Identity) {
	u.object(n, "identity",
		need("type", choice(u.reader, "identity type", &i.Ref.Type, auth.Consumer, auth.Corporate)),
		need("id", func(n *yaml.Node) {
			match(u.reader, "identity id", &i.Ref.ID, digits, digitsAllowed)(n)
			if i.Ref.Type != "" && i.Ref.ID != "" {
				u.unique(n, u.scope+"identity", i.Ref.String(), "the identity "+i.Ref.String())
			}
		}),
		need("name", text(u.reader, "identity name", &i.Name)),
		may("profile_id", match(u.reader, "profile_id", &i.Profile, digits, digitsAllowed)),
		may("diligence", choice(u.reader, "diligence", &i.Diligence, auth.DiligencePending, auth.DiligenceApproved, auth.DiligenceRejected)),
		may("domains", u.ofCorporate(&i, "domains", list(u.reader, "domains", &i.Organization.Domains, u.domain))),
		may("apps", u.ofCorporate(&i, "apps", func(n *yaml.Node) {
			i.Organization.Limited = true
			list(u.reader, "apps", &i.Organization.Apps, u.app)(n)
			slices.Sort(i.Organization.Apps)
		})),
		may("alias", u.ofCorporate(&i, "alias", text(u.reader, "alias", &i.Organization.Alias))),
	)
	return i
}

// ofCorporate reads what only an organization has.
func (u *users) ofCorporate(i *auth.Identity, what string, read func(*yaml.Node)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if i.Ref.Type != auth.Corporate {
			u.fail(n.Line, "identity: found %s of a consumer; allowed: with type CORPORATE", what)
			return
		}
		read(n)
	}
}

// domain reads one of the e-mail addresses of an organization, which is no other's in the tenant.
func (u *users) domain(n *yaml.Node) string {
	var raw string
	text(u.reader, "domain", &raw)(n)
	if raw == "" {
		return ""
	}
	domain, ok := auth.CanonicalDomain(raw)
	if !ok {
		u.fail(n.Line, "domain: found %s; allowed: a domain such as acme.example", quote(raw))
		return ""
	}
	u.unique(n, u.scope+"domain", domain, "the domain "+quote(domain))
	return domain
}

// app reads the id of an application of the tenant: the app_id of a client, or else its id.
func (u *users) app(n *yaml.Node) string {
	var id string
	text(u.reader, "app", &id)(n)
	known := slices.ContainsFunc(u.tenant.Clients, func(c auth.ClientSetup) bool {
		return c.Kind == auth.ClientApplication && (c.AppID == id || c.AppID == "" && string(c.ID) == id)
	})
	if id != "" && !known {
		u.fail(n.Line, "app: found %s, which is the app_id of no client of kind application", quote(id))
	}
	return id
}

func (u *users) user(n *yaml.Node) (p auth.UserSetup) {
	acts := make(map[auth.IdentityRef]int)
	given := u.object(n, "user",
		may("id", func(n *yaml.Node) {
			match(u.reader, "user id", &p.ID, digits, digitsAllowed)(n)
			if p.ID != "" {
				u.unique(n, u.scope+"user", string(p.ID), "the user "+string(p.ID))
			}
		}),
		may("name", text(u.reader, "name", &p.FirstName)),
		may("surname", text(u.reader, "surname", &p.LastName)),
		may("email", u.identifier(auth.ByEmail, "email", &p.Email, "an e-mail address")),
		may("email_verified", u.flag("email_verified", &p.EmailVerified)),
		may("username", u.identifier(auth.ByUsername, "username", &p.Username, "a username without spaces")),
		may("phone", u.identifier(auth.ByPhone, "phone", &p.Phone, "a phone number in E.164 form, as +35699111111")),
		may("phone_verified", u.flag("phone_verified", &p.PhoneVerified)),
		may("suspended", u.flag("suspended", &p.Suspended)),
		may("password", func(n *yaml.Node) { p.Password = u.password(n) }),
		may("root_of", list(u.reader, "root_of", &p.RootOf, u.ref("root_of", acts))),
		may("user_of", list(u.reader, "user_of", &p.UserOf, u.ref("user_of", acts))),
		may("roles", list(u.reader, "roles", &p.Roles, u.role)),
		may("authenticators", list(u.reader, "authenticators", &p.Authenticators, u.authenticator(&p))),
	)
	if given != nil && given["email"] == nil && given["username"] == nil && given["phone"] == nil {
		u.fail(n.Line, "user: found no email, username or phone; at least one is needed")
	}
	return p
}

// role reads what a user may do for the identities of user_of.
func (u *users) role(n *yaml.Node) (role auth.Role) {
	choice(u.reader, "role", &role, auth.RoleAdmin, auth.RoleAccessManagement, auth.RoleCardsManagement, auth.RoleFundsManagement,
		auth.RoleCardAssignee)(n)
	return role
}

// identifier reads what a person types to say who they are. Whether two are the
// same, and whether one is well formed, is the domain's to say.
func (u *users) identifier(kind auth.IdentifierKind, what string, dst *string, allowed string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		text(u.reader, what, dst)(n)
		if *dst == "" {
			return
		}
		canonical, err := auth.Canonical(kind, *dst)
		if err != nil {
			u.fail(n.Line, "%s: found %s; allowed: %s", what, quote(*dst), allowed)
			return
		}
		u.unique(n, u.scope+what, canonical, "the "+what+" "+quote(*dst))
	}
}

// ref reads TYPE:ID, which must name an identity of the tenant that the user does not act for yet.
func (u *users) ref(what string, acts map[auth.IdentityRef]int) func(*yaml.Node) auth.IdentityRef {
	return func(n *yaml.Node) auth.IdentityRef {
		s, ok := u.scalar(n, what, "an identity as CONSUMER:ID or CORPORATE:ID")
		if !ok {
			return auth.IdentityRef{}
		}
		ref, ok := auth.ParseIdentityRef(s)
		_, known := u.once[u.scope+"identity\x00"+ref.String()]
		first, twice := acts[ref]
		switch {
		case !ok:
			u.fail(n.Line, "%s: found %s; allowed: an identity as CONSUMER:ID or CORPORATE:ID", what, quote(s))
		case !known:
			u.fail(n.Line, "%s: found %s, which is not among the identities; allowed: %s", what, s, u.identities())
		case twice:
			u.fail(n.Line, "%s: found %s again; this user has it on line %d already", what, s, first)
		default:
			acts[ref] = n.Line
		}
		return ref
	}
}

// identities lists what a reference may name.
func (u *users) identities() string {
	const most = 10
	var names []string
	for _, i := range u.tenant.Identities {
		if i.Ref.Type == "" || i.Ref.ID == "" {
			continue // refused on its own line
		}
		if len(names) == most {
			names = append(names, "…")
			break
		}
		names = append(names, i.Ref.String())
	}
	if names == nil {
		return "none, for the tenant has no identities"
	}
	return strings.Join(names, ", ")
}

func (u *users) password(n *yaml.Node) *auth.PasswordSetup {
	var p auth.PasswordSetup
	given := u.object(n, "password",
		may("value", text(u.reader, "password value", &p.Value)),
		may("hash", text(u.reader, "password hash", &p.Hash)),
		may("expired", u.flag("expired", &p.Expired)),
		may("temporary", u.flag("temporary", &p.Temporary)),
	)
	switch value, hash := given["value"], given["hash"]; {
	case given == nil:
	case value != nil && hash != nil:
		u.fail(hash.Line, "password: found value and hash; allowed: one of them")
	case value == nil && hash == nil:
		u.fail(n.Line, "password: found neither value nor hash; one is needed")
	}
	return &p
}

// authenticator reads something that is already bound to p.
func (u *users) authenticator(p *auth.UserSetup) func(*yaml.Node) auth.AuthenticatorSetup {
	lines := make(map[auth.AuthenticatorSetup]int)
	return func(n *yaml.Node) (a auth.AuthenticatorSetup) {
		given := u.object(n, "authenticator",
			need("kind", choice(u.reader, "authenticator kind", &a.Kind, auth.AuthenticatorSMS, auth.AuthenticatorDevice)),
			may("channel", choice(u.reader, "channel", &a.Channel, auth.ChannelBiometric, auth.ChannelAuthy)),
			may("simulated", u.flag("simulated", &a.Simulated)),
		)
		switch {
		case a.Kind == auth.AuthenticatorSMS && p.Phone == "":
			u.fail(n.Line, "authenticator: found kind sms for a user without phone; a phone is needed")
		case a.Kind == auth.AuthenticatorSMS && given["channel"] != nil:
			u.fail(given["channel"].Line, "authenticator: found a channel with kind sms; allowed: with kind device")
		case a.Kind == auth.AuthenticatorDevice && given["channel"] == nil:
			u.fail(n.Line, "authenticator: found kind device without channel; allowed: BIOMETRIC, AUTHY")
		case a.Simulated && (a.Kind != auth.AuthenticatorDevice || u.tenant.Tenant.Mode != auth.ModeSandbox):
			u.fail(given["simulated"].Line, "authenticator: found simulated: true; allowed: with kind device, in mode sandbox")
		}
		key := auth.AuthenticatorSetup{Kind: a.Kind, Channel: a.Channel}
		if first, twice := lines[key]; twice {
			u.fail(n.Line, "authenticator: found another of the same kind and channel; this user has it on line %d already", first)
		} else if given != nil {
			lines[key] = n.Line
		}
		return a
	}
}
