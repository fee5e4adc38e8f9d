package auth

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// maxShownBySMS is how long the list of what a code approves may be, in bytes: about as much as ten linked messages hold. A longer list
// is for a device to show.
const maxShownBySMS = 1200

// digestShown is how many hex digits of a challenge's digest a message shows.
const digestShown = 8

// Confirm sends a code by SMS that confirms all of some resources at once (contract/multi §2.9). The message says what they are. A session
// confirms one thing at a time: a challenge over others is cancelled.
//
// Errors: those of begin; CodeLocked, CodeChannelUnsupported, also when the list is too long for a message; CodeChannelUnbound,
// CodeTooSoon, CodeChallengeLimit, CodeThrottled; CodeNotPermitted for what only a root user confirms; CodeNoChallenge when a resource is
// unknown or another's, CodeExempt and CodeNotPending when one is not waiting.
func (s *Service) Confirm(ctx context.Context, by Actor, bearer string, channel Channel, refs []LinkRef) (Asked, error) {
	return s.confirm(ctx, by, bearer, channel, channel == ChannelSMS, refs)
}

// ConfirmDevice asks the user's device to confirm the same (contract/multi §2.9). Errors: those of Confirm, CodeChallengeFlying.
func (s *Service) ConfirmDevice(ctx context.Context, by Actor, bearer string, channel Channel, refs []LinkRef) (Asked, error) {
	return s.confirm(ctx, by, bearer, channel, channel.Pushed(), refs)
}

func (s *Service) confirm(ctx context.Context, by Actor, bearer string, channel Channel, fits bool, refs []LinkRef) (Asked, error) {
	b, err := s.begin(ctx, by, bearer, TokenAccess)
	if err != nil {
		return Asked{}, err
	}
	if !fits || !s.uses(by.Tenant, channel) {
		return Asked{}, s.refuseChallenge(ctx, by, b, PurposeConfirm, channel, refuse(CodeChannelUnsupported))
	}
	refs, now := inOrder(refs), s.now()
	return decide(ctx, s, by, func(tx Tx) (Asked, *Error, error) {
		account, no, err := s.challenged(tx, b, channel, now)
		var links []DynamicLink
		if err == nil && no == nil {
			links, no, err = s.confirmable(tx, b, refs)
		}
		if err != nil || no != nil {
			return Asked{}, no, s.noteChallenge(tx, by, b, PurposeConfirm, channel, no, err)
		}
		c := b.challenge(PurposeConfirm, channel)
		c.Links, c.Digest = refs, linkDigest(by.Tenant, links)
		c, no, err = s.ask(tx, by, account.User, c, links, now)
		return c.asked(), no, s.noteChallenge(tx, by, b, PurposeConfirm, channel, no, err)
	})
}

