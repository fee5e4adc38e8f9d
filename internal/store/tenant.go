package store

import (
	"errors"
	"fmt"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// settings is auth.Settings as JSON. Every member is always written; one that is missing was unknown to the binary that wrote it and
// has its default.
type settings struct {
	Password        passwordPolicy       `json:"password"`
	Lockout         lockPolicy           `json:"lockout"`
	Session         sessionPolicy        `json:"session"`
	BackendSession  sessionPolicy        `json:"backend_session"`
	BrowserSession  sessionPolicy        `json:"browser_session"`
	LoginToken      auth.LoginToken      `json:"login_token"`
	IdentitiesReply auth.IdentitiesReply `json:"identities_reply"`
	RateLimits      bool                 `json:"rate_limits"`
	RevealAccounts  bool                 `json:"reveal_accounts"`
	Maintenance     bool                 `json:"maintenance"`
	PasswordGrant   bool                 `json:"password_grant"`
	OTP             otpPolicy            `json:"otp"`
	Passkey         passkeyPolicy        `json:"passkey"`
	Push            pushPolicy           `json:"push"`
	Channels        []auth.Channel       `json:"channels"`
	StepUpFor       time.Duration        `json:"step_up_for"`
	PhoneCountries  []string             `json:"phone_countries"`
	BlockedDomains  []string             `json:"blocked_domains"`
	PhoneChanges    int                  `json:"phone_changes"`
	EmailEvery      time.Duration        `json:"email_every"`
	MultiIdentity   bool                 `json:"multi_identity"`
	AppURL          string               `json:"app_url"`
	Theme           theme                `json:"theme,omitzero"`
	IssuedOnly      bool                 `json:"issued_challenges"`
	MessageLimits   []rateLimit          `json:"message_limits"`
	KeyLimits       []rateLimit          `json:"key_limits"`
	UserLimits      []rateLimit          `json:"user_limits"`
	SMS             smsPolicy            `json:"sms"`
}

// theme is auth.Theme as JSON.
type theme struct {
	Name  string `json:"name,omitzero"`
	Color string `json:"color,omitzero"`
	Logo  string `json:"logo,omitzero"`
}

// otpPolicy is auth.OTPPolicy as JSON.
type otpPolicy struct {
	For   time.Duration `json:"for"`
	Tries int           `json:"tries"`
	Sends int           `json:"sends"`
	Wait  time.Duration `json:"wait"`
}

// passkeyPolicy is auth.PasskeyPolicy as JSON.
type passkeyPolicy struct {
	Site          string                `json:"site"`
	Origins       []string              `json:"origins"`
	Verification  auth.UserVerification `json:"verification"`
	Synced        bool                  `json:"synced"`
	Models        []string              `json:"models"`
	BlockedModels []string              `json:"blocked_models"`
}

func (p passkeyPolicy) auth() auth.PasskeyPolicy {
	p.Origins, p.Models, p.BlockedModels = orNil(p.Origins), orNil(p.Models), orNil(p.BlockedModels)
	return auth.PasskeyPolicy(p)
}

// pushPolicy is auth.PushPolicy as JSON.
type pushPolicy struct {
	For   time.Duration `json:"for"`
	Limit rateLimit     `json:"limit"`

	Number         auth.NumberMatching `json:"number,omitzero"`
	PIN            bool                `json:"pin,omitzero"`        // auth.PINByDevice
	PINServer      bool                `json:"pin_server,omitzero"` // auth.PINByServer
	ReportSuspends bool                `json:"report_suspends,omitzero"`
	NoBrowsers     bool                `json:"no_browsers,omitzero"`
}

func toPushPolicy(p auth.PushPolicy) pushPolicy {
	return pushPolicy{
		For: p.For, Limit: rateLimit(p.Limit), Number: p.Number, PIN: p.PIN == auth.PINByDevice, PINServer: p.PIN == auth.PINByServer,
		ReportSuspends: p.ReportSuspends, NoBrowsers: p.NoBrowsers,
	}
}

func (p pushPolicy) auth() auth.PushPolicy {
	out := auth.PushPolicy{For: p.For, Limit: p.Limit.auth(), Number: p.Number, ReportSuspends: p.ReportSuspends, NoBrowsers: p.NoBrowsers}
	switch {
	case p.PINServer:
		out.PIN = auth.PINByServer
	case p.PIN:
		out.PIN = auth.PINByDevice
	}
	return out
}

// rateLimit is auth.Limit as JSON.
type rateLimit struct {
	Count  int           `json:"count"`
	Window time.Duration `json:"window"`
}

// mapped returns what each thing of a list is otherwise; nil for an empty list.
func mapped[A, B any](as []A, other func(A) B) []B {
	var bs []B
	for _, a := range as {
		bs = append(bs, other(a))
	}
	return bs
}

func toRateLimit(l auth.Limit) rateLimit { return rateLimit(l) }

func (l rateLimit) auth() auth.Limit { return auth.Limit(l) }

func toSettings(s auth.Settings) settings {
	return settings{
		Password:        passwordPolicy(s.Password),
		Lockout:         toLockPolicy(s.Lockout),
		Session:         sessionPolicy(s.Session),
		BackendSession:  sessionPolicy(s.BackendSession),
		BrowserSession:  sessionPolicy(s.BrowserSession),
		LoginToken:      s.LoginToken,
		IdentitiesReply: s.IdentitiesReply,
		RateLimits:      s.RateLimits,
		RevealAccounts:  s.RevealAccounts,
		Maintenance:     s.Maintenance,
		PasswordGrant:   s.PasswordGrant,
		OTP:             otpPolicy(s.OTP),
		Passkey:         passkeyPolicy(s.Passkey),
		Push:            toPushPolicy(s.Push),
		Channels:        s.Channels,
		StepUpFor:       s.StepUpFor,
		PhoneCountries:  s.PhoneCountries,
		BlockedDomains:  s.BlockedDomains,
		PhoneChanges:    s.PhoneChanges,
		EmailEvery:      s.EmailEvery,
		MultiIdentity:   s.MultiIdentity,
		AppURL:          s.AppURL,
		Theme:           theme(s.Theme),
		IssuedOnly:      s.IssuedOnly,
		MessageLimits:   mapped(s.MessageLimits, toRateLimit),
		KeyLimits:       mapped(s.KeyLimits, toRateLimit),
		UserLimits:      mapped(s.UserLimits, toRateLimit),
		SMS:             toSMSPolicy(s.SMS),
	}
}

func (s settings) auth() auth.Settings {
	return auth.Settings{
		Password:        auth.PasswordPolicy(s.Password),
		Lockout:         s.Lockout.auth(),
		Session:         auth.SessionPolicy(s.Session),
		BackendSession:  auth.SessionPolicy(s.BackendSession),
		BrowserSession:  auth.SessionPolicy(s.BrowserSession),
		LoginToken:      s.LoginToken,
		IdentitiesReply: s.IdentitiesReply,
		RateLimits:      s.RateLimits,
		RevealAccounts:  s.RevealAccounts,
		Maintenance:     s.Maintenance,
		PasswordGrant:   s.PasswordGrant,
		OTP:             auth.OTPPolicy(s.OTP),
		Passkey:         s.Passkey.auth(),
		Push:            s.Push.auth(),
		Channels:        orNil(s.Channels),
		StepUpFor:       s.StepUpFor,
		PhoneCountries:  orNil(s.PhoneCountries),
		BlockedDomains:  orNil(s.BlockedDomains),
		PhoneChanges:    s.PhoneChanges,
		EmailEvery:      s.EmailEvery,
		MultiIdentity:   s.MultiIdentity,
		IssuedOnly:      s.IssuedOnly,
		AppURL:          s.AppURL,
		Theme:           auth.Theme(s.Theme),
		MessageLimits:   mapped(s.MessageLimits, rateLimit.auth),
		KeyLimits:       mapped(s.KeyLimits, rateLimit.auth),
		UserLimits:      mapped(s.UserLimits, rateLimit.auth),
		SMS:             s.SMS.auth(),
	}
}

// webhook is auth.Webhook as JSON.
type webhook struct {
	URL string `json:"url,omitzero"`
}

// Directory implements auth.Reads.
func (r reads) Directory() (d auth.Directory, err error) {
	if err := r.h.several(); err != nil {
		return d, err
	}
	if d.Revision, err = r.Revision(); err != nil {
		return d, err
	}
	const verb = "read directory"
	until, err := r.q.RevokedUntil(r.ctx)
	last, err := one(r, verb, until, err)
	if d.RevokedUntil = moment(last); err != nil {
		return d, err
	}
	tenants, err := r.q.Tenants(r.ctx)
	if d.Tenants, err = list(r, verb, tenants, err, tenant); err != nil {
		return d, err
	}
	keys, err := r.q.APIKeys(r.ctx)
	if d.APIKeys, err = list(r, verb, keys, err, apiKey); err != nil {
		return d, err
	}
	programmeKeys, err := r.q.ProgrammeKeys(r.ctx)
	if d.ProgrammeKeys, err = list(r, verb, programmeKeys, err, programmeKey); err != nil {
		return d, err
	}
	applications, err := r.q.Applications(r.ctx)
	if d.Applications, err = list(r, verb, applications, err, application); err != nil {
		return d, err
	}
	resources, err := r.q.Resources(r.ctx)
	if d.Resources, err = list(r, verb, resources, err, resource); err != nil {
		return d, err
	}
	roles, err := r.q.Roles(r.ctx)
	if d.Roles, err = list(r, verb, roles, err, role); err != nil {
		return d, err
	}
	clients, err := r.q.Clients(r.ctx)
	if d.Clients, err = list(r, verb, clients, err, client); err != nil {
		return d, err
	}
	signingKeys, err := r.q.SigningKeys(r.ctx)
	if d.SigningKeys, err = list(r, verb, signingKeys, err, signingKey); err != nil {
		return d, err
	}
	appKeys, err := r.q.AppKeys(r.ctx)
	if d.AppKeys, err = list(r, verb, appKeys, err, appKey); err != nil {
		return d, err
	}
	d.Shapes, err = r.shapes(verb)
	return d, err
}

// Revision implements auth.Reads.
func (r reads) Revision() (int64, error) {
	rows, err := r.q.Revision(r.ctx)
	return one(r, "read revision", rows, err)
}

func tenant(row sqlc.Tenant) (auth.Tenant, error) {
	s := toSettings(auth.DefaultSettings())
	var h webhook
	err := errors.Join(decode(row.Settings, &s), decode(row.Webhook, &h))
	return auth.Tenant{
		ID:        auth.TenantID(row.ID),
		Name:      row.Name,
		Mode:      auth.Mode(row.Mode),
		Settings:  s.auth(),
		Webhook:   auth.Webhook(h),
		CreatedAt: moment(row.CreatedAt),
	}, err
}

func apiKey(row sqlc.ApiKey) (auth.APIKey, error) {
	h, err := digest[[32]byte](row.Hash)
	return auth.APIKey{
		Tenant:    auth.TenantID(row.TenantID),
		ID:        row.ID,
		Name:      row.Name,
		Hash:      h,
		Sealed:    orNil(row.Sealed),
		CreatedAt: moment(row.CreatedAt),
		RevokedAt: moment(row.RevokedAt),
	}, err
}

func programmeKey(row sqlc.ProgrammeKey) (auth.ProgrammeKey, error) {
	h, err := digest[[32]byte](row.Hash)
	return auth.ProgrammeKey{Tenant: auth.TenantID(row.TenantID), Hash: h}, err
}

// PutTenant implements auth.Writes.
func (w writes) PutTenant(t auth.Tenant) error {
	s, err := encode(toSettings(t.Settings))
	if err != nil {
		return fmt.Errorf("put tenant: %w", err)
	}
	h, err := encode(webhook(t.Webhook))
	if err != nil {
		return fmt.Errorf("put tenant: %w", err)
	}
	return w.put("put tenant", w.q.PutTenant(w.ctx, sqlc.PutTenantParams{
		ID:        string(t.ID),
		Name:      t.Name,
		Mode:      string(t.Mode),
		Settings:  s,
		Webhook:   h,
		CreatedAt: micros(t.CreatedAt),
	}))
}

// PutAPIKey implements auth.Writes.
func (w writes) PutAPIKey(k auth.APIKey) error {
	return w.put("put API key", w.q.PutAPIKey(w.ctx, sqlc.PutAPIKeyParams{
		TenantID:  string(k.Tenant),
		ID:        k.ID,
		Name:      k.Name,
		Hash:      k.Hash[:],
		Sealed:    blob(k.Sealed),
		CreatedAt: micros(k.CreatedAt),
		RevokedAt: micros(k.RevokedAt),
	}))
}

// PutProgrammeKey implements auth.Writes.
func (w writes) PutProgrammeKey(k auth.ProgrammeKey) error {
	return w.put("put programme key", w.q.PutProgrammeKey(w.ctx, sqlc.PutProgrammeKeyParams{
		TenantID: string(k.Tenant),
		Hash:     k.Hash[:],
	}))
}

// put raises the revision after a change of the directory.
func (w writes) put(verb string, err error) error {
	if err == nil {
		err = w.q.RaiseRevision(w.ctx)
	}
	return w.h.fail(w.ctx, verb, err)
}
