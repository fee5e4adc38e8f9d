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

func (r *reader) otp(n *yaml.Node, p *auth.OTPPolicy) {
	r.object(n, "otp",
		may("for", r.span("for", &p.For, 30*time.Second)),
		may("tries", r.count("tries", &p.Tries, 1, 10)),
		may("sends", r.count("sends", &p.Sends, 1, 10)),
		may("wait", r.span("wait", &p.Wait, time.Second)),
	)
}

func (r *reader) push(n *yaml.Node, p *auth.PushPolicy) {
	r.object(n, "push",
		may("for", r.span("for", &p.For, 30*time.Second)),
		may("limit", func(n *yaml.Node) { p.Limit = r.rateLimit(n, "push limit") }),
		may("number", choice(r, "number", &p.Number, auth.NumberForLogin, auth.NumberAlways, auth.NumberNever)),
		may("pin", r.flag("pin", &p.PIN)),
		may("report_suspends", r.flag("report_suspends", &p.ReportSuspends)),
	)
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
