package auth

import "time"

// rules are what holds for one caller: the tenant's Settings and, where the caller is a client, what its application says otherwise. They
// are the one place where a feature asks how somebody may prove themselves. Who is no client, and an application that says nothing, has the
// tenant's.
type rules struct {
	Settings
	methods Methods
	keep    time.Duration // locking.keep
}

func (s *Service) rules(by Actor) rules {
	d := s.dir.Load()
	r := rules{Settings: s.settings(by.Tenant), keep: d.keeps[by.Tenant]}
	c := d.clients[by.Client]
	if c == nil || c.Tenant != by.Tenant || c.AppID == "" {
		return r
	}
	if a := d.apps[appRef{c.Tenant, c.AppID}]; a != nil {
		r.methods = a.Methods
	}
	return r
}

// on is the refusal of a method that is switched off.
func on(is bool) error {
	if !is {
		return refuse(CodeChannelUnsupported)
	}
	return nil
}

// passwords reports whether users log in with passwords.
//
// Error: CodeChannelUnsupported.
func (r rules) passwords() error { return on(r.methods.Password == nil || !r.methods.Password.Off) }

// codes reports whether users log in with codes over the channel; a code that the client hands over is no channel of anybody's.
//
// Error: CodeChannelUnsupported.
func (r rules) codes(c Channel) error {
	m := r.code(c)
	return on(m == nil || !m.Off)
}

// code is what the application says of codes over the channel; nil: nothing.
func (r rules) code(c Channel) *CodeMethod {
	switch c {
	case ChannelSMS:
		return r.methods.SMS
	case ChannelEmail:
		return r.methods.Email
	}
	return nil
}

// shares reports whether a code over the channel is good for all clients of the application.
func (r rules) shares(c Channel) bool {
	m := r.code(c)
	return m != nil && m.Shared && !m.Off
}

// links, totps and passkeys are as passwords.
func (r rules) links() error { return on(r.methods.Link == nil || !r.methods.Link.Off) }

func (r rules) totps() error { return on(r.methods.TOTP == nil || !r.methods.TOTP.Off) }

func (r rules) passkeys() error { return on(r.methods.Passkey == nil || !r.methods.Passkey.Off) }

// passwordPolicy is what a password must be, and how long it lasts.
func (r rules) passwordPolicy() PasswordPolicy {
	m := r.methods.Password
	if m == nil || m.Off {
		return r.Password
	}
	p := PasswordPolicy{
		MinLength: m.MinLength, MaxLength: PolicyMosaic().MaxLength, Level: m.Level, History: m.History, BlockList: m.BlockList,
		ExpiresAfter: m.ExpiresAfter, TemporaryFor: m.TemporaryFor,
	}
	if m.Lasting {
		p.ExpiresAfter = 0
	}
	return p
}

// endOf is when a password stops being good; zero: never. What an application says counts from when the password was set, whatever it said
// then (contract/cis §3).
func (r rules) endOf(p Password) time.Time {
	if m := r.methods.Password; m == nil || m.Off {
		return p.ExpiresAt
	}
	return r.passwordPolicy().expiry(p.SetAt, p.Temporary)
}

// resetFor is the life of what proves a reset, if the application says how long; digits are those of a code.
func (r rules) resetFor() (life time.Duration, digits int) {
	if m := r.methods.Password; m != nil && !m.Off {
		return m.ResetFor, m.ResetDigits
	}
	return 0, otpDigits
}

// tells reports whether users are told of a new password.
func (r rules) tells() bool { return r.methods.Password == nil || !r.methods.Password.Unannounced }

// lock is when failures of a factor lock. Codes that log in have policies of their own by channel: codeLock.
func (r rules) lock(f AttemptFactor) locking {
	p, m := r.Lockout, r.methods
	switch {
	case f == AttemptPassword && m.Password != nil && !m.Password.Off:
		p = m.Password.Lock
	case f == AttemptTOTP && m.TOTP != nil && !m.TOTP.Off:
		p = m.TOTP.Lock
	case f == AttemptPasskey && m.Passkey != nil && !m.Passkey.Off:
		p = m.Passkey.Lock
	}
	return locking{p, r.keep}
}

// codeLock is lock for a challenge.
func (r rules) codeLock(c Challenge) locking {
	if m := r.code(c.Channel); c.Purpose == PurposeLoginCode && m != nil && !m.Off {
		return locking{LockPolicy{Failures: m.Failures, For: m.LockFor, ForgetAfter: r.Lockout.ForgetAfter}, r.keep}
	}
	return r.lock(c.factor())
}

// totp is how apps are set up, and how far their clocks may be off.
func (r rules) totp() TOTPMethod {
	if m := r.methods.TOTP; m != nil && !m.Off {
		return *m
	}
	return DefaultTOTPMethod()
}

// passkey is for whom passkeys are made, and which are taken.
func (r rules) passkey() PasskeyPolicy {
	p, m := r.Passkey, r.methods.Passkey
	if m != nil && !m.Off {
		p.Site, p.Origins, p.Synced, p.Models, p.BlockedModels = m.Site, m.Origins, m.Synced, m.Models, m.BlockedModels
	}
	return p
}

// remembered says how long the counters of each tenant matter at most, for tenants whose applications have locks of their own.
func (d *directory) remembered() {
	d.keeps = make(map[TenantID]time.Duration)
	for _, a := range d.Applications {
		tenant := d.tenants[a.Tenant]
		if tenant == nil {
			continue
		}
		for _, p := range a.Methods.locks() {
			d.keeps[a.Tenant] = max(d.keeps[a.Tenant], p.longest(), tenant.Settings.Lockout.longest())
		}
	}
}
