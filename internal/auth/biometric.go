package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"
)

// KeyRegistration is a key that a device made for its user.
type KeyRegistration struct {
	ID     string
	Public string // see parsePublicKey
	Type   KeyType
	OS     string
	Name   string
}

// RegisterKey lets a device's key log the user of a session in (contract/cis §1.10). Who has a second factor must have used one in the
// session.
//
// Errors: CodeKeyMalformed, CodeKeyWeak, CodeKeyLimit, CodeKeyExists, CodeLocked, CodeStepUpRequired.
func (s *Service) RegisterKey(ctx context.Context, by Actor, live LiveSession, in KeyRegistration) error {
	key, no := parsePublicKey(in.Public)
	if no == nil && key.typ != in.Type {
		no = refuse(CodeKeyWeak)
	}
	if no != nil {
		return no
	}
	now := s.now()
	_, err := decide(ctx, s, by, func(tx Tx) (struct{}, *Error, error) {
		none := struct{}{}
		account, err := tx.AccountByUser(by.Tenant, live.User.ID)
		if err != nil {
			return none, nil, err
		}
		no, err := s.mayRefactor(tx, live, account, false)
		if err == nil && no == nil {
			no, err = s.addKey(tx, UserKey{
				Tenant: by.Tenant, User: account.User.ID, Use: KeyBiometric, ID: in.ID, Version: 1, Type: key.typ, Public: key.der, OS: in.OS,
				Name: in.Name, CreatedAt: now, UpdatedAt: now,
			})
		}
		switch {
		case err != nil:
			return none, nil, err
		case no != nil:
			return none, no, tx.AddEvents(s.keyChange(by, EventBindingRefused, live, no.Code.String(), now))
		}
		if err := s.notice(tx, account.User, TemplateBound, ChannelBiometric, now); err != nil {
			return none, nil, err
		}
		return none, nil, tx.AddEvents(s.keyChange(by, EventBound, live, "", now))
	})
	return err
}

// DropOwnKey takes a key from the user of a session, which must rest on two methods. What is in flight for the user is cancelled.
//
// Errors: CodeNotFound, CodeLocked, CodeStepUpRequired.
func (s *Service) DropOwnKey(ctx context.Context, by Actor, live LiveSession, id string) error {
	now := s.now()
	_, err := decide(ctx, s, by, func(tx Tx) (struct{}, *Error, error) {
		none := struct{}{}
		account, err := tx.AccountByUser(by.Tenant, live.User.ID)
		if err != nil {
			return none, nil, err
		}
		k, err := keyOf(tx, by.Tenant, live.User.ID, KeyBiometric, id)
		if err != nil {
			return none, nil, err
		}
		no := refuse(CodeNotFound)
		if k.Version > 0 {
			no, err = s.mayRefactor(tx, live, account, true)
		}
		switch {
		case err != nil:
			return none, nil, err
		case no != nil:
			return none, no, tx.AddEvents(s.keyChange(by, EventBindingRefused, live, no.Code.String(), now))
		}
		return none, nil, s.dropKey(tx, by, account, live, k, now)
	})
	return err
}

// dropKey deletes a key that logs its user in.
func (s *Service) dropKey(tx Tx, by Actor, account Account, live LiveSession, k UserKey, now time.Time) error {
	if dropped, err := tx.DropUserKey(k.Tenant, k.User, k.Use, k.ID); err != nil || !dropped {
		return errors.Join(err, raced(dropped))
	}
	if err := s.weaken(tx, account.User, now); err != nil {
		return err
	}
	if err := s.notice(tx, account.User, TemplateUnbound, ChannelBiometric, now); err != nil {
		return err
	}
	return tx.AddEvents(s.keyChange(by, EventInvalidated, live, "", now))
}

// keyChange is an event about a key of a user's.
func (s *Service) keyChange(by Actor, kind EventKind, live LiveSession, reason string, now time.Time) Event {
	e := s.event(by, kind, now)
	e.User, e.Session, e.Reason, e.Note = live.User.ID, live.Session.ID, reason, string(AttemptKey)
	return e
}

// KeyChallengeRequest asks for a challenge that a key of a user's is to sign (contract/cis §1.10).
type KeyChallengeRequest struct {
	Kind       IdentifierKind
	Identifier string
	Approval   string        // a JSON object in canonical form that the signature is to cover; empty: none
	For        time.Duration // its life; zero: KeyChallengeFor
}

// KeyChallengeFor is how long a challenge for a key is good, unless it is asked for otherwise.
const KeyChallengeFor = 5 * time.Minute

