package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"countersign/internal/jose"
	"countersign/internal/seal"
)

// DeviceID names a device: the thumbprint of its key (RFC 7638), so that no key is bound twice and a request brings nothing else.
type DeviceID string

// DeviceStatus says what a device may do.
type DeviceStatus string

const (
	DeviceActive  DeviceStatus = "active"
	DeviceBlocked DeviceStatus = "blocked" // five of its answers did not hold: it may only be unbound
	DeviceRevoked DeviceStatus = "revoked" // unbound; its key is never bound again
)

// DeviceEvent moves a device's status.
type DeviceEvent string

const (
	DeviceIsBlocked DeviceEvent = "blocked"
	DeviceIsRevoked DeviceEvent = "revoked"
)

// next returns the status that follows; the second value is false where the move is not allowed.
func (s DeviceStatus) next(e DeviceEvent) (DeviceStatus, bool) {
	switch {
	case s == DeviceActive && e == DeviceIsBlocked:
		return DeviceBlocked, true
	case s != DeviceRevoked && e == DeviceIsRevoked:
		return DeviceRevoked, true
	}
	return s, false
}

// Device is a phone or an app that answers challenges of its user with a key of its own, which never leaves it.
type Device struct {
	ID          DeviceID
	Tenant      TenantID
	User        UserID
	Version     int64 // of the row, from 1
	Name        string
	Key         jose.PublicKey
	Passkey     DevicePasskey // zero: its key approves by itself
	PIN         string        // hash of the PIN that approves on it; empty: none
	Push        []byte        // PushAddress, sealed; empty: none
	Certificate string        // of its binding: a JWT of ours over the key, so that outsiders can tell whose it is
	Status      DeviceStatus
	Failures    int // answers that did not hold, one after another; kept here, since what they lead to does not end with a time
	BoundAt     time.Time
	UsedAt      time.Time // of the latest answer that held; zero: none
	EndedAt     time.Time // blocked or revoked; zero: neither
}

const (
	maxDevices        = 5 // of one user
	maxDeviceName     = 64
	maxDeviceFailures = 5
	deviceCallFor     = 5 * time.Minute // the longest life of a token that a device makes for one call
	certificateFor    = 10 * 365 * 24 * time.Hour
)

// Types of the tokens that devices sign, and of the certificate that we do, as in the header's typ. None is taken for another.
const (
	typBind        = "countersign-bind+jwt"
	typCall        = "countersign-call+jwt"
	typAnswer      = "countersign-answer+jwt"
	typCertificate = "countersign-device+jwt"
)

// KeyBinding is what a device sends to be bound.
type KeyBinding struct {
	Key   string      // its public key, a JWK: ES256 (P-256) or EdDSA (Ed25519)
	Proof string      // a JWT of typ countersign-bind+jwt by that key over ticket and name, and the PIN if it is to have one
	Push  PushAddress // zero: it is not woken
	// Passkey is what a browser approves with besides; zero: the key approves by itself.
	Passkey DeviceRegistration
}

// BoundDevice is a device that has just been bound.
type BoundDevice struct {
	Device
	UserName string // of its user, as they are shown it
	Service  string // the tenant's name
}

