package auth

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"countersign/internal/webauthn"
)

// Passkey is a key of a user's that an authenticator of theirs keeps and signs with (Web Authentication). It is good for one site.
type Passkey struct {
	Tenant         TenantID
	ID             string // the authenticator's id for it, in base64url; unique in the tenant
	User           UserID
	Version        int64  // of the row, from 1
	Username       string // that it was made with (contract/cis §1.11)
	Name           string // what Username is looked up by
	Label          string // the user's own name for it; empty: none
	Handle         []byte // of the user, as the authenticator keeps it
	Public         []byte // COSE_Key
	AAGUID         string // model of the authenticator, unproved
	Attachment     string // platform or cross-platform; empty: not said
	Transports     []string
	Site           string
	Client         ClientID // that it was bound for
	Counter        int64    // of signatures, as last seen; 0: the authenticator does not count
	Verified       bool     // its user was, at the latest use
	BackupEligible bool     // more than one device may hold it
	BackedUp       bool     // more than one device holds it
	CreatedAt      time.Time
	UsedAt         time.Time // zero: never
}

// maxPasskeys is how many a user may have.
const maxPasskeys = 20

// PasskeySubject is under what the failures of one passkey are counted: each has a counter of its own.
func PasskeySubject(id string) Subject { return Subject("passkey:" + id) }

// key is the part that proves.
func (p Passkey) key(id []byte) webauthn.Key {
	return webauthn.Key{ID: id, Public: p.Public, BackupEligible: p.BackupEligible}
}

// BindPasskey binds the passkey of a registration's result to the user of a session (contract/cis §1.11). Who has another way to prove
// already must have used two in the session, or a passkey (A-078, B-20).
//
// Errors: CodePasskeyInvalid, for whatever does not hold of the result; CodePasskeyForeign, CodePasskeyLimit, CodeStepUpRequired,
// CodeLocked, CodeChannelUnsupported.
func (s *Service) BindPasskey(ctx context.Context, by Actor, live LiveSession, result string) (BoundPasskey, error) {
	r, err := webauthn.ParseRegistration(result)
	if err != nil {
		return BoundPasskey{}, &Error{Code: CodePasskeyInvalid, Cause: err}
	}
	out, now := BoundPasskey{Ceremony: CeremonyID(r.Session)}, s.now()
	return decide(ctx, s, by, func(tx Tx) (BoundPasskey, *Error, error) {
		account, err := tx.AccountByUser(by.Tenant, live.User.ID)
		if err != nil {
			return out, nil, err
		}
		no, err := s.mayRefactor(tx, live, account, false)
		if err != nil {
			return out, nil, err
		}
		if no != nil {
			return out, no, tx.AddEvents(s.passkeyEvent(by, EventBindingRefused, account.User, live.Session.ID, no.Code.String(), now))
		}
		out.Passkey, no, err = s.bindPasskey(tx, by, r, account.User, live.Session.ID, nil, now)
		return out, no, err
	})
}

// newcomer is a user who is made with their first passkey, or not at all; nil: they are there.
type newcomer struct {
	user User
	ids  []Identifier
}

// add inserts the user, unless somebody has one of their identifiers. Verdict: CodeUserExists.
func (n *newcomer) add(tx Tx) (*Error, error) {
	for _, id := range n.ids {
		holder, err := tx.AccountByIdentifier(id.Tenant, id.Kind, id.Canonical, "")
		if err != nil {
			return nil, err
		}
		if holder.Found {
			return refuse(CodeUserExists), nil
		}
	}
	return nil, tx.AddUser(n.user, n.ids)
}

