package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// LinkRef names something that an embedder wants confirmed: a type of the Multi contract and the embedder's own id.
type LinkRef struct {
	Type string // one of the types below
	ID   string // decimal digits
}

// What can be confirmed; contract/multi §1.5, §2.9.
const (
	LinkWireTransfer  = "outgoing_wire_transfers"
	LinkCorrespondent = "correspondent_bank_transfers"
	LinkSend          = "sends"
	LinkDeclaration   = "linked_account_declaration" // by a root user alone
	LinkBeneficiaries = "beneficiaries_batch"
)

// LinkStatus is where the confirmation of a resource stands. The moves are in LinkStatus.next.
type LinkStatus string

const (
	LinkPending   LinkStatus = "PENDING_CHALLENGE"
	LinkConfirmed LinkStatus = "CHALLENGE_COMPLETED"
	LinkFailed    LinkStatus = "CHALLENGE_FAILED"
	LinkExempt    LinkStatus = "EXEMPT" // the embedder let it through; RTS Art. 10 to 18
)

// DynamicLink fixes amount and payee of one resource, so that a user's confirmation is good for exactly them (RTS Art. 5, A-071). We
// hold no payments: the embedder's back end says what is to be confirmed.
type DynamicLink struct {
	Tenant    TenantID
	Ref       LinkRef
	Version   int64 // of the row, from 1; each registration raises it
	Identity  IdentityRef
	Status    LinkStatus
	Currency  string // ISO 4217; empty: no amount
	Amount    int64  // minor units
	Payee     string
	Account   string    // of the payee, as the user is shown it
	Text      string    // whatever else the user is to see
	CreatedAt time.Time // of the registration, which no other registration of the same resource shares
	UpdatedAt time.Time
	Challenge ChallengeID // that confirmed it; empty: none
}

// LinkEvent moves the status of a resource that is to be confirmed.
type LinkEvent string

const (
	LinkIsConfirmed LinkEvent = "confirmed"
	LinkIsFailed    LinkEvent = "failed"
)

// next returns the status that follows; the second value is false where the move is not allowed. Registering a resource anew makes it
// pending, whatever it was, unless it was confirmed.
func (s LinkStatus) next(e LinkEvent) (LinkStatus, bool) {
	switch {
	case s != LinkPending:
		return s, false
	case e == LinkIsConfirmed:
		return LinkConfirmed, true
	case e == LinkIsFailed:
		return LinkFailed, true
	}
	return s, false
}

// linkDigest hashes exactly what the user is shown of all resources of a challenge, and which registration of each it is. One digit of one
// amount changes it, and a change that was taken back does too (RTS Art. 5(1)(b) to (d), A-071). docs/confirmation.md tells embedders how
// to make it.
func linkDigest(t TenantID, links []DynamicLink) [32]byte { return sha256.Sum256(linkText(t, links)) }

// linkText is the canonical form: every field with its length in bytes before it, so that no two lists of resources make the same text.
func linkText(t TenantID, links []DynamicLink) []byte {
	var text []byte
	put := func(field string) { text = fmt.Appendf(text, "%d:%s,", len(field), field) }
	put("countersign/link/v1")
	put(string(t))
	for _, l := range links {
		for _, field := range []string{
			l.Ref.Type, l.Ref.ID, Moment(l.CreatedAt), l.Identity.String(), l.Currency, strconv.FormatInt(l.Amount, 10), l.Payee, l.Account,
			l.Text,
		} {
			put(field)
		}
	}
	return text
}

// Moment is a time as it is told and hashed: RFC 3339 in UTC, always with six digits of a second.
func Moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// linksOf reads the resources of a challenge; ErrNotFound when one is gone.
func linksOf(r Reads, c Challenge) ([]DynamicLink, error) {
	links := make([]DynamicLink, len(c.Links))
	for i, ref := range c.Links {
		var err error
		if links[i], err = r.Link(c.Tenant, ref); err != nil {
			return nil, err
		}
	}
	return links, nil
}

// linksUnchanged reports whether the resources of a challenge wait for it still and are, to the digit, what the user is shown.
func (s *Service) linksUnchanged(r Reads, c Challenge) (bool, error) {
	links, err := linksOf(r, c)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	for _, l := range links {
		if l.Status != LinkPending {
			return false, err
		}
	}
	return err == nil && linkDigest(c.Tenant, links) == c.Digest, err
}

// linkLines is what the user is shown of a challenge's resources, a line each; none for another purpose, and none when they are no longer
// what the challenge is about.
func (s *Service) linkLines(r Reads, c Challenge) ([]string, error) {
	if same, err := s.linksUnchanged(r, c); err != nil || !same || len(c.Links) == 0 {
		return nil, err
	}
	links, err := linksOf(r, c)
	return linesOf(links), err
}

func linesOf(links []DynamicLink) []string {
	lines := make([]string, len(links))
	for i, l := range links {
		lines[i] = l.line()
	}
	return lines
}

// confirmLinks marks the resources of an approved challenge as confirmed, with news. Whoever calls it has seen that they are unchanged.
func (s *Service) confirmLinks(tx Tx, c Challenge, account Account, now time.Time) error {
	if err := s.moveLinks(tx, c, LinkIsConfirmed, now); err != nil {
		return err
	}
	m := membershipFor(account.Memberships, c.Identity)
	return s.announce(tx, c.Tenant, s.challengeNews(c, m, StatusVerified, now)...)
}

// moveLinks moves the resources of a challenge that are still pending.
func (s *Service) moveLinks(tx Tx, c Challenge, e LinkEvent, now time.Time) error {
	links, err := linksOf(tx, c)
	if err != nil {
		return err
	}
	for _, l := range links {
		status, ok := l.Status.next(e)
		if !ok {
			continue
		}
		l.Status, l.UpdatedAt = status, now
		if status == LinkConfirmed {
			l.Challenge = c.ID
		}
		l.Version++
		if moved, err := tx.PutLink(l, l.Version-1); err != nil || !moved {
			return errors.Join(err, raced(moved))
		}
	}
	return nil
}
