package auth

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"time"

	"countersign/internal/seal"
)

// ParcelID names a row of the outbox, and the delivery that it becomes: the same on every try.
type ParcelID string

// ParcelKind says who carries a parcel.
type ParcelKind string

const (
	ParcelSMS     ParcelKind = "sms"
	ParcelEmail   ParcelKind = "email"
	ParcelPush    ParcelKind = "push"
	ParcelWebhook ParcelKind = "webhook"
	ParcelLogout  ParcelKind = "logout" // tells a client that a session of the browser ended
	ParcelWake    ParcelKind = "wake"   // to one device, by its own push service; no message that counts
	ParcelDecoy   ParcelKind = "decoy"  // nobody: written where the lack of an e-mail would tell that there is nobody to read it
)

// called reports whether a parcel goes to a receiver that is called, and not to a person. It is tried for longer, and kept to be replayed.
func (k ParcelKind) called() bool { return k == ParcelWebhook || k == ParcelLogout }

// ParcelStatus is where a parcel stands.
type ParcelStatus string

const (
	ParcelPending   ParcelStatus = "pending"
	ParcelDelivered ParcelStatus = "delivered"
	ParcelFailed    ParcelStatus = "failed" // for good: a dead letter
)

// Parcel is an effect on the outside world that a transaction decided and a worker carries out: a message to a person, news for the
// tenant's webhook, or the end of a session for a client. It is written in the transaction of its cause, so that it happens if and only if its cause did (A-123, C-10).
//
// Its content is sealed in the store, since codes and tokens are among it, and is wiped when it has been carried.
type Parcel struct {
	Tenant      TenantID
	ID          ParcelID
	Kind        ParcelKind
	Status      ParcelStatus
	User        UserID // whom it concerns; empty: nobody in particular
	Sealed      []byte // Message, News or LogoutNotice; empty once carried
	CreatedAt   time.Time
	ExpiresAt   time.Time // after which carrying it makes no sense; zero: never
	DueAt       time.Time // of the next try
	LeasedUntil time.Time // a worker has it until then
	Tries       int       // begun
	SettledAt   time.Time // zero: pending
	Result      string    // of the latest try, for people; no secret, no address
}

// Template says what a message to a person is about; package notify holds its words.
type Template string

const (
	TemplateStepUp          Template = "step_up"          // code
	TemplateBind            Template = "bind"             // code: binds a phone
	TemplateConfirm         Template = "confirm"          // code, with what it approves
	TemplateRecovery        Template = "forgot_password"  // code and link; contract/multi §2.8
	TemplateVerifyEmail     Template = "verify_email"     // code and link
	TemplateInvite          Template = "create_password"  // code and link
	TemplateLogin           Template = "login"            // code; push: log in on another screen
	TemplateLoginLink       Template = "login_link"       // link
	TemplatePasswordChanged Template = "password_changed" // notice
	TemplateEmailChanged    Template = "email_changed"    // notice, to both addresses
	TemplatePhoneChanged    Template = "phone_changed"    // notice
	TemplateBound           Template = "bound"            // notice: an authenticator was bound
	TemplateUnbound         Template = "unbound"          // notice: an authenticator was invalidated
)

// Message is what a person is sent.
type Message struct {
	Template  Template
	Kind      ParcelKind  // ParcelSMS, ParcelEmail, ParcelPush or ParcelWake
	To        string      // E.164 number, e-mail address, or user id for a push
	Push      PushAddress // of the device that a push wakes; zero: whoever is behind the gateway knows
	Service   string      // who speaks: the tenant's name
	Name      string      // the person's first name; may be empty
	Locale    string      // as en or fr-CH; may be empty
	Brand     string      // of the embedder's template set; may be empty
	Code      string
	Link      string
	Challenge ChallengeID // what a push asks to answer
	Channel   Channel     // which authenticator it is about
	Approve   []string    // what is approved, a line each, in words
	Digest    string      // first hex digits of the hash of exactly that
	ExpiresAt time.Time   // of the code
}

// NewsKind is what a tenant's webhook is told; contract/multi §4.2.
type NewsKind string

const (
	NewsLogin               NewsKind = "login"
	NewsStepUp              NewsKind = "step_up"
	NewsAuthenticator       NewsKind = "authenticator"
	NewsConfirmed           NewsKind = "confirmed" // ours: the result of a confirmation challenge
	NewsUserDeactivated     NewsKind = "user_deactivated"
	NewsIdentityActivated   NewsKind = "identity_activated"
	NewsIdentityDeactivated NewsKind = "identity_deactivated"
)