// BindKey binds a device by its ticket, on proof that it has the key. It is the user's BIOMETRIC authenticator from then on, and takes the
// place of a simulated one.
//
// Errors: CodeThrottled, CodeKeyInvalid, CodePushInvalid, CodeNameInvalid, CodeTicketInvalid, CodeDeviceBound, CodeDeviceLimit, CodeMaintenance;
// with a PIN those of hashPIN.
func (s *Service) BindKey(ctx context.Context, in KeyBinding, via Via) (BoundDevice, error) {
	stranger := Actor{Via: via}
	if err := s.charge(stranger); err != nil {
		return BoundDevice{}, err
	}
	now := s.now()
	key, claims, err := s.openBinding(in, now)
	if err != nil {
		return BoundDevice{}, err
	}
	ticket, _ := claims.String("ticket")
	name, _ := claims.String("name")
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxDeviceName || strings.ContainsFunc(name, isControl) {
		return BoundDevice{}, refuseField(CodeNameInvalid, "name")
	}
	t, by, err := s.openTicket(ctx, ticket, via, now)
	if err != nil {
		return BoundDevice{}, err
	}
	d := Device{
		ID: DeviceID(key.ID()), Tenant: t.Tenant, User: t.User, Version: 1, Name: name, Key: key, Status: DeviceActive, BoundAt: now,
	}
	if d.Passkey, err = s.newDevicePasskey(t.Tenant, in); err != nil {
		return BoundDevice{}, err
	}
	if pin, ok := claims.String("pin"); ok {
		if d.PIN, err = s.hashPIN(ctx, t.Tenant, seal.NewSecret(pin)); err != nil {
			return BoundDevice{}, err
		}
	}
	if d.Certificate, err = s.certify(ctx, d, t, now); err != nil {
		return BoundDevice{}, err
	}
	if d.Push, err = s.sealPush(d, in.Push); err != nil {
		return BoundDevice{}, err
	}
	out, err := decide(ctx, s, by, func(tx Tx) (BoundDevice, *Error, error) { return s.bindKey(tx, by, t, d, now) })
	if err == nil {
		s.refund(stranger)
	}
	return out, err
}

func isControl(r rune) bool {
	return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError
}

// openBinding checks the key of a device that is to be bound, and that the device has it.
func (s *Service) openBinding(in KeyBinding, now time.Time) (jose.PublicKey, jose.Claims, error) {
	key, err := jose.ParsePublic(in.Key)
	if err != nil || key.Alg() != jose.ES256 && key.Alg() != jose.EdDSA {
		return key, nil, &Error{Code: CodeKeyInvalid, Field: "key", Cause: err}
	}
	if key, err = key.Renamed(); err != nil { // a device does not choose its own id
		return key, nil, &Error{Code: CodeKeyInvalid, Field: "key", Cause: err}
	}
	claims, err := jose.NewSet(key).Verify(in.Proof, jose.Want{Typ: []string{typBind}, Issuer: key.ID(), Audience: s.issuer, Now: now})
	if err != nil {
		return key, nil, &Error{Code: CodeKeyInvalid, Field: "proof", Cause: err}
	}
	if !in.Push.IsZero() && !in.Push.sound() {
		return key, nil, refuseField(CodePushInvalid, "push")
	}
	return key, claims, nil
}

// bindKey binds the device, if its ticket is good still.
func (s *Service) bindKey(tx Tx, by Actor, t Ticket, d Device, now time.Time) (BoundDevice, *Error, error) {
	out := BoundDevice{Device: d}
	if no, err := s.ticketLives(tx, t, now); err != nil || no != nil {
		return out, no, err
	}
	devices, err := tx.Devices(t.Tenant, t.User)
	if err != nil {
		return out, nil, err
	}
	if len(devices) >= maxDevices {
		return out, refuse(CodeDeviceLimit), nil
	}
	if _, err := tx.Device(d.ID); !errors.Is(err, ErrNotFound) { // what is refused does not use the ticket up
		return out, refuse(CodeDeviceBound), err
	}
	if used, err := tx.UseTicket(t.Hash, now); err != nil || !used {
		return out, refuse(CodeTicketInvalid), err
	}
	if err := tx.AddDevice(d); err != nil {
		return out, nil, err
	}
	account, err := tx.AccountByUser(t.Tenant, t.User)
	if err != nil {
		return out, nil, err
	}
	c := Challenge{Tenant: t.Tenant, Purpose: PurposeBind, Channel: ChannelBiometric, Subject: SubjectOf(t.User), User: t.User, Session: t.Session}
	if err := s.holdDevice(tx, account.User, now); err != nil {
		return out, nil, err
	}
	e := s.challengeEvent(by, EventBound, c, string(d.ID), now)
	if err := tx.AddEvents(e); err != nil {
		return out, nil, err
	}
	if err := s.notice(tx, account.User, TemplateBound, ChannelBiometric, now); err != nil {
		return out, nil, err
	}
	m, _ := current(account.Memberships)
	if tenant := s.dir.Load().tenants[t.Tenant]; tenant != nil {
		out.Service = tenant.Name
	}
	out.UserName = account.User.FullName()
	return out, nil, s.announce(tx, t.Tenant, s.challengeNews(c, m, StatusVerified, now)...)
}

