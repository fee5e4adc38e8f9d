package seed

import (
	"time"

	"go.yaml.in/yaml/v3"

	"countersign/internal/auth"
)

func (r *reader) setup(n *yaml.Node) auth.Setup {
	var s auth.Setup
	given := r.object(n, "the file", need("tenants", list(r, "tenants", &s.Tenants, r.tenant)))
	if tenants := given["tenants"]; tenants != nil && tenants.Kind == yaml.SequenceNode && len(tenants.Content) == 0 {
		r.fail(tenants.Line, "tenants: found an empty list; at least one tenant is needed")
	}
	return s
}

func (r *reader) tenant(n *yaml.Node) auth.TenantSetup {
	t := auth.TenantSetup{Tenant: auth.Tenant{Settings: auth.DefaultSettings()}}
	u := users{reader: r, tenant: &t, scope: scopeOf(n)}
	r.object(n, "tenant",
		need("id", func(n *yaml.Node) {
			match(r, "tenant id", &t.Tenant.ID, `^[a-z0-9][a-z0-9-]{0,62}$`,
				"1 to 63 of a-z, 0-9 and -, not starting with -")(n)
			if id := string(t.Tenant.ID); id != "" {
				r.unique(n, "tenant", id, "the tenant "+id)
			}
		}),
		may("name", text(r, "tenant name", &t.Tenant.Name)),
		need("mode", choice(r, "mode", &t.Tenant.Mode, auth.ModeLive, auth.ModeSandbox)),
		may("settings", func(n *yaml.Node) { r.settings(n, &t.Tenant.Settings) }),
		may("api_keys", list(r, "api_keys", &t.APIKeys, r.apiKey)),
		may("programme_keys", list(r, "programme_keys", &t.ProgrammeKeys, r.programmeKey)),
		may("webhook", func(n *yaml.Node) {
			r.object(n, "webhook", need("url", func(n *yaml.Node) {
				r.uri("webhook url", &t.Tenant.Webhook.URL, "http", "https")(n)
				if to := t.Tenant.Webhook.URL; to != "" {
					if err := auth.CheckReceiver(to); err != nil {
						r.fail(n.Line, "webhook url: found text of another form; it %v", err)
					}
				}
			}))
		}),
		may("applications", list(r, "applications", &t.Applications, u.application)),
		may("clients", list(r, "clients", &t.Clients, r.client)),
		may("identities", list(r, "identities", &t.Identities, u.identity)),
		may("users", list(r, "users", &t.Users, u.user)),
	)
	if t.Tenant.Name == "" {
		t.Tenant.Name = string(t.Tenant.ID)
	}
	return t
}

func (r *reader) settings(n *yaml.Node, s *auth.Settings) {
	r.object(n, "settings",
		may("password", func(n *yaml.Node) { r.policy(n, &s.Password) }),
		may("lockout", func(n *yaml.Node) { r.lockout(n, &s.Lockout) }),
		may("session", func(n *yaml.Node) { r.session(n, "session", &s.Session) }),
		may("backend_session", func(n *yaml.Node) { r.session(n, "backend_session", &s.BackendSession) }),
		may("browser_session", func(n *yaml.Node) { r.session(n, "browser_session", &s.BrowserSession) }),
		may("login_token", choice(r, "login_token", &s.LoginToken, auth.LoginTokenAuto, auth.LoginTokenAuth)),
		may("identities_reply", choice(r, "identities_reply", &s.IdentitiesReply, auth.IdentitiesArray, auth.IdentitiesPage)),
		may("rate_limits", r.flag("rate_limits", &s.RateLimits)),
		may("limits", func(n *yaml.Node) { r.limits(n, s) }),
		may("sms", func(n *yaml.Node) { r.sms(n, &s.SMS) }),
		may("reveal_accounts", r.flag("reveal_accounts", &s.RevealAccounts)),
		may("maintenance", r.flag("maintenance", &s.Maintenance)),
		may("password_grant", r.flag("password_grant", &s.PasswordGrant)),
		may("otp", func(n *yaml.Node) { r.otp(n, &s.OTP) }),
		may("passkey", func(n *yaml.Node) { r.passkey(n, &s.Passkey) }),
		may("push", func(n *yaml.Node) { r.push(n, &s.Push) }),
		may("channels", r.channels(&s.Channels)),
		may("step_up", func(n *yaml.Node) { r.object(n, "step_up", may("for", r.span("for", &s.StepUpFor, time.Second))) }),
		may("phone_countries", r.words("phone_countries", &s.PhoneCountries, `^[A-Z]{2}$`, "a country in two capitals, such as MT")),
		may("blocked_domains", r.words("blocked_domains", &s.BlockedDomains, `^[a-z0-9-]+(\.[a-z0-9-]+)+$`,
			"a domain in small letters, such as mail.example")),
		may("phone_changes", r.count("phone_changes", &s.PhoneChanges, 0, 1000)),
		may("email_every", r.span("email_every", &s.EmailEvery, 0)),
		may("multi_identity", r.flag("multi_identity", &s.MultiIdentity)),
		may("app_url", r.appURL(&s.AppURL)),
		may("login_page", func(n *yaml.Node) { r.theme(n, &s.Theme) }),
		may("issued_challenges", r.flag("issued_challenges", &s.IssuedOnly)),
	)
}