// News is what happened, for the tenant's webhook.
type News struct {
	Kind       NewsKind
	At         time.Time
	User       UserID
	Credential CredentialType // towards Identity; empty: acts for nobody yet
	Identity   IdentityRef    // zero: none
	Challenge  ChallengeID    // empty: a password login
	Method     string         // PASSWORD, SMS, BIOMETRIC, AUTHY
	Status     string         // VERIFIED, DECLINED, EXPIRED; ACTIVE, INACTIVE
	Token      string         // of a login by device: to be exchanged
	Email      string         // of the user, or of the identity's root
	DoneBy     string         // UNDEFINED, ADMIN, INNOVATOR
	Reason     string         // reasonCode of a deactivation
	Links      []LinkRef      // NewsConfirmed
	Digest     string         // NewsConfirmed: hex
}

// Delivery is a parcel on its way, with its content.
type Delivery struct {
	Parcel
	Message *Message      // of what goes to a person; nil for the other kinds
	News    *News         // ParcelWebhook
	Webhook Webhook       // ParcelWebhook: where it goes
	Key     seal.Secret   // ParcelWebhook: signs; the tenant's oldest live API key (contract/multi §4.1)
	Logout  *LogoutNotice // ParcelLogout
	URI     string        // ParcelLogout: where it goes
	Token   seal.Secret   // ParcelLogout: what is said there
}

// Waits between the tries of a parcel. After the last one it has failed for good.
const (
	webhookTries    = 6 // one and five more: 10 s, 1 min, 6 min, 36 min, 3 h 36 min later (contract/multi §4.1)
	webhookWait     = 10 * time.Second
	webhookFactor   = 6
	messageTries    = 8
	messageWait     = 2 * time.Second
	messageFactor   = 2
	parcelLease     = time.Minute // longer than any carrier takes
	noticeFor       = 3 * 24 * time.Hour
	maxParcelResult = 200 // bytes
)

func (p Parcel) place() string { return "outbox/" + string(p.Tenant) + "/" + string(p.ID) }

// seal puts the content into a parcel.
func (s *Service) seal(p Parcel, content any) (Parcel, error) {
	var err error
	p.Sealed, err = s.pack(p.place(), content)
	return p, err
}

func (s *Service) open(p Parcel, content any) error { return s.unpack(p.place(), p.Sealed, content) }

// pack seals content for a place in the store; unpack opens what was packed for the same place.
func (s *Service) pack(place string, content any) ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(content); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return s.ring.Seal(place, b.Bytes())
}

func (s *Service) unpack(place string, sealed []byte, content any) error {
	plain, err := s.ring.Open(place, sealed)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return gob.NewDecoder(bytes.NewReader(plain)).Decode(content)
}

// tell packs messages to one person; they go out when the transaction is committed. What the messages have in common is filled in.
func (s *Service) tell(w Writes, u User, now time.Time, messages ...Message) error {
	tenant := s.dir.Load().tenants[u.Tenant]
	parcels := make([]Parcel, len(messages))
	for i, m := range messages {
		m.Name, m.Locale, m.Brand = u.Profile.FirstName, u.Profile.Locale, u.Profile.Brand
		if tenant != nil {
			m.Service = tenant.Name
		}
		p := Parcel{
			Tenant: u.Tenant, ID: newParcelID(), Kind: m.Kind, Status: ParcelPending, User: u.ID, CreatedAt: now, ExpiresAt: m.ExpiresAt, DueAt: now,
		}
		if p.ExpiresAt.IsZero() {
			p.ExpiresAt = now.Add(noticeFor)
		}
		var err error
		if parcels[i], err = s.seal(p, m); err != nil {
			return err
		}
		if p.Kind == ParcelDecoy { // what a stranger typed is not kept
			parcels[i].Status, parcels[i].SettledAt = ParcelDelivered, now
			clear(parcels[i].Sealed)
		}
	}
	s.packed.Store(true)
	return w.AddParcels(parcels...)
}