// inOrder sorts resources by number, without repetitions, so that a list is the same in whatever order it is asked for.
func inOrder(refs []LinkRef) []LinkRef {
	sorted := slices.SortedFunc(slices.Values(refs), func(a, b LinkRef) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return slices.Compact(sorted)
}

// confirmable reads resources that a bearer wants to confirm, or says why they cannot be. One that nobody registered and one of somebody
// else are refused alike.
func (s *Service) confirmable(r Reads, b Bearer, refs []LinkRef) ([]DynamicLink, *Error, error) {
	m, _ := b.membership()
	links := make([]DynamicLink, len(refs))
	for i, ref := range refs {
		if ref.Type == LinkDeclaration && m.Credential != Root {
			return nil, refuse(CodeNotPermitted), nil
		}
		l, err := r.Link(b.Token.Tenant, ref)
		switch {
		case errors.Is(err, ErrNotFound), err == nil && l.Identity != b.Token.Identity:
			return nil, refuse(CodeNoChallenge), nil
		case err != nil:
			return nil, nil, err
		case l.Status == LinkExempt:
			return nil, refuse(CodeExempt), nil
		case l.Status != LinkPending:
			return nil, refuse(CodeNotPending), nil
		}
		links[i] = l
	}
	if len(links) == 0 {
		return nil, refuse(CodeNoChallenge), nil
	}
	return links, nil, nil
}

// ask begins the challenge. A device fetches what it shows; its push says nothing of it.
func (s *Service) ask(tx Tx, by Actor, u User, c Challenge, links []DynamicLink, now time.Time) (Challenge, *Error, error) {
	if c.Channel.Pushed() {
		return s.push(tx, by, u, c, Message{Template: TemplateConfirm}, now)
	}
	if s.phoneFit(c.Tenant, u.Phone) != nil { // the contract has no word for why
		return c, refuse(CodeChannelUnbound), nil
	}
	lines := linesOf(links)
	if len(strings.Join(lines, "\n")) > maxShownBySMS {
		return c, refuse(CodeChannelUnsupported), nil
	}
	c.Target = u.Phone
	return s.sendCode(tx, by, u, c, Message{
		Template: TemplateConfirm, Kind: ParcelSMS, To: u.Phone, Approve: lines, Digest: digestText(c.Digest)[:digestShown],
	}, now)
}

// VerifyConfirm confirms, on proof of the code, all resources of a challenge at once. kind is the type that the caller takes them for.
//
// A challenge of another session, identity, purpose or type is refused; when it is the user's own, that counts like a wrong code
// (A-055, B-22).
//
// Errors: those of begin and of proveCode; CodeLocked, CodeChannelUnsupported, CodeChannelUnbound; CodeNoChallenge also when a resource is
// no longer what the user was shown, which cancels the challenge.
func (s *Service) VerifyConfirm(
	ctx context.Context, by Actor, bearer string, channel Channel, id ChallengeID, kind, code string,
) error {
	return s.verifyConfirm(ctx, by, bearer, channel, code, func(tx Tx, b Bearer, now time.Time) (Challenge, *Error, error) {
		c, err := tx.Challenge(by.Tenant, id)
		switch {
		case errors.Is(err, ErrNotFound), err == nil && c.User != b.User.ID:
			return Challenge{}, refuse(CodeNoChallenge), nil
		case err != nil:
			return Challenge{}, nil, err
		case c.confirms(b, channel) && c.Links[0].Type == kind:
			return c, nil, nil
		}
		mine := b.challenge(PurposeConfirm, channel)
		mine.ID = c.ID
		return Challenge{}, refuse(CodeNoChallenge), s.missed(tx, by, mine, now)
	})
}

// VerifyConfirmOf confirms one resource on proof of the code that was sent for it alone: the older form, in which no challenge is named.
// Errors: those of VerifyConfirm; CodeExempt and CodeNotPending when the resource is not waiting.
func (s *Service) VerifyConfirmOf(ctx context.Context, by Actor, bearer string, channel Channel, ref LinkRef, code string) error {
	return s.verifyConfirm(ctx, by, bearer, channel, code, func(tx Tx, b Bearer, _ time.Time) (Challenge, *Error, error) {
		if _, no, err := s.confirmable(tx, b, []LinkRef{ref}); err != nil || no != nil {
			return Challenge{}, no, err
		}
		c, err := s.prior(tx, b.challenge(PurposeConfirm, channel))
		if err == nil && (!c.confirms(b, channel) || len(c.Links) != 1 || c.Links[0] != ref) {
			return Challenge{}, refuse(CodeNoChallenge), nil
		}
		return c, nil, err
	})
}

// confirms reports whether a challenge asks a bearer, in this session and on behalf of this identity, for a confirmation.
func (c Challenge) confirms(b Bearer, channel Channel) bool {
	return c.Purpose == PurposeConfirm && c.Channel == channel && len(c.Links) > 0 &&
		c.Session == b.Session.ID && c.Identity == b.Token.Identity
}

// verifyConfirm judges a code against the challenge that find finds.
func (s *Service) verifyConfirm(
	ctx context.Context, by Actor, bearer string, channel Channel, code string,
	find func(Tx, Bearer, time.Time) (Challenge, *Error, error),
) error {
	b, err := s.begin(ctx, by, bearer, TokenAccess)
	if err != nil {
		return err
	}
	if channel != ChannelSMS || !s.uses(by.Tenant, channel) {
		return s.refuseChallenge(ctx, by, b, PurposeConfirm, channel, refuse(CodeChannelUnsupported))
	}
	now := s.now()
	_, err = decide(ctx, s, by, func(tx Tx) (Challenge, *Error, error) {
		account, no, err := s.challenged(tx, b, channel, now)
		var c Challenge
		if err == nil && no == nil {
			c, no, err = find(tx, b, now)
		}
		if err != nil || no != nil {
			return c, no, s.noteChallenge(tx, by, b, PurposeConfirm, channel, no, err)
		}
		if c.pending(now) {
			same, err := s.linksUnchanged(tx, c)
			if err != nil {
				return c, nil, err
			}
			if !same {
				return c, refuse(CodeNoChallenge), s.void(tx, by, c, now)
			}
		}
		was := c.Status
		c, no, err = s.proveCode(tx, by, c, account.User.Phone, code, now)
		switch {
		case err != nil:
			return c, nil, err
		case no == nil:
			return c, nil, s.confirmLinks(tx, c, account, now)
		case was == ChallengePending && c.Status == ChallengeFailed:
			return c, no, s.ended(tx, by, c, account, StatusDeclined, now)
		}
		return c, no, nil
	})
	return err
}