// holdDevice makes sure that the user has an active authenticator of the channel BIOMETRIC that is not simulated.
func (s *Service) holdDevice(tx Tx, u User, now time.Time) error {
	bound, err := tx.Authenticators(u.Tenant, u.ID)
	if err != nil {
		return err
	}
	a := Authenticator{
		Tenant: u.Tenant, ID: string(newUserID()), User: u.ID, Kind: AuthenticatorDevice, Channel: ChannelBiometric,
		Status: AuthenticatorActive, CreatedAt: now, BoundAt: now,
	}
	i := slices.IndexFunc(bound, func(a Authenticator) bool { return a.Channel == ChannelBiometric })
	if i < 0 {
		return tx.AddAuthenticator(a)
	}
	a.ID, a.CreatedAt = bound[i].ID, bound[i].CreatedAt
	return tx.PutAuthenticator(a)
}

// certify makes the certificate of a binding. It outlives the keys that we publish: whoever keeps evidence keeps the key set with it.
func (s *Service) certify(ctx context.Context, d Device, t Ticket, now time.Time) (string, error) {
	if err := s.EnsureKeys(ctx, jose.ES256); err != nil { // the server may be a moment old
		return "", err
	}
	key, err := s.signer(jose.ES256)
	if err != nil {
		return "", err
	}
	claims := jose.Claims{
		"iss": s.issuer, "sub": string(d.User), "tid": string(d.Tenant), "device": string(d.ID), "device_name": d.Name, "sid": string(t.Session),
		"iat": now, "exp": now.Add(certificateFor), "cnf": map[string]any{"jkt": string(d.ID)}, "key": d.Key.String(), "aud": s.issuer,
	}
	if d.Passkey.ID != "" {
		claims["passkey"] = d.Passkey.claims()
	}
	return jose.Sign(key, typCertificate, claims)
}

// AuthenticateDevice lets a bound device in by a JWT that it made for the call: typ countersign-call+jwt, iss the device, aud our issuer,
// at most five minutes long. A blocked device may look and be unbound; it answers nothing.
//
// Errors: CodeInvalidToken, CodeMaintenance, CodeThrottled.
func (s *Service) AuthenticateDevice(ctx context.Context, token string, via Via) (Device, Actor, error) {
	by := Actor{Via: via}
	id, ok := jose.KeyID(token)
	if !ok {
		return Device{}, by, refuse(CodeInvalidToken)
	}
	var d Device
	err := s.store.View(ctx, func(r Reads) (err error) { d, err = r.Device(DeviceID(id)); return err })
	switch {
	case errors.Is(err, ErrNotFound):
		return d, by, refuse(CodeInvalidToken)
	case err != nil:
		return d, by, err
	}
	now := s.now()
	claims, err := jose.NewSet(d.Key).Verify(token, jose.Want{Typ: []string{typCall}, Issuer: string(d.ID), Audience: s.issuer, Now: now})
	if err != nil || d.Status == DeviceRevoked {
		return Device{}, by, &Error{Code: CodeInvalidToken, Cause: err}
	}
	made, _ := claims.Time("iat")
	ends, _ := claims.Time("exp")
	if ends.Sub(made) > deviceCallFor {
		return Device{}, by, refuse(CodeInvalidToken)
	}
	by.Tenant, by.Device = d.Tenant, d.ID
	if err := s.lookup(ctx, func(dir *directory) error { return dir.open(d.Tenant) }); err != nil {
		return Device{}, by, err
	}
	return d, by, s.chargeUser(d.Tenant, d.User, now)
}

// SetDevicePush has a device woken somewhere else, or, for the zero address, no more. Errors: CodePushInvalid, CodeInvalidToken.
func (s *Service) SetDevicePush(ctx context.Context, by Actor, id DeviceID, to PushAddress) error {
	if !to.IsZero() && !to.sound() {
		return refuseField(CodePushInvalid, "push")
	}
	return s.changeDevice(ctx, by, id, func(_ Tx, d *Device) (err error) {
		d.Push, err = s.sealPush(*d, to)
		return err
	})
}

