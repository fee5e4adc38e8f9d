package seed

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"countersign/internal/auth"
)

// appURL reads the base of the links in e-mails, to which a path is added.
func (r *reader) appURL(dst *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var base string
		r.uri("app_url", &base, "http", "https")(n)
		if strings.HasSuffix(base, "/") || strings.Contains(base, "?") {
			r.fail(n.Line, "app_url: found a slash at the end or a query; allowed: an address that a path can be added to")
			return
		}
		*dst = base
	}
}

// theme reads how the login page looks.
func (r *reader) theme(n *yaml.Node, t *auth.Theme) {
	given := r.object(n, "login_page",
		may("name", match(r, "name", &t.Name, `^\PC{1,64}$`, "a name of at most 64 characters")),
		may("color", match(r, "color", &t.Color, `^#[0-9a-fA-F]{6}$`, "a colour such as '#0b4f8a'")),
		may("logo", text(r, "logo", &t.Logo)),
	)
	if at := given["logo"]; at != nil && t.Logo != "" {
		if err := auth.CheckLogo(t.Logo); err != nil {
			r.fail(at.Line, "logo: found another text; it %v", err)
		}
	}
}

func (r *reader) otp(n *yaml.Node, p *auth.OTPPolicy) {
	r.object(n, "otp",
		may("for", r.span("for", &p.For, 30*time.Second)),
		may("tries", r.count("tries", &p.Tries, 1, 10)),
		may("sends", r.count("sends", &p.Sends, 1, 10)),
		may("wait", r.span("wait", &p.Wait, time.Second)),
	)
}

func (r *reader) push(n *yaml.Node, p *auth.PushPolicy) {
	browsers := !p.NoBrowsers
	r.object(n, "push",
		may("for", r.span("for", &p.For, 30*time.Second)),
		may("limit", func(n *yaml.Node) { p.Limit = r.rateLimit(n, "push limit") }),
		may("number", choice(r, "number", &p.Number, auth.NumberForLogin, auth.NumberAlways, auth.NumberNever)),
		may("pin", choice(r, "pin", &p.PIN, auth.PINNever, auth.PINByDevice, auth.PINByServer)),
		may("report_suspends", r.flag("report_suspends", &p.ReportSuspends)),
		may("browsers", r.flag("browsers", &browsers)),
	)
	p.NoBrowsers = !browsers
}

// channels reads the channels that users may be challenged over; none is a list without any.
func (r *reader) channels(dst *[]auth.Channel) func(*yaml.Node) {
	return func(n *yaml.Node) {
		all := []auth.Channel{}
		list(r, "channels", &all, func(n *yaml.Node) (c auth.Channel) {
			choice(r, "channels", &c, auth.ChannelSMS, auth.ChannelBiometric, auth.ChannelAuthy)(n)
			if slices.Contains(all, c) {
				r.fail(n.Line, "channels: found %s again; allowed: each once", c)
			}
			return c
		})(n)
		*dst = all
	}
}

// words reads a list of texts of one form, in the place of the default one.
func (r *reader) words(what string, dst *[]string, re, allowed string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var all []string
		list(r, what, &all, func(n *yaml.Node) (s string) {
			match(r, what, &s, re, allowed)(n)
			return s
		})(n)
		*dst = all
	}
}

// passkey reads for whom passkeys are made.
func (r *reader) passkey(n *yaml.Node, p *auth.PasskeyPolicy) {
	given := r.object(n, "passkey", append(r.passkeyFields(&p.Site, &p.Origins, &p.Synced, &p.Models, &p.BlockedModels),
		may("verification", choice(r, "verification", &p.Verification, auth.VerificationRequired, auth.VerificationPreferred)))...)
	if p.Site != "" && len(p.Origins) == 0 || p.Site == "" && len(p.Origins) > 0 {
		r.fail(n.Line, "passkey: found site or origins alone; allowed: both, or neither")
	}
	r.originsFit(given, p.Site, p.Origins)
}

// passkeyFields are what a tenant and an application may say of passkeys.
func (r *reader) passkeyFields(site *string, origins *[]string, synced *bool, models, blocked *[]string) []field {
	const model = `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`
	const origin = `^(https://[a-z0-9.-]+(:[0-9]+)?|http://localhost(:[0-9]+)?|android:apk-key-hash:[A-Za-z0-9_-]{43})$`
	return []field{
		may("site", match(r, "site", site, `^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)$`, "a domain in small letters, such as bank.example")),
		may("origins", r.words("origins", origins, origin,
			"https:// and a host in small letters without a path, http://localhost, or android:apk-key-hash:")),
		may("synced", r.flag("synced", synced)),
		may("models", r.words("models", models, model, "an AAGUID in small letters")),
		may("blocked_models", r.words("blocked_models", blocked, model, "an AAGUID in small letters")),
	}
}

// originsFit says which origin is neither of the site or below it nor an app's own: browsers take no other, and the mistake would show only
// to users.
func (r *reader) originsFit(given map[string]*yaml.Node, site string, origins []string) {
	for _, origin := range origins {
		_, host, web := strings.Cut(origin, "://")
		host, _, _ = strings.Cut(host, ":")
		if web && host != site && !strings.HasSuffix(host, "."+site) {
			r.fail(given["origins"].Line, "origins: found %s; allowed: hosts of the site %s", origin, site)
		}
	}
}