// notice packs a message about a change to the user's e-mail address, and to the former one if there is one.
func (s *Service) notice(w Writes, u User, t Template, c Channel, now time.Time, former ...string) error {
	var all []Message
	for _, to := range append([]string{u.Email}, former...) {
		if to != "" {
			all = append(all, Message{Template: t, Kind: ParcelEmail, To: to, Channel: c})
		}
	}
	if len(all) == 0 {
		return nil
	}
	return s.tell(w, u, now, all...)
}

// announce packs news for the tenant's webhook, if it has one.
func (s *Service) announce(w Writes, t TenantID, news ...News) error {
	tenant := s.dir.Load().tenants[t]
	if tenant == nil || tenant.Webhook.URL == "" || len(news) == 0 {
		return nil
	}
	parcels := make([]Parcel, len(news))
	for i, n := range news {
		p := Parcel{
			Tenant: t, ID: newParcelID(), Kind: ParcelWebhook, Status: ParcelPending, User: n.User, CreatedAt: n.At, DueAt: n.At,
		}
		var err error
		if parcels[i], err = s.seal(p, n); err != nil {
			return err
		}
	}
	s.packed.Store(true)
	return w.AddParcels(parcels...)
}

// nudge wakes the workers after a commit, if a parcel was written. One that is missed is found a second later.
func (s *Service) nudge() {
	s.bells.ring()
	if !s.packed.Swap(false) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Wake receives when a parcel may have been written. Parcels of other servers come without.
func (s *Service) Wake() <-chan struct{} { return s.wake }

// Queues lists the queues that have something to carry now. In the sandbox messages are not sent, only read in the inbox.
func (s *Service) Queues(ctx context.Context) ([]Queue, error) {
	var all, due []Queue
	err := s.store.View(ctx, func(r Reads) (err error) { all, err = r.Queues(s.now()); return err })
	for _, q := range all {
		if q.Kind.called() || !s.sandbox {
			due = append(due, q)
		}
	}
	return due, err
}

// ClaimParcels takes at most n parcels of a queue for one try, which must be settled within a minute; after that another worker tries.
func (s *Service) ClaimParcels(ctx context.Context, q Queue, n int) ([]Delivery, error) {
	now := s.now()
	var parcels []Parcel
	err := s.store.Write(ctx, func(w Writes) (err error) {
		parcels, err = w.ClaimParcels(q, now, now.Add(parcelLease), n)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.Resync(ctx); err != nil {
		return nil, err
	}
	all := make([]Delivery, 0, len(parcels))
	for _, p := range parcels {
		d, err := s.delivery(p)
		if err == nil && !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt) {
			err = errLate
		}
		if err != nil {
			if err := s.SettleParcel(ctx, d, err); err != nil {
				return all, err
			}
			continue
		}
		all = append(all, d)
	}
	return all, nil
}

// lost is an error that no further try can mend.
type lost string

func (l lost) Error() string   { return string(l) }
func (l lost) Permanent() bool { return true }

const (
	errLate        lost = "too late to be of use"
	errNoWebhook   lost = "the tenant has no webhook any more"
	errNoLogoutURI lost = "the client has no address for it any more"
	errNoKey       lost = "the tenant has no API key to sign with"
	errSealed      lost = "the content cannot be opened with the present master keys"
)

func (s *Service) delivery(p Parcel) (Delivery, error) {
	d := Delivery{Parcel: p}
	switch {
	case p.Kind == ParcelLogout:
		return s.logoutDelivery(d)
	case p.Kind != ParcelWebhook:
		d.Message = new(Message)
		if s.open(p, d.Message) != nil {
			return d, errSealed
		}
		return d, nil
	}
	d.News = new(News)
	if s.open(p, d.News) != nil {
		return d, errSealed
	}
	dir := s.dir.Load()
	if tenant := dir.tenants[p.Tenant]; tenant != nil {
		d.Webhook = tenant.Webhook
	}
	if d.Webhook.URL == "" {
		return d, errNoWebhook
	}
	oldest := signsNews(dir.APIKeys, p.Tenant)
	if oldest == nil {
		return d, errNoKey
	}
	key, err := s.ring.Open(oldest.place(), oldest.Sealed)
	d.Key = seal.NewSecret(string(key))
	if err != nil {
		return d, errSealed
	}
	return d, nil
}

// SettleParcel ends one try of a parcel: it was carried (outcome nil), or it is tried again later, or it has failed for good, which is an
// event. An outcome whose method Permanent() bool returns true is not tried again, and one with a method RetryAfter() time.Duration not
// before then. Its text is kept for operators.
func (s *Service) SettleParcel(ctx context.Context, d Delivery, outcome error) error {
	p, now := d.Parcel, s.now()
	p.LeasedUntil, p.Result = time.Time{}, "delivered"
	var events []Event
	switch next, again := p.nextTry(now, outcome); {
	case outcome == nil:
		p.Status, p.SettledAt = ParcelDelivered, now
	case again:
		p.DueAt, p.Result = next, clip(outcome.Error())
	default:
		p.Status, p.SettledAt, p.Result = ParcelFailed, now, clip(outcome.Error())
		e := s.event(Actor{Tenant: p.Tenant}, EventDeliveryFailed, now)
		e.User, e.Reason, e.Note = p.User, string(p.Kind), string(p.ID)
		events = append(events, e)
	}
	if !p.Kind.called() && p.Status != ParcelPending || p.Status == ParcelDelivered {
		p.Sealed = nil // codes and tokens are not kept longer than they are needed
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	err := s.store.Write(ctx, func(w Writes) error {
		if ours, err := w.SettleParcel(p); err != nil || !ours {
			return err
		}
		return w.AddEvents(events...)
	})
	var dead interface{ Gone() bool }
	if err != nil || p.Kind != ParcelWake || !errors.As(outcome, &dead) || !dead.Gone() {
		return err
	}
	return s.forgetPush(ctx, d)
}

// forgetPush drops the address of a device that its push service does not know any more, unless the device has given another since.
func (s *Service) forgetPush(ctx context.Context, d Delivery) error {
	return s.store.Update(ctx, func(tx Tx) error {
		device, err := tx.Device(DeviceID(d.Message.To))
		if err != nil || s.pushAddress(device).Token != d.Message.Push.Token {
			return ignoreMissing(err)
		}
		device.Push = nil
		return putDevice(tx, device)
	})
}

// nextTry is when a parcel that was not taken is tried again; false: never.
func (p Parcel) nextTry(now time.Time, outcome error) (time.Time, bool) {
	var hopeless interface{ Permanent() bool }
	if errors.As(outcome, &hopeless) && hopeless.Permanent() {
		return time.Time{}, false
	}
	tries, wait, factor := messageTries, messageWait, messageFactor
	if p.Kind.called() {
		tries, wait, factor = webhookTries, webhookWait, webhookFactor
	}
	if p.Tries >= tries {
		return time.Time{}, false
	}
	for range p.Tries - 1 {
		wait *= time.Duration(factor)
	}
	var asked interface{ RetryAfter() time.Duration }
	if errors.As(outcome, &asked) {
		wait = max(wait, asked.RetryAfter())
	}
	next := now.Add(wait)
	return next, p.ExpiresAt.IsZero() || next.Before(p.ExpiresAt)
}

func clip(text string) string { return text[:min(len(text), maxParcelResult)] }

// Parcels lists parcels without their content, newest first, at most n; an operator's.
func (s *Service) Parcels(ctx context.Context, f ParcelFilter, n int) ([]Parcel, error) {
	var all []Parcel
	err := s.store.View(ctx, func(r Reads) (err error) { all, err = r.Parcels(f, n); return err })
	for i := range all {
		all[i].Sealed = nil
	}
	return all, err
}

// ReplayParcel has a delivery to a webhook, or to a client, that failed for good tried again from the start, under the same id; an operator's. Errors:
// CodeNotFound, also for a delivery that is still being tried or was taken.
func (s *Service) ReplayParcel(ctx context.Context, t TenantID, id ParcelID) error {
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		found, err := tx.Parcels(ParcelFilter{Tenant: t, ID: id, Status: ParcelFailed, Kinds: []ParcelKind{ParcelWebhook, ParcelLogout}}, 1)
		if err != nil || len(found) == 0 {
			return orRefuse(err, CodeNotFound)
		}
		p := found[0]
		p.Status, p.DueAt, p.SettledAt, p.Result = ParcelPending, now, time.Time{}, "replayed"
		if done, err := tx.RestartParcel(p); err != nil || !done {
			return orRefuse(err, CodeNotFound)
		}
		e := s.event(Actor{Tenant: t}, EventDeliveryReplayed, now)
		e.User, e.Note = p.User, string(id)
		return tx.AddEvents(e)
	})
}