// changeDevice changes the row of a device that is not revoked.
func (s *Service) changeDevice(ctx context.Context, by Actor, id DeviceID, change func(Tx, *Device) error) error {
	_, err := decide(ctx, s, by, func(tx Tx) (Device, *Error, error) {
		d, err := tx.Device(id)
		if err != nil || d.Status == DeviceRevoked || d.Tenant != by.Tenant {
			if err == nil || errors.Is(err, ErrNotFound) {
				return d, refuse(CodeInvalidToken), nil
			}
			return d, nil, err
		}
		if err := change(tx, &d); err != nil {
			return d, nil, err
		}
		return d, nil, putDevice(tx, d)
	})
	return err
}

func putDevice(tx Tx, d Device) error {
	d.Version++
	moved, err := tx.PutDevice(d, d.Version-1)
	if err != nil {
		return err
	}
	return raced(moved)
}

// UnbindKey invalidates a device at its own request: nobody else has its key, so no step-up is asked for. What is in flight on it goes on
// when the user has another device; the last one takes the authenticator with it.
func (s *Service) UnbindKey(ctx context.Context, by Actor, id DeviceID) error {
	return s.changeDevice(ctx, by, id, func(tx Tx, d *Device) error { return s.revokeDevice(tx, by, d, s.now()) })
}

// revokeDevice ends a device; whoever calls it writes the row. Step-ups that the user holds count no longer.
func (s *Service) revokeDevice(tx Tx, by Actor, d *Device, now time.Time) error {
	d.revoke(now)
	account, err := tx.AccountByUser(d.Tenant, d.User)
	if err != nil {
		return err
	}
	others, err := tx.Devices(d.Tenant, d.User)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(others, func(o Device) bool { return o.ID != d.ID && o.Status == DeviceActive }) {
		if err := s.dropDeviceChannels(tx, account.User); err != nil {
			return err
		}
	}
	if err := s.weaken(tx, account.User, now); err != nil {
		return err
	}
	if err := s.notice(tx, account.User, TemplateUnbound, ChannelBiometric, now); err != nil {
		return err
	}
	e := s.event(by, EventInvalidated, now)
	e.User, e.Reason = d.User, string(d.ID)
	return tx.AddEvents(e)
}

// revoke ends the device and forgets where it was woken.
func (d *Device) revoke(now time.Time) {
	d.Status, _ = d.Status.next(DeviceIsRevoked)
	d.EndedAt, d.Push, d.PIN = now, nil, ""
}

// revokeDevices ends all devices of the user of an authenticator that was invalidated, if they are what it is.
func (s *Service) revokeDevices(tx Tx, a Authenticator, now time.Time) error {
	if a.Channel != ChannelBiometric {
		return nil
	}
	devices, err := tx.Devices(a.Tenant, a.User)
	if err != nil {
		return err
	}
	for _, d := range devices {
		d.revoke(now)
		if err := putDevice(tx, d); err != nil {
			return err
		}
	}
	return s.dropDeviceChannels(tx, User{Tenant: a.Tenant, ID: a.User}) // nothing answers for the others any more
}

// dropDeviceChannels takes the authenticators away that a device answered for.
func (s *Service) dropDeviceChannels(tx Tx, u User) error {
	bound, err := tx.Authenticators(u.Tenant, u.ID)
	if err != nil {
		return err
	}
	for _, a := range bound {
		if a.Channel.Pushed() && !a.Simulated {
			if _, err := tx.DropAuthenticator(a.Tenant, a.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d Device) place() string { return "devices/" + string(d.Tenant) + "/" + string(d.ID) }

// sealPush seals an address for a device's row.
func (s *Service) sealPush(d Device, to PushAddress) ([]byte, error) {
	if to.IsZero() {
		return nil, nil
	}
	return s.pack(d.place(), to)
}

// pushAddress opens the address of a device; zero when there is none, or when it cannot be opened any more.
func (s *Service) pushAddress(d Device) PushAddress {
	var to PushAddress
	if len(d.Push) == 0 || s.unpack(d.place(), d.Push, &to) != nil {
		return PushAddress{}
	}
	return to
}

// same compares two texts of which one is a secret.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