// keyNonceBytes make a challenge unguessable.
const keyNonceBytes = 24

// StartKeyLogin makes a challenge for a key of a user's to sign: good once, for a while, for this user and this client. The SHA-256 of what
// the user approves is in it, so that whoever signs it signs that. For an identifier that nobody has it makes one that
// nothing answers.
//
// Errors: CodeIdentifierInvalid, CodeLocked.
func (s *Service) StartKeyLogin(ctx context.Context, by Actor, in KeyChallengeRequest) (string, error) {
	canonical, err := Canonical(in.Kind, in.Identifier)
	if err != nil {
		return "", err
	}
	if in.For == 0 {
		in.For = KeyChallengeFor
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (string, *Error, error) {
		who, no, err := s.loginBy(tx, by.Tenant, in.Kind, canonical, now)
		if err != nil {
			return "", nil, err
		}
		c := who.challenge(by.Tenant, PurposeLoginKey, ChannelKey)
		if no != nil {
			return "", no, s.noteUnsent(tx, by, c, no, nil, now)
		}
		c.ID, c.Version, c.Status, c.CreatedAt, c.SentAt, c.ExpiresAt = newChallengeID(), 1, ChallengePending, now, now, now.Add(in.For)
		c.Digest, c.Approval = s.bound(by, PurposeLoginKey, ""), in.Approval
		text := s.keyChallenge(by, c)
		c.CodeHash = s.codeHash(c, text)
		if err := tx.AddChallenge(c); err != nil {
			return "", nil, err
		}
		return text, nil, tx.AddEvents(s.challengeEvent(by, EventChallenged, c, "", now))
	})
}

// keyChallenge is the text of a challenge of ours: its id, and then in base64url a nonce, the SHA-256 of what is approved, and a tag by
// which we know it again, also when it is long forgotten. The tag is of the tenant and the client.
func (s *Service) keyChallenge(by Actor, c Challenge) string {
	body := make([]byte, keyNonceBytes, keyNonceBytes+sha256.Size+tokenTagBytes)
	rand.Read(body)
	shown := sha256.Sum256([]byte(c.Approval))
	body = append(body, shown[:]...)
	tag := s.keyTag(by.Tenant, string(c.ID), body)
	return string(c.ID) + "." + base64.RawURLEncoding.EncodeToString(append(body, tag...))
}

func (s *Service) keyTag(t TenantID, id string, body []byte) []byte {
	tag := s.mac.Sum("key challenge", []byte(t), []byte(id), body)
	return tag[:tokenTagBytes]
}

// issuedKeyChallenge reports whether a challenge is one of ours for the tenant, and its id.
func (s *Service) issuedKeyChallenge(t TenantID, text string) (ChallengeID, bool) {
	id, rest, found := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	if !found || err != nil || len(raw) != keyNonceBytes+sha256.Size+tokenTagBytes {
		return "", false
	}
	body, tag := raw[:len(raw)-tokenTagBytes], raw[len(raw)-tokenTagBytes:]
	return ChallengeID(id), subtle.ConstantTimeCompare(s.keyTag(t, id, body), tag) == 1
}

// KeyLogin is a challenge that a device signed.
type KeyLogin struct {
	User      UserID
	Key       string
	Challenge string // ours, or one that the client made
	Signature string
	BackendGrant
	Session SessionID // join this live session of the same user; empty: open one
}

// AuthenticateUserKey logs a user in on proof of a key of theirs. A challenge of ours is good once; and so is one that the client made,
// which is remembered for KeyChallengeMemory. Failures are counted by key.
//
// Errors: CodeInvalidTarget, CodeThrottled, CodeLocked; CodeWrongAssertion, which does not tell whether there is such a user or key,
// whether the user is suspended, or what is wrong with the challenge; those of admitClient.
func (s *Service) AuthenticateUserKey(ctx context.Context, by Actor, in KeyLogin) (TokenSet, error) {
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
		phantom := s.phantom(by.Tenant, ByUserID, string(in.User))
		account, err := tx.AccountByIdentifier(by.Tenant, ByUserID, string(in.User), phantom)
		if err != nil {
			return TokenSet{}, nil, err
		}
		approval, no, err := s.proveKey(tx, by, account, in, now)
		if err != nil || no != nil {
			return TokenSet{}, no, err
		}
		grant := in.BackendGrant
		grant.approval = approval
		return s.admitClient(tx, by, client, account, MethodDevice, grant, in.Session, now)
	})
	if err == nil {
		s.refund(by)
	}
	return set, err
}

