package auth

import "time"

// AuthenticatorKind is the kind of a thing bound to a user that can prove.
type AuthenticatorKind string

const (
	AuthenticatorSMS    AuthenticatorKind = "sms"
	AuthenticatorDevice AuthenticatorKind = "device"
)

// Authenticator is a thing bound to a user that can prove possession of it. A password is kept apart, as Password.
type Authenticator struct {
	Tenant    TenantID
	ID        string
	User      UserID
	Kind      AuthenticatorKind
	Channel   string // AuthenticatorDevice: BIOMETRIC
	Simulated bool   // answered from the sandbox's phone page
	CreatedAt time.Time
}