// policy reads a password policy: the name of a preset, or single settings that
// depart from the preset they name, else from the one in p.
func (r *reader) policy(n *yaml.Node, p *auth.PasswordPolicy) {
	if n.Kind != yaml.MappingNode {
		r.preset(n, p)
		return
	}
	const longest = 256 // in code points; 1,024 bytes of UTF-8, the longest input that is hashed
	r.object(n, "password",
		may("preset", func(n *yaml.Node) { r.preset(n, p) }),
		may("min_length", r.count("min_length", &p.MinLength, 1, longest)),
		may("max_length", r.count("max_length", &p.MaxLength, 1, longest)),
		may("level", r.count("level", &p.Level, 0, 5)),
		may("four_classes", r.flag("four_classes", &p.FourClasses)),
		may("history", r.count("history", &p.History, 0, 20)),
		may("block_list", r.flag("block_list", &p.BlockList)),
		may("expires_after", r.span("expires_after", &p.ExpiresAfter, time.Hour)),
		may("temporary_for", r.span("temporary_for", &p.TemporaryFor, time.Minute)),
	)
	if p.MinLength > p.MaxLength {
		r.fail(n.Line, "password: found min_length %d over max_length %d; allowed: at most as much", p.MinLength, p.MaxLength)
	}
}

func (r *reader) preset(n *yaml.Node, p *auth.PasswordPolicy) {
	var name string
	choice(r, "password", &name, "weavr", "mosaic", "nist")(n)
	switch name {
	case "weavr":
		*p = auth.PolicyWeavr()
	case "mosaic":
		*p = auth.PolicyMosaic()
	case "nist":
		*p = auth.PolicyNIST()
	}
}

// lockout reads when failures lock. Above five failures a tenant no longer
// meets RTS Art. 4(3)(b) of PSD2, which is its own choice to make; without any
// limit it would no longer be an authentication server.
func (r *reader) lockout(n *yaml.Node, p *auth.LockPolicy) {
	r.object(n, "lockout",
		may("failures", r.count("failures", &p.Failures, 1, 100)),
		may("for", r.span("for", &p.For, time.Minute)),
		may("forget_after", r.span("forget_after", &p.ForgetAfter, time.Minute)),
		may("tiers", r.tiers(&p.Tiers)),
	)
}

func (r *reader) session(n *yaml.Node, what string, p *auth.SessionPolicy) {
	r.object(n, what,
		may("idle", r.span("idle", &p.IdleLimit, time.Second)),
		may("absolute", r.span("absolute", &p.AbsoluteLimit, time.Second)),
	)
}

// limits reads what one API key or client, one user's tokens, and messages to one user may do how often. Each list that is given stands
// in the place of the default's; an empty one is no limit.
func (r *reader) limits(n *yaml.Node, s *auth.Settings) {
	r.object(n, "limits",
		may("key", r.rateLimits("limits of a key", &s.KeyLimits)),
		may("user", r.rateLimits("limits of a user", &s.UserLimits)),
		may("message", r.rateLimits("limits of messages", &s.MessageLimits)),
	)
}

// sms reads what a tenant's SMS may cost. Lists are as those of limits.
func (r *reader) sms(n *yaml.Node, p *auth.SMSPolicy) {
	r.object(n, "sms",
		may("number", r.rateLimits("sms of a number", &p.Number)),
		may("country", r.rateLimits("sms of a country", &p.Country)),
		may("home", r.words("home", &p.Home, `^[A-Z]{2}$`, "a country in two capitals, such as MT")),
		may("tenant", r.rateLimits("sms of the tenant", &p.Tenant)),
		may("cool_off", r.span("cool_off", &p.CoolOff, 0)),
		may("cool_off_own", r.flag("cool_off_own", &p.CoolOwn)),
		may("recovers_alone", r.flag("recovers_alone", &p.Alone)),
		may("alarm", func(n *yaml.Node) {
			r.object(n, "alarm",
				may("sends", r.count("sends", &p.Alarm.Sends, 0, 1_000_000)),
				may("percent", r.count("percent", &p.Alarm.Percent, 1, 100)),
			)
		}),
	)
}

func (r *reader) rateLimits(what string, dst *[]auth.Limit) func(*yaml.Node) {
	return func(n *yaml.Node) {
		*dst = nil
		list(r, what, dst, func(n *yaml.Node) auth.Limit { return r.rateLimit(n, what) })(n)
	}
}

func (r *reader) rateLimit(n *yaml.Node, what string) (l auth.Limit) {
	r.object(n, what,
		need("count", r.count("count", &l.Count, 1, 1_000_000)),
		need("window", r.span("window", &l.Window, time.Second)),
	)
	return l
}

func (r *reader) apiKey(n *yaml.Node) (k auth.APIKeySetup) {
	r.object(n, "API key",
		need("name", text(r, "API key name", &k.Name)),
		need("key", func(n *yaml.Node) {
			text(r, "key", &k.Key)(n)
			if k.Key != "" {
				r.unique(n, "API key", k.Key, "the same API key")
			}
		}),
	)
	return k
}

func (r *reader) programmeKey(n *yaml.Node) (key string) {
	text(r, "programme key", &key)(n)
	if key != "" {
		r.unique(n, "programme key", key, "the same programme key")
	}
	return key
}

// application is what its clients do not say of it.
func (u *users) application(n *yaml.Node) (a auth.Application) {
	u.object(n, "application",
		need("id", func(n *yaml.Node) {
			match(u.reader, "application id", &a.ID, `^[A-Za-z0-9_.-]{1,64}$`, "1 to 64 letters, digits, _, . and -")(n)
			if a.ID != "" {
				u.unique(n, u.scope+"application", string(a.ID), "the application "+string(a.ID))
			}
		}),
		need("name", text(u.reader, "application name", &a.Name)),
		may("description", text(u.reader, "description", &a.Description)),
		may("logo", u.uri("logo", &a.Logo, "https")),
		may("login_uri", u.uri("login_uri", &a.LoginURI, "http", "https")),
		may("invite_uri", u.uri("invite_uri", &a.InviteURI, "http", "https")),
		may("methods", func(n *yaml.Node) { u.methods(n, &a.Methods) }),
	)
	return a
}