// bindPasskey checks a registration and binds its passkey to a user. Whatever it finds, the ceremony is used up.
func (s *Service) bindPasskey(
	tx Tx, by Actor, r webauthn.Registration, u User, session SessionID, made *newcomer, now time.Time,
) (Passkey, *Error, error) {
	p, no, err := s.newPasskey(tx, by, r, u, now)
	if err != nil {
		return p, nil, err
	}
	bound := s.passkeyEvent(by, EventBound, u, session, "", now)
	events := []Event{bound}
	if no == nil && made != nil {
		if no, err = made.add(tx); err != nil {
			return p, nil, err
		}
		created := s.event(by, EventUserCreated, now)
		created.User = u.ID
		events = []Event{created, bound}
	}
	if no != nil {
		if made != nil {
			u = User{}
		}
		return p, no, tx.AddEvents(s.passkeyEvent(by, EventBindingRefused, u, session, no.Code.String(), now))
	}
	if err := tx.AddPasskey(p); err != nil {
		return p, nil, err
	}
	if err := s.notice(tx, u, TemplateBound, ChannelPasskey, now); err != nil {
		return p, nil, err
	}
	return p, nil, tx.AddEvents(events...)
}

// newPasskey is the passkey of a registration, or why it may not become the user's.
//
// Verdicts: CodePasskeyInvalid, CodePasskeyForeign, CodePasskeyLimit.
func (s *Service) newPasskey(tx Tx, by Actor, r webauthn.Registration, u User, now time.Time) (Passkey, *Error, error) {
	site, err := s.site(by)
	if err != nil {
		return Passkey{}, nil, err
	}
	c, no, err := s.spend(tx, by, CeremonyID(r.Session), CeremonyBind, now)
	if err != nil || no != nil {
		return Passkey{}, no, err
	}
	policy := s.rules(by).passkey()
	site.ID = c.Site
	key, err := r.Verify(site, c.Challenge, policy.Verification == VerificationRequired)
	if err != nil {
		return Passkey{}, &Error{Code: CodePasskeyInvalid, Cause: err}, nil
	}
	if !policy.takes(key) || s.isDecoy(by.Tenant, key.ID) {
		return Passkey{}, refuse(CodePasskeyInvalid), nil
	}
	kind, name, err := passkeyName(c.Username)
	if err != nil {
		return Passkey{}, nil, err
	}
	holder, err := tx.AccountByIdentifier(by.Tenant, kind, name, "")
	if err != nil {
		return Passkey{}, nil, err
	}
	own, err := tx.PasskeysOf(by.Tenant, u.ID)
	if err != nil {
		return Passkey{}, nil, err
	}
	_, err = tx.Passkey(by.Tenant, webauthn.EncodeID(key.ID))
	switch {
	case err == nil: // it stays whose it is
		return Passkey{}, refuse(CodePasskeyInvalid), nil
	case !errors.Is(err, ErrNotFound):
		return Passkey{}, nil, err
	case holder.Found && holder.User.ID != u.ID: // whose claims would tell of another (B-07)
		return Passkey{}, refuse(CodePasskeyForeign), nil
	case len(own) >= maxPasskeys:
		return Passkey{}, refuse(CodePasskeyLimit), nil
	}
	return Passkey{
		Tenant: by.Tenant, ID: webauthn.EncodeID(key.ID), User: u.ID, Version: 1, Username: c.Username, Name: c.Name, Handle: c.Handle,
		Public: key.Public, AAGUID: key.AAGUID, Attachment: key.Attachment, Transports: key.Transports, Site: c.Site, Client: by.Client,
		Counter: int64(key.State.Counter), Verified: key.State.Verified, BackupEligible: key.BackupEligible, BackedUp: key.State.BackedUp,
		CreatedAt: now,
	}, nil, nil
}

// PasskeyBinding binds a passkey to the user whom the client knows by an id of its own.
type PasskeyBinding struct {
	Result     string
	ExternalID string
	Email      string // of a user who is made for it; empty: none
}

// BoundPasskey is a passkey that was bound.
type BoundPasskey struct {
	Passkey
	Ceremony CeremonyID // by which it was
	Created  bool       // its user was made with it
}

