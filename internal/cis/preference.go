package cis

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
)

// authMethods are the methods for which an application has rules of its own (contract/cis §1.8, §3). One that is not there says nothing;
// null is a method that is switched off.
type authMethods struct {
	Password jsontext.Value `json:"password,omitzero"`
	SMS      jsontext.Value `json:"sms,omitzero"`
	EmailOTP jsontext.Value `json:"email_otp,omitzero"`
	Email    jsontext.Value `json:"email,omitzero"`
	TOTP     jsontext.Value `json:"totp,omitzero"`
	WebAuthn jsontext.Value `json:"webauthn_api,omitzero"`
}

type loginPreferences struct {
	Methods authMethods `json:"auth_methods"`
}

type lockoutTier struct {
	Attempts int `json:"attempts"`
	Duration int `json:"duration"` // minutes, as all below that are not named otherwise
}

type messageConfig struct {
	Color   string `json:"primaryColor"`
	From    string `json:"from,omitzero"`
	Subject string `json:"subject,omitzero"`
}

type passwordConfig struct {
	ResetValidity    int            `json:"resetValidityMinutes"`
	Complexity       int            `json:"passwordComplexity"`
	MinLength        int            `json:"passwordMinLength"`
	Previous         int            `json:"blockPreviousPasswords"`
	Breached         bool           `json:"checkHibp"`
	Dictionary       bool           `json:"checkDictionary"`
	ExpiresIn        int            `json:"passwordExpiresIn"` // days
	Lasting          bool           `json:"ignoreExpiration"`
	MaxFailures      int            `json:"maxPasswordFailures"`
	Suspension       int            `json:"passwordSuspensionDuration"`
	FailuresExpire   int            `json:"failuresExpireIn"`
	Tiers            []lockoutTier  `json:"lockoutTiers,omitempty"`
	TemporaryHours   int            `json:"tempPasswordValidityHours,omitzero"`
	RequireMFA       bool           `json:"requireMFA"`
	CodeLength       int            `json:"codeLength"`
	NotifyOnPassword *bool          `json:"notifyOnPasswordUpdate"`
	Message          *messageConfig `json:"message,omitzero"`
}

type codeConfig struct {
	ExpiresIn    int            `json:"expiresIn"`
	MaxFailures  int            `json:"maxFailures"`
	Lockout      int            `json:"lockoutDuration"`
	CodeLength   int            `json:"codeLength"`
	CrossClients bool           `json:"crossClientsAllowed"`
	Message      *messageConfig `json:"message,omitzero"`
}

type linkConfig struct {
	ExpiresIn int            `json:"expiresIn"`
	Message   *messageConfig `json:"message,omitzero"`
}

// lockConfig is when the failures of a method lock.
type lockConfig struct {
	MaxFailures    int           `json:"maxFailures"`
	Lockout        int           `json:"lockoutDuration"`
	FailuresExpire int           `json:"failuresExpireIn"`
	Tiers          []lockoutTier `json:"lockoutTiers,omitempty"`
}

type totpConfig struct {
	Algorithm auth.TOTPAlgorithm `json:"algorithm"`
	Digits    int                `json:"digits"`
	Period    int                `json:"period"` // seconds
	Window    *int               `json:"window"`
	Issuer    string             `json:"issuer,omitzero"`
	PerUser   int                `json:"maxTotpPerUser"`
	lockConfig
}

type webauthnConfig struct {
	Site          string   `json:"rpId"`
	WebOrigins    []string `json:"rpWebOrigins"`
	MobileOrigins []string `json:"rpMobileOrigins"`
	Origins       []string `json:"rpOrigins"` // of both kinds
	Synced        *bool    `json:"allowSyncedPasskeys"`
	Models        []string `json:"aaguidAllowList,omitempty"`
	BlockedModels []string `json:"aaguidBlockList,omitempty"`
	Attestation   string   `json:"attestationType"`
	lockConfig
}

// getLoginPreferences is GET /loginPreferences/{appId} of contract/cis §1.8.
func (a *API) getLoginPreferences(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	m, err := a.auth.AppMethods(c.r.Context(), c.by, appID(c))
	if err != nil {
		return err
	}
	return c.preferences(m)
}

// updateAuthMethods is PUT /loginPreferences/{appId}/authMethods.
func (a *API) updateAuthMethods(c *call) error {
	var in authMethods
	if err := c.decode(&in); err != nil {
		return err
	}
	m, err := a.auth.ChangeAppMethods(c.r.Context(), c.by, appID(c), in.fill)
	if err != nil {
		return err
	}
	return c.preferences(m)
}

