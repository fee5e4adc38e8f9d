package store

import (
	"time"

	"countersign/internal/auth"
)

// methods is auth.Methods as JSON. One that is missing is the tenant's.
type methods struct {
	Password *passwordMethod `json:"password,omitzero"`
	SMS      *codeMethod     `json:"sms,omitzero"`
	Email    *codeMethod     `json:"email,omitzero"`
	Link     *linkMethod     `json:"link,omitzero"`
	TOTP     *totpMethod     `json:"totp,omitzero"`
	Passkey  *passkeyMethod  `json:"passkey,omitzero"`
}

// passwordMethod is auth.PasswordMethod as JSON, and so on.
type passwordMethod struct {
	Off          bool          `json:"off,omitzero"`
	Level        int           `json:"level"`
	MinLength    int           `json:"min_length"`
	History      int           `json:"history"`
	BlockList    bool          `json:"block_list"`
	ExpiresAfter time.Duration `json:"expires_after"`
	Lasting      bool          `json:"lasting"`
	TemporaryFor time.Duration `json:"temporary_for"`
	ResetFor     time.Duration `json:"reset_for"`
	ResetDigits  int           `json:"reset_digits"`
	TwoFactors   bool          `json:"two_factors"`
	Unannounced  bool          `json:"unannounced"`
	Lock         lockPolicy    `json:"lock"`
	Look         messageLook   `json:"look"`
}

type codeMethod struct {
	Off      bool          `json:"off,omitzero"`
	For      time.Duration `json:"for"`
	Failures int           `json:"failures"`
	LockFor  time.Duration `json:"lock_for"`
	Digits   int           `json:"digits"`
	Shared   bool          `json:"shared"`
	Look     messageLook   `json:"look"`
}

type linkMethod struct {
	Off  bool          `json:"off,omitzero"`
	For  time.Duration `json:"for"`
	Look messageLook   `json:"look"`
}

type totpMethod struct {
	Off       bool               `json:"off,omitzero"`
	Algorithm auth.TOTPAlgorithm `json:"algorithm"`
	Digits    int                `json:"digits"`
	Period    time.Duration      `json:"period"`
	Window    int                `json:"window"`
	Issuer    string             `json:"issuer"`
	Lock      lockPolicy         `json:"lock"`
}

type passkeyMethod struct {
	Off           bool       `json:"off,omitzero"`
	Site          string     `json:"site"`
	Origins       []string   `json:"origins"`
	Synced        bool       `json:"synced"`
	Models        []string   `json:"models"`
	BlockedModels []string   `json:"blocked_models"`
	Lock          lockPolicy `json:"lock"`
}

type messageLook struct {
	Color   string `json:"color,omitzero"`
	From    string `json:"from,omitzero"`
	Subject string `json:"subject,omitzero"`
}

// otherwise returns what a thing is otherwise; nil for nil.
func otherwise[A, B any](a *A, other func(A) B) *B {
	if a == nil {
		return nil
	}
	b := other(*a)
	return &b
}

func toMethods(m auth.Methods) methods {
	return methods{
		Password: otherwise(m.Password, func(p auth.PasswordMethod) passwordMethod {
			return passwordMethod{
				p.Off, p.Level, p.MinLength, p.History, p.BlockList, p.ExpiresAfter, p.Lasting, p.TemporaryFor, p.ResetFor, p.ResetDigits,
				p.TwoFactors, p.Unannounced, toLockPolicy(p.Lock), messageLook(p.Look),
			}
		}),
		SMS:   otherwise(m.SMS, toCodeMethod),
		Email: otherwise(m.Email, toCodeMethod),
		Link: otherwise(m.Link, func(p auth.LinkMethod) linkMethod {
			return linkMethod{p.Off, p.For, messageLook(p.Look)}
		}),
		TOTP: otherwise(m.TOTP, func(p auth.TOTPMethod) totpMethod {
			return totpMethod{p.Off, p.Algorithm, p.Digits, p.Period, p.Window, p.Issuer, toLockPolicy(p.Lock)}
		}),
		Passkey: otherwise(m.Passkey, func(p auth.PasskeyMethod) passkeyMethod {
			return passkeyMethod{p.Off, p.Site, p.Origins, p.Synced, p.Models, p.BlockedModels, toLockPolicy(p.Lock)}
		}),
	}
}

func (m methods) auth() auth.Methods {
	return auth.Methods{
		Password: otherwise(m.Password, func(p passwordMethod) auth.PasswordMethod {
			return auth.PasswordMethod{
				Off: p.Off, Level: p.Level, MinLength: p.MinLength, History: p.History, BlockList: p.BlockList, ExpiresAfter: p.ExpiresAfter,
				Lasting: p.Lasting, TemporaryFor: p.TemporaryFor, ResetFor: p.ResetFor, ResetDigits: p.ResetDigits,
				TwoFactors: p.TwoFactors, Unannounced: p.Unannounced, Lock: p.Lock.auth(), Look: auth.MessageLook(p.Look),
			}
		}),
		SMS:   otherwise(m.SMS, codeMethod.auth),
		Email: otherwise(m.Email, codeMethod.auth),
		Link: otherwise(m.Link, func(p linkMethod) auth.LinkMethod {
			return auth.LinkMethod{Off: p.Off, For: p.For, Look: auth.MessageLook(p.Look)}
		}),
		TOTP: otherwise(m.TOTP, func(p totpMethod) auth.TOTPMethod {
			return auth.TOTPMethod{
				Off: p.Off, Algorithm: p.Algorithm, Digits: p.Digits, Period: p.Period, Window: p.Window, Issuer: p.Issuer, Lock: p.Lock.auth(),
			}
		}),
		Passkey: otherwise(m.Passkey, func(p passkeyMethod) auth.PasskeyMethod {
			return auth.PasskeyMethod{
				Off: p.Off, Site: p.Site, Origins: orNil(p.Origins), Synced: p.Synced, Models: orNil(p.Models),
				BlockedModels: orNil(p.BlockedModels), Lock: p.Lock.auth(),
			}
		}),
	}
}

func toCodeMethod(p auth.CodeMethod) codeMethod {
	return codeMethod{p.Off, p.For, p.Failures, p.LockFor, p.Digits, p.Shared, messageLook(p.Look)}
}

func (p codeMethod) auth() auth.CodeMethod {
	return auth.CodeMethod{
		Off: p.Off, For: p.For, Failures: p.Failures, LockFor: p.LockFor, Digits: p.Digits, Shared: p.Shared, Look: auth.MessageLook(p.Look),
	}
}