// BindPasskeyFor binds a passkey to the user with an external id, for a client who vouches for them, and makes the user if there is none
// (contract/cis §1.11).
//
// Errors: CodePasskeyInvalid, for whatever does not hold of the result; CodePasskeyForeign, CodePasskeyLimit, CodeUserExists,
// CodeUserInactive, CodeIdentifierInvalid, CodeChannelUnsupported.
func (s *Service) BindPasskeyFor(ctx context.Context, by Actor, in PasskeyBinding) (BoundPasskey, error) {
	r, err := webauthn.ParseRegistration(in.Result)
	if err != nil {
		return BoundPasskey{}, &Error{Code: CodePasskeyInvalid, Cause: err}
	}
	external, err := Canonical(ByExternalID, in.ExternalID)
	if err != nil {
		return BoundPasskey{}, err
	}
	now := s.now()
	made := newcomer{user: User{
		Tenant: by.Tenant, ID: newUserID(), Status: UserPending, StatusChangedAt: now, Epoch: 1, Email: in.Email, CreatedAt: now, UpdatedAt: now,
		Profile: Profile{ExternalUserID: in.ExternalID},
	}}
	if made.ids, err = identifiersOf(made.user); err != nil {
		return BoundPasskey{}, err
	}
	return decide(ctx, s, by, func(tx Tx) (BoundPasskey, *Error, error) {
		account, err := tx.AccountByIdentifier(by.Tenant, ByExternalID, external, "")
		if err != nil {
			return BoundPasskey{}, nil, err
		}
		out := BoundPasskey{Ceremony: CeremonyID(r.Session), Created: !account.Found}
		var no *Error
		switch {
		case account.User.Status == UserSuspended:
			e := s.passkeyEvent(by, EventBindingRefused, account.User, "", CodeUserInactive.String(), now)
			return out, refuse(CodeUserInactive), tx.AddEvents(e)
		case out.Created:
			out.Passkey, no, err = s.bindPasskey(tx, by, r, made.user, "", &made, now)
		default:
			out.Passkey, no, err = s.bindPasskey(tx, by, r, account.User, "", nil, now)
		}
		return out, no, err
	})
}

// PasskeyLogin is the result of an authentication by passkey.
type PasskeyLogin struct {
	Result string
	BackendGrant
	Session SessionID // join this live session of the same user; empty: open one
}

// AuthenticatePasskey authenticates the user of a passkey for a client of /cis (contract/cis §1.11). A result is taken once, on whatever
// node, for the client that its ceremony was begun for. Failures are counted for the passkey, and for one that nobody has alike.
//
// Errors: CodeThrottled; CodePasskeyInvalid, for whatever does not hold; CodeLocked; CodeChannelUnsupported; those of admitClient.
func (s *Service) AuthenticatePasskey(ctx context.Context, by Actor, in PasskeyLogin) (TokenSet, error) {
	a, err := webauthn.ParseAssertion(in.Result)
	if err != nil {
		return TokenSet{}, &Error{Code: CodePasskeyInvalid, Cause: err}
	}
	client, err := s.issuingClient(ctx, by)
	if err != nil {
		return TokenSet{}, err
	}
	if _, err := client.audience(in.Resource); err != nil {
		return TokenSet{}, err
	}
	if err := s.charge(by); err != nil {
		return TokenSet{}, err
	}
	now := s.now()
	set, err := decide(ctx, s, by, func(tx Tx) (TokenSet, *Error, error) {
		proved, no, err := s.provePasskey(tx, by, a, now)
		if err != nil || no != nil {
			return TokenSet{}, no, err
		}
		grant := in.BackendGrant
		grant.username, grant.approval = proved.passkey.Username, proved.ceremony.Approval
		return s.admitClient(tx, by, client, proved.account, proved.method(), grant, in.Session, now)
	})
	if err == nil {
		s.refund(by)
	}
	return set, err
}

// assertion is what is known of an assertion on its way.
type assertion struct {
	ceremony Ceremony
	passkey  Passkey // zero: nobody has it
	account  Account
	state    webauthn.State
}

// method is how the passkey has proved its user.
func (a assertion) method() Method {
	if a.state.Verified {
		return MethodPasskeyVerified
	}
	return MethodPasskey
}

