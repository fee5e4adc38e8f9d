package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/currency"
)

// LinkRef names something that an embedder wants confirmed: a type of the Multi contract and the embedder's own id.
type LinkRef struct {
	Type string // outgoing_wire_transfers, sends, linked_account_declaration, correspondent_bank_transfers, beneficiaries_batch
	ID   string // decimal digits
}

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
	Account   string // of the payee, as the user is shown it
	Text      string // whatever else the user is to see
	CreatedAt time.Time
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

// linkDigest hashes exactly what the user is shown of all resources of a challenge: every field with its length before it, so that no two
// lists of resources make the same bytes. One digit of one amount changes it (RTS Art. 5(1)(b), A-071).
func linkDigest(t TenantID, links []DynamicLink) [32]byte {
	h := sha256.New()
	put := func(text string) { fmt.Fprintf(h, "%d:%s,", len(text), text) }
	put("countersign/link/v1")
	put(string(t))
	for _, l := range links {
		for _, field := range []string{
			l.Ref.Type, l.Ref.ID, l.Identity.String(), l.Currency, strconv.FormatInt(l.Amount, 10), l.Payee, l.Account, l.Text,
		} {
			put(field)
		}
	}
	return [32]byte(h.Sum(nil))
}

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

// linkLines is what the user is shown of a challenge's resources, a line each; none for another purpose.
func (s *Service) linkLines(r Reads, c Challenge) ([]string, error) {
	links, err := linksOf(r, c)
	lines := make([]string, len(links))
	for i, l := range links {
		lines[i] = l.line()
	}
	return lines, err
}

// confirmLinks marks the resources of an approved challenge as confirmed, with news. Whoever calls it has seen that they are unchanged.
func (s *Service) confirmLinks(tx Tx, by Actor, c Challenge, account Account, now time.Time) error {
	if err := s.moveLinks(tx, c, LinkIsConfirmed, now); err != nil {
		return err
	}
	m := membershipFor(account.Memberships, c.Identity)
	return s.announce(tx, c.Tenant, s.challengeNews(c, m, StatusVerified, now)...)
}

// failLinks marks the resources of a challenge that did not succeed. An unanswered one leaves them pending: the user may be asked again.
func (s *Service) failLinks(tx Tx, c Challenge, now time.Time) error {
	if now.Before(c.ExpiresAt) {
		return s.moveLinks(tx, c, LinkIsFailed, now)
	}
	return nil
}

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
		l.Status, l.UpdatedAt, l.Challenge = status, now, c.ID
		l.Version++
		if moved, err := tx.PutLink(l, l.Version-1); err != nil || !moved {
			return errors.Join(err, raced(moved))
		}
	}
	return nil
}

// line is what a user is shown of one resource.
func (l DynamicLink) line() string {
	var parts []string
	if l.Currency != "" {
		parts = append(parts, money(l.Amount, l.Currency))
	}
	if l.Payee != "" {
		parts = append(parts, "to "+l.Payee)
	}
	if l.Account != "" {
		parts = append(parts, l.Account)
	}
	if l.Text != "" {
		parts = append(parts, l.Text)
	}
	return strings.Join(parts, ", ")
}

// money writes an amount of minor units, as EUR 12.34 or JPY 1234.
func money(amount int64, code string) string {
	digits := 2
	if unit, err := currency.ParseISO(code); err == nil {
		digits, _ = currency.Standard.Rounding(unit)
	}
	sign := ""
	n := uint64(amount)
	if amount < 0 {
		sign, n = "-", uint64(-amount)
	}
	text := strconv.FormatUint(n, 10)
	if digits == 0 {
		return code + " " + sign + text
	}
	if len(text) <= digits {
		text = strings.Repeat("0", digits+1-len(text)) + text
	}
	return code + " " + sign + text[:len(text)-digits] + "." + text[len(text)-digits:]
}