// keyProof is what became of a signature.
type keyProof struct {
	key      UserKey
	approval string     // that the challenge covers
	issued   *Challenge // ours; nil: the client made it
	why      *Error     // it is not accepted, for the event alone; nil: it is
}

// proveKey judges a signature and writes the outcome: its challenge spent, or one failure more.
//
// Verdicts: CodeLocked, CodeWrongAssertion.
func (s *Service) proveKey(tx Tx, by Actor, account Account, in KeyLogin, now time.Time) (string, *Error, error) {
	k, err := keyOf(tx, by.Tenant, in.User, KeyBiometric, in.Key)
	if err != nil {
		return "", nil, err
	}
	p := proof{subject: k.subject(), factor: AttemptKey, refused: s.event(by, EventLoginRefused, now), as: CodeWrongAssertion}
	if k.Version == 0 {
		p.subject = s.phantom(by.Tenant, ByUserID, string(in.User)+"/"+in.Key)
	}
	p.refused.User, p.refused.Note = account.User.ID, string(AttemptKey)
	var signed keyProof
	no, err := s.judged(tx, by, p, now, func() (why, err error) {
		signed, err = s.judgeKey(tx, by, account, k, in, now)
		return orNone(signed.why), err
	})
	if err != nil || no != nil {
		return "", no, err
	}
	return signed.approval, nil, s.spendKeyProof(tx, by, signed, now)
}

// judgeKey says why a signature is not accepted, if it is not. It does the same work for a key that is not there.
func (s *Service) judgeKey(tx Tx, by Actor, account Account, k UserKey, in KeyLogin, now time.Time) (keyProof, error) {
	proof := keyProof{key: k}
	held := s.decoyKey.verifies
	if k.Version > 0 {
		key, err := k.open()
		if err != nil {
			return proof, err
		}
		held = key.verifies
	}
	right := held(in.Challenge, in.Signature)
	switch {
	case !account.Found:
		proof.why = refuse(CodeUnknownUser)
	case k.Version == 0:
		proof.why = refuse(CodeChannelUnbound)
	case !right || len(in.Challenge) < minKeyChallenge:
		proof.why = refuse(CodeWrongAssertion)
	case account.User.Status == UserSuspended:
		proof.why = refuse(CodeSuspended)
	}
	return proof, s.judgeChallenge(tx, by, account, in, &proof, now)
}

// judgeChallenge looks what was signed up, also when the signature is wrong.
func (s *Service) judgeChallenge(tx Tx, by Actor, account Account, in KeyLogin, proof *keyProof, now time.Time) error {
	id, ours := s.issuedKeyChallenge(by.Tenant, in.Challenge)
	if !ours {
		if s.settings(by.Tenant).IssuedOnly && proof.why == nil {
			proof.why = refuse(CodeNoChallenge)
		}
		if proof.why != nil {
			return nil
		}
		first, err := tx.UseChallenge(by.Tenant, s.spentDigest(proof.key, in.Challenge), now.Add(KeyChallengeMemory))
		if err == nil && !first {
			proof.why = refuse(CodeNoChallenge)
		}
		return err
	}
	c, err := tx.Challenge(by.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		c, err = Challenge{}, nil
	}
	if err != nil {
		return err
	}
	hash := s.codeHash(c, in.Challenge)
	good := c.Purpose == PurposeLoginKey && c.pending(now) && c.User == account.User.ID && c.User != "" &&
		c.Digest == s.bound(by, PurposeLoginKey, "") && subtle.ConstantTimeCompare(hash[:], c.CodeHash[:]) == 1
	if !good && proof.why == nil {
		proof.why = refuse(CodeNoChallenge)
	}
	proof.issued, proof.approval = &c, c.Approval
	return nil
}

// spentDigest is what is kept of a challenge that a client made.
func (s *Service) spentDigest(k UserKey, challenge string) [32]byte {
	return s.mac.Sum("spent challenge", []byte(k.User), []byte(k.Use), []byte(k.ID), []byte(challenge))
}

// spendKeyProof writes a signature that held: its challenge is used up.
func (s *Service) spendKeyProof(tx Tx, by Actor, proof keyProof, now time.Time) error {
	if proof.issued != nil {
		if _, err := s.putApproved(tx, by, *proof.issued, now); err != nil {
			return err
		}
	}
	k := proof.key
	k.UsedAt = now
	k.Version++
	done, err := tx.PutUserKey(k, k.Version-1)
	return errors.Join(err, raced(done))
}