// provePasskey judges an assertion and writes the outcome: the ceremony used up, the counter moved on, or one failure more.
//
// Verdicts: CodePasskeyInvalid, CodeLocked.
func (s *Service) provePasskey(tx Tx, by Actor, in webauthn.Assertion, now time.Time) (assertion, *Error, error) {
	a, subject, err := s.readAssertion(tx, by, in)
	if err != nil {
		return a, nil, err
	}
	refused := s.passkeyEvent(by, EventLoginRefused, a.account.User, "", CodePasskeyInvalid.String(), now)
	c, no, err := s.spend(tx, by, CeremonyID(in.Session), CeremonyAuthenticate, now)
	if err != nil {
		return a, nil, err
	}
	if a.ceremony = c; no != nil {
		return a, no, tx.AddEvents(refused)
	}
	p := proof{subject: subject, factor: AttemptPasskey, refused: refused, as: CodePasskeyInvalid}
	no, err = s.judged(tx, by, p, now, func() (why, err error) {
		why, err = s.checkAssertion(by, &a, in)
		if why == nil && err == nil && a.copied() {
			return errCopied, tx.AddEvents(s.passkeyEvent(by, EventCopied, a.account.User, "", "", now))
		}
		return why, err
	})
	if err != nil || no != nil {
		return a, no, err
	}
	return a, nil, movePasskey(tx, a, now)
}

// readAssertion reads the passkey that an assertion names and its user, and returns under whom its failure is counted.
func (s *Service) readAssertion(r Reads, by Actor, in webauthn.Assertion) (assertion, Subject, error) {
	var a assertion
	p, err := r.Passkey(by.Tenant, in.Key)
	if errors.Is(err, ErrNotFound) {
		return a, s.phantom(by.Tenant, "passkey", in.Key), nil
	}
	if err != nil {
		return a, "", err
	}
	a.passkey = p
	a.account, err = r.AccountByUser(by.Tenant, p.User)
	return a, PasskeySubject(p.ID), err
}

// checkAssertion says why an assertion does not prove its user, if it does not.
func (s *Service) checkAssertion(by Actor, a *assertion, in webauthn.Assertion) (why, err error) {
	site, err := s.site(by)
	if err != nil {
		return nil, err
	}
	site.ID = a.ceremony.Site
	p, c := a.passkey, a.ceremony
	switch {
	case p.ID == "":
		return CodeChannelUnbound, nil
	case len(c.Allowed) > 0 && !slices.Contains(c.Allowed, p.ID):
		return CodeForeignIdentity, nil
	case len(in.Handle) > 0 && !bytes.Equal(in.Handle, p.Handle), len(in.Handle) == 0 && len(c.Allowed) == 0: // WebAuthn §7.2, step 6
		return CodeUnknownUser, nil
	case p.Site != c.Site:
		return CodeChannelUnsupported, nil
	}
	verified := s.rules(by).passkey().Verification == VerificationRequired
	if a.state, err = in.Verify(site, c.Challenge, p.key(in.ID()), verified); err != nil {
		return err, nil
	}
	if a.account.User.Status == UserSuspended {
		return CodeSuspended, nil
	}
	return nil, nil
}

// copied reports whether the counter has not moved on: somebody else signs with the same key, or has (WebAuthn §6.1.1).
func (a assertion) copied() bool {
	return (a.state.Counter > 0 || a.passkey.Counter > 0) && int64(a.state.Counter) <= a.passkey.Counter
}

// movePasskey writes what a passkey has said of itself.
func movePasskey(tx Tx, a assertion, now time.Time) error {
	p := a.passkey
	p.Version++
	p.Counter, p.Verified, p.BackedUp, p.UsedAt = int64(a.state.Counter), a.state.Verified, a.state.BackedUp, now
	done, err := tx.PutPasskey(p, p.Version-1)
	return errors.Join(err, raced(done))
}

// passkeyEvent is an event about a passkey.
func (s *Service) passkeyEvent(by Actor, kind EventKind, u User, session SessionID, reason string, now time.Time) Event {
	e := s.event(by, kind, now)
	e.User, e.Session, e.Reason, e.Note = u.ID, session, reason, string(AttemptPasskey)
	return e
}
