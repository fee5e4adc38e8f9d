package seed

import (
	"time"

	"go.yaml.in/yaml/v3"

	"countersign/internal/auth"
)

// methods reads how the users of an application prove themselves, under the contract's names of the methods. `off` stands for one that is
// switched off; units and ranges are those of the contract (contract/cis §3), so that its calls can show what a file has set.
func (r *reader) methods(n *yaml.Node, m *auth.Methods) {
	r.object(n, "methods",
		may("password", method(r, "password", &m.Password, auth.DefaultPasswordMethod(), auth.PasswordMethod{Off: true}, r.passwordMethod)),
		may("sms", method(r, "sms", &m.SMS, auth.DefaultCodeMethod(), auth.CodeMethod{Off: true}, r.codeMethod)),
		may("email_otp", method(r, "email_otp", &m.Email, auth.DefaultCodeMethod(), auth.CodeMethod{Off: true}, r.codeMethod)),
		may("email", method(r, "email", &m.Link, auth.DefaultLinkMethod(), auth.LinkMethod{Off: true}, r.linkMethod)),
		may("totp", method(r, "totp", &m.TOTP, auth.DefaultTOTPMethod(), auth.TOTPMethod{Off: true}, r.totpMethod)),
		may("webauthn_api", method(r, "webauthn_api", &m.Passkey, auth.DefaultPasskeyMethod(), auth.PasskeyMethod{Off: true}, r.passkeyMethod)),
	)
}

// method reads one method: `off`, or what departs from its default.
func method[M any](r *reader, what string, dst **M, base, off M, read func(*yaml.Node, *M)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			read(n, &base)
			*dst = &base
			return
		}
		var word string
		choice(r, what, &word, "off")(n)
		*dst = &off
	}
}

func (r *reader) passwordMethod(n *yaml.Node, p *auth.PasswordMethod) {
	told := !p.Unannounced
	r.object(n, "password",
		may("level", r.count("level", &p.Level, 1, 5)),
		may("min_length", r.count("min_length", &p.MinLength, 5, 14)),
		may("history", r.count("history", &p.History, 0, 20)),
		may("block_list", r.flag("block_list", &p.BlockList)),
		may("expires_after", r.units("expires_after", &p.ExpiresAfter, day, 1, 1096)),
		may("ignore_expiration", r.flag("ignore_expiration", &p.Lasting)),
		may("temporary_for", r.units("temporary_for", &p.TemporaryFor, time.Hour, 1, 8760)),
		may("reset_for", r.units("reset_for", &p.ResetFor, time.Minute, 5, 60)),
		may("reset_digits", r.count("reset_digits", &p.ResetDigits, 4, 8)),
		may("require_mfa", r.flag("require_mfa", &p.TwoFactors)),
		may("notify", r.flag("notify", &told)),
		may("lockout", func(n *yaml.Node) { r.methodLockout(n, &p.Lock) }),
	)
	p.Unannounced = !told
}

func (r *reader) codeMethod(n *yaml.Node, p *auth.CodeMethod) {
	r.object(n, "codes",
		may("for", r.units("for", &p.For, time.Minute, 1, 1440)),
		may("failures", r.count("failures", &p.Failures, 1, 20)),
		may("lock_for", r.units("lock_for", &p.LockFor, time.Minute, 1, maxMinutes)),
		may("digits", r.count("digits", &p.Digits, 4, 8)),
		may("cross_clients", r.flag("cross_clients", &p.Shared)),
	)
}

func (r *reader) linkMethod(n *yaml.Node, p *auth.LinkMethod) {
	r.object(n, "email", may("for", r.units("for", &p.For, time.Minute, 1, 1440)))
}

func (r *reader) totpMethod(n *yaml.Node, p *auth.TOTPMethod) {
	given := r.object(n, "totp",
		may("algorithm", choice(r, "algorithm", &p.Algorithm, auth.TOTPSHA1, auth.TOTPSHA256, auth.TOTPSHA512)),
		may("digits", r.count("digits", &p.Digits, 6, 8)),
		may("period", r.units("period", &p.Period, time.Second, 15, 300)),
		may("window", r.count("window", &p.Window, 0, 5)),
		may("issuer", text(r, "issuer", &p.Issuer)),
		may("lockout", func(n *yaml.Node) { r.methodLockout(n, &p.Lock) }),
	)
	if p.Digits == 7 {
		r.fail(given["digits"].Line, "digits: found 7; allowed: 6, 8")
	}
}

func (r *reader) passkeyMethod(n *yaml.Node, p *auth.PasskeyMethod) {
	given := r.object(n, "webauthn_api", append(r.passkeyFields(&p.Site, &p.Origins, &p.Synced, &p.Models, &p.BlockedModels),
		may("lockout", func(n *yaml.Node) { r.methodLockout(n, &p.Lock) }))...)
	switch {
	case given != nil && p.Site == "":
		r.fail(n.Line, "webauthn_api: found no site; it is needed")
	case len(p.Models) > 0 && len(p.BlockedModels) > 0:
		r.fail(n.Line, "webauthn_api: found models and blocked_models; allowed: one of them")
	case len(p.Origins) == 0:
		p.Origins = []string{"https://" + p.Site}
	}
	r.originsFit(given, p.Site, p.Origins)
}

// maxMinutes is a year.
const maxMinutes = 525_600

func (r *reader) methodLockout(n *yaml.Node, p *auth.LockPolicy) {
	r.object(n, "lockout",
		may("failures", r.count("failures", &p.Failures, 1, 20)),
		may("for", r.units("for", &p.For, time.Minute, 1, maxMinutes)),
		may("forget_after", r.units("forget_after", &p.ForgetAfter, time.Minute, 1, maxMinutes)),
		may("tiers", r.tiers(&p.Tiers)),
	)
}

// tiers reads the steps of a lock that grows.
func (r *reader) tiers(dst *[]auth.LockTier) func(*yaml.Node) {
	return func(n *yaml.Node) {
		*dst = nil
		list(r, "tiers", dst, func(n *yaml.Node) (t auth.LockTier) {
			r.object(n, "tier",
				need("failures", r.count("failures", &t.Failures, 1, 100)),
				need("for", r.units("for", &t.For, time.Minute, 1, maxMinutes)),
			)
			if all := *dst; len(all) > 0 && t.Failures <= all[len(all)-1].Failures {
				r.fail(n.Line, "tier: found failures %d after %d; allowed: more in each tier", t.Failures, all[len(all)-1].Failures)
			}
			return t
		})(n)
	}
}

// units reads a duration of least to most whole units.
func (r *reader) units(what string, dst *time.Duration, unit time.Duration, least, most int) func(*yaml.Node) {
	return func(n *yaml.Node) {
		d := time.Duration(-1)
		if r.span(what, &d, 0)(n); d < 0 {
			return
		}
		if from, to := time.Duration(least)*unit, time.Duration(most)*unit; d%unit != 0 || d < from || d > to {
			r.fail(n.Line, "%s: found %s; allowed: %s to %s, in steps of %s", what, quote(n.Value), short(from), short(to), short(unit))
			return
		}
		*dst = d
	}
}

// ParseMethods reads how the users of an application prove themselves, as it stands below `methods` in a seed file. The error is as Parse's.
func ParseMethods(name string, data []byte) (auth.Methods, error) {
	var m auth.Methods
	r := &reader{once: make(map[string]int)}
	if root := r.document(data); root != nil {
		r.methods(root, &m)
	}
	return m, r.err(name)
}