func (c *call) preferences(m auth.Methods) error {
	out, err := methodsOf(m)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{loginPreferences{out}})
}

// fill changes what is given.
func (in authMethods) fill(m *auth.Methods) error {
	for _, err := range []error{
		fillMethod(in.Password, &m.Password, auth.PasswordMethod{Off: true}, passwordConfig.method),
		fillMethod(in.SMS, &m.SMS, auth.CodeMethod{Off: true}, codeConfig.method),
		fillMethod(in.EmailOTP, &m.Email, auth.CodeMethod{Off: true}, codeConfig.method),
		fillMethod(in.Email, &m.Link, auth.LinkMethod{Off: true}, linkConfig.method),
		fillMethod(in.TOTP, &m.TOTP, auth.TOTPMethod{Off: true}, totpConfig.method),
		fillMethod(in.WebAuthn, &m.Passkey, auth.PasskeyMethod{Off: true}, webauthnConfig.method),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func fillMethod[C, M any](given jsontext.Value, m **M, off M, method func(C) M) error {
	switch {
	case given == nil:
		return nil
	case given.Kind() == 'n':
		*m = &off
		return nil
	}
	var config C
	if err := json.Unmarshal(given, &config); err != nil {
		return fmt.Errorf("decode a method: %w", err) // the document's check has passed it
	}
	next := method(config)
	*m = &next
	return nil
}

func methodsOf(m auth.Methods) (out authMethods, err error) {
	for _, e := range []error{
		showMethod(&out.Password, m.Password, func(p auth.PasswordMethod) (any, bool) { return passwordConfigOf(p), p.Off }),
		showMethod(&out.SMS, m.SMS, func(p auth.CodeMethod) (any, bool) { return codeConfigOf(p), p.Off }),
		showMethod(&out.EmailOTP, m.Email, func(p auth.CodeMethod) (any, bool) { return codeConfigOf(p), p.Off }),
		showMethod(&out.Email, m.Link, func(p auth.LinkMethod) (any, bool) {
			return linkConfig{whole(p.For, time.Minute), messageOf(p.Look)}, p.Off
		}),
		showMethod(&out.TOTP, m.TOTP, func(p auth.TOTPMethod) (any, bool) { return totpConfigOf(p), p.Off }),
		showMethod(&out.WebAuthn, m.Passkey, func(p auth.PasskeyMethod) (any, bool) { return webauthnConfigOf(p), p.Off }),
	} {
		if e != nil {
			return out, e
		}
	}
	return out, nil
}

func showMethod[M any](dst *jsontext.Value, m *M, config func(M) (any, bool)) (err error) {
	if m == nil {
		return nil
	}
	shown, off := config(*m)
	if off {
		shown = nil
	}
	*dst, err = json.Marshal(shown, json.FormatNilSliceAsNull(false))
	return err
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

// whole is a duration in units, rounded up: a seed file may have finer ones.
func whole(d, unit time.Duration) int { return int((d + unit - 1) / unit) }

func look(m *messageConfig) auth.MessageLook {
	if m == nil {
		return auth.MessageLook{}
	}
	return auth.MessageLook{Color: m.Color, From: m.From, Subject: m.Subject}
}

func messageOf(l auth.MessageLook) *messageConfig {
	if l.Color == "" {
		return nil
	}
	return &messageConfig{l.Color, l.From, l.Subject}
}

// lock is the policy, with the contract's values for what is left out.
func (in lockConfig) lock() auth.LockPolicy {
	p := auth.LockPolicy{
		Failures: cmp.Or(in.MaxFailures, 5), For: minutes(cmp.Or(in.Lockout, 15)), ForgetAfter: minutes(cmp.Or(in.FailuresExpire, 15)),
	}
	for _, t := range in.Tiers {
		p.Tiers = append(p.Tiers, auth.LockTier{Failures: t.Attempts, For: minutes(t.Duration)})
	}
	return p
}

func lockConfigOf(p auth.LockPolicy) lockConfig {
	out := lockConfig{MaxFailures: p.Failures, Lockout: whole(p.For, time.Minute), FailuresExpire: whole(p.ForgetAfter, time.Minute)}
	for _, t := range p.Tiers {
		out.Tiers = append(out.Tiers, lockoutTier{t.Failures, int(t.For / time.Minute)})
	}
	return out
}

func (in passwordConfig) method() auth.PasswordMethod {
	d := auth.DefaultPasswordMethod()
	return auth.PasswordMethod{
		Level: in.Complexity, MinLength: in.MinLength, History: in.Previous, BlockList: in.Dictionary,
		ExpiresAfter: time.Duration(in.ExpiresIn) * 24 * time.Hour, Lasting: in.Lasting,
		TemporaryFor: time.Duration(in.TemporaryHours) * time.Hour, ResetFor: minutes(in.ResetValidity),
		ResetDigits: cmp.Or(in.CodeLength, d.ResetDigits), TwoFactors: in.RequireMFA, Unannounced: in.NotifyOnPassword != nil && !*in.NotifyOnPassword,
		Lock: lockConfig{in.MaxFailures, in.Suspension, in.FailuresExpire, in.Tiers}.lock(), Look: look(in.Message),
	}
}

func passwordConfigOf(p auth.PasswordMethod) passwordConfig {
	lock, told := lockConfigOf(p.Lock), !p.Unannounced
	return passwordConfig{
		ResetValidity: whole(p.ResetFor, time.Minute), Complexity: p.Level, MinLength: p.MinLength, Previous: p.History, Dictionary: p.BlockList,
		ExpiresIn: whole(p.ExpiresAfter, 24*time.Hour), Lasting: p.Lasting, MaxFailures: lock.MaxFailures, Suspension: lock.Lockout,
		FailuresExpire: lock.FailuresExpire, Tiers: lock.Tiers, TemporaryHours: whole(p.TemporaryFor, time.Hour), CodeLength: p.ResetDigits, RequireMFA: p.TwoFactors,
		NotifyOnPassword: &told, Message: messageOf(p.Look),
	}
}

func (in codeConfig) method() auth.CodeMethod {
	d := auth.DefaultCodeMethod()
	m := auth.CodeMethod{
		For: minutes(in.ExpiresIn), Failures: in.MaxFailures, LockFor: d.LockFor, Digits: cmp.Or(in.CodeLength, d.Digits),
		Shared: in.CrossClients, Look: look(in.Message),
	}
	if in.Lockout > 0 {
		m.LockFor = minutes(in.Lockout)
	}
	return m
}

func codeConfigOf(p auth.CodeMethod) codeConfig {
	return codeConfig{whole(p.For, time.Minute), p.Failures, whole(p.LockFor, time.Minute), p.Digits, p.Shared, messageOf(p.Look)}
}

func (in linkConfig) method() auth.LinkMethod {
	return auth.LinkMethod{For: minutes(in.ExpiresIn), Look: look(in.Message)}
}

func (in totpConfig) method() auth.TOTPMethod {
	m := auth.DefaultTOTPMethod()
	m.Algorithm, m.Digits, m.Issuer, m.Lock = cmp.Or(in.Algorithm, m.Algorithm), cmp.Or(in.Digits, m.Digits), in.Issuer, in.lock()
	if in.Period > 0 {
		m.Period = seconds(int64(in.Period))
	}
	put(&m.Window, in.Window)
	return m
}

func totpConfigOf(p auth.TOTPMethod) totpConfig {
	return totpConfig{p.Algorithm, p.Digits, whole(p.Period, time.Second), &p.Window, p.Issuer, 1, lockConfigOf(p.Lock)}
}

func (in webauthnConfig) method() auth.PasskeyMethod {
	m := auth.DefaultPasskeyMethod()
	m.Site, m.Models, m.BlockedModels, m.Lock = in.Site, in.Models, in.BlockedModels, in.lock()
	put(&m.Synced, in.Synced)
	for _, origin := range slices.Concat(in.WebOrigins, in.MobileOrigins, in.Origins) {
		if !slices.Contains(m.Origins, origin) {
			m.Origins = append(m.Origins, origin)
		}
	}
	if len(m.Origins) == 0 {
		m.Origins = []string{"https://" + in.Site}
	}
	return m
}

func webauthnConfigOf(p auth.PasskeyMethod) webauthnConfig {
	out := webauthnConfig{
		Site: p.Site, Origins: p.Origins, Synced: &p.Synced, Models: p.Models, BlockedModels: p.BlockedModels, Attestation: "none",
		lockConfig: lockConfigOf(p.Lock),
	}
	for _, origin := range p.Origins {
		if strings.HasPrefix(origin, "android:") {
			out.MobileOrigins = append(out.MobileOrigins, origin)
		} else {
			out.WebOrigins = append(out.WebOrigins, origin)
		}
	}
	return out
}
