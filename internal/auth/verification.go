package auth

import (
	"context"
	"slices"
)

// AddressKind says whose e-mail address is to be verified; contract/multi has a path for each.
type AddressKind int

const (
	AddressOfMember    AddressKind = iota // of a user whom a root user authorised
	AddressOfCorporate                    // of a root user of a corporate
	AddressOfConsumer                     // of a root user of a consumer
)

// holds is the membership that makes a user's address one of the kind.
func (k AddressKind) holds(m Membership) bool {
	switch k {
	case AddressOfMember:
		return m.Credential == Member
	case AddressOfCorporate:
		return m.Credential == Root && m.Identity.Ref.Type == Corporate
	}
	return m.Credential == Root && m.Identity.Ref.Type == Consumer
}

func (k AddressKind) of(a Account) (Membership, bool) {
	i := slices.IndexFunc(a.Memberships, k.holds)
	if i < 0 {
		return Membership{}, false
	}
	return a.Memberships[i], true
}

// unverified are the users whom a code that verifies an address can be for.
func (k AddressKind) unverified(a Account) bool {
	_, holds := k.of(a)
	return holds && notSuspended(a) && a.User.EmailVerifiedAt.IsZero()
}

// SendEmailCode sends a code to an e-mail address that verifies it (contract/multi §2.8). It succeeds for an address that nobody has, for
// one that is verified, and when too many were sent.
//
// Errors: CodeIdentifierInvalid; with Settings.RevealAccounts CodeEmailNotFound and, but for a member's, CodeAlreadyVerified.
func (s *Service) SendEmailCode(ctx context.Context, by Actor, kind AddressKind, email string) error {
	canonical, err := Canonical(ByEmail, email)
	if err != nil {
		return err
	}
	if err := s.replayed(ctx, by); err != nil {
		return err
	}
	now, reveal := s.now(), s.settings(by.Tenant).RevealAccounts
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		a, read, err := s.byMail(tx, by.Tenant, addressee{ByEmail, canonical, kind.unverified})
		if err != nil {
			return Challenge{}, nil, err
		}
		m, _ := kind.of(a)
		c := mailed(a, PurposeVerifyEmail, m.Identity.Ref)
		var told *Error
		switch _, holds := kind.of(read); {
		case reveal && !holds:
			told = refuse(CodeEmailNotFound)
		case reveal && kind != AddressOfMember && !read.User.EmailVerifiedAt.IsZero():
			told = refuse(CodeAlreadyVerified)
		}
		if told != nil {
			return c, told, tx.AddEvents(s.challengeEvent(by, EventChallengeRefused, c, told.Code.String(), now))
		}
		c, no, err := s.mail(tx, by, a, c, TemplateVerifyEmail, canonical, now)
		if err != nil || no == nil {
			return c, nil, err
		}
		return c, nil, tx.AddEvents(s.challengeEvent(by, EventChallengeRefused, c, no.Code.String(), now))
	})
	return err
}

// VerifyEmail notes that an address is the user's, on proof of the code that was sent there (contract/multi §2.8).
//
// Errors: CodeIdentifierInvalid, CodeThrottled; CodeWrongOTP, whatever the reason.
func (s *Service) VerifyEmail(ctx context.Context, by Actor, kind AddressKind, email, code string) error {
	canonical, err := Canonical(ByEmail, email)
	if err != nil {
		return err
	}
	if err := s.charge(by); err != nil {
		return err
	}
	p := mailProof{addressee{ByEmail, canonical, kind.unverified}, PurposeVerifyEmail, code, CodeWrongOTP, ""}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		a, c, no, err := s.proveMailed(tx, by, p, now)
		if err != nil || no != nil {
			return c, no, err
		}
		return c, nil, s.verifyEmail(tx, by, c, a.User, now)
	})
	if err == nil {
		s.refund(by)
	}
	return err
}
