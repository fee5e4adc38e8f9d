package auth

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Registration is what an embedder's back end wants a user to confirm. At least one of an amount, a payee and a text is there.
type Registration struct {
	Ref      LinkRef
	Identity IdentityRef // on whose behalf it is confirmed
	Currency string      // ISO 4217; empty: no amount
	Amount   int64       // minor units, not negative
	Payee    string
	Account  string // of the payee
	Text     string
	Exempt   bool // the embedder lets it through without a challenge
}

// LinkState is a resource as its embedder sees it.
type LinkState struct {
	DynamicLink
	Digest   string   // hex, of this resource alone
	Evidence Evidence // zero: not confirmed
}

// Evidence says who confirmed a resource, how, and exactly what.
type Evidence struct {
	Challenge ChallengeID
	Digest    string    // hex, of all resources of the challenge
	Links     []LinkRef // those resources, in the order of the digest
	Channel   Channel
	At        time.Time
	User      UserID
}

// How long the texts of a registration may be, in characters.
const (
	maxPayee    = 140 // as in ISO 20022
	maxAccount  = 64
	maxLinkText = 140
)

// validate refuses what could not be shown to a user as it is.
func (in Registration) validate() error {
	switch in.Ref.Type {
	case LinkWireTransfer, LinkCorrespondent, LinkSend, LinkDeclaration, LinkBeneficiaries:
	default:
		return refuseField(CodeLinkInvalid, "resourceType")
	}
	switch {
	case !isDigits(in.Ref.ID):
		return refuseField(CodeLinkInvalid, "id")
	case in.Currency == "" && in.Payee == "" && in.Text == "":
		return refuseField(CodeLinkEmpty, "amount")
	case in.Currency != "" && !isCurrency(in.Currency):
		return refuseField(CodeLinkInvalid, "amount.currency")
	case in.Amount < 0, in.Currency == "" && in.Amount != 0:
		return refuseField(CodeLinkInvalid, "amount.amount")
	case !showable(in.Payee, maxPayee), in.Payee == "" && in.Account != "":
		return refuseField(CodeLinkInvalid, "payee.name")
	case !showable(in.Account, maxAccount):
		return refuseField(CodeLinkInvalid, "payee.account")
	case !showable(in.Text, maxLinkText):
		return refuseField(CodeLinkInvalid, "text")
	}
	return nil
}

// showable reports whether a text, which may be absent, reads the same for whoever wrote it and for whoever is shown it: no control
// characters, no line breaks, nothing that turns the direction of what follows or is not there to be seen. It carries no link, since a
// message about money must not. Joiners are letters' own business in several scripts.
func showable(text string, longest int) bool {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > longest || strings.Contains(text, "://") {
		return false
	}
	seen := text == ""
	for _, r := range text {
		if !unicode.IsGraphic(r) && r != zeroWidthNonJoiner && r != zeroWidthJoiner {
			return false
		}
		seen = seen || !unicode.IsSpace(r)
	}
	return seen
}

// RegisterLink says what is to be confirmed, or says it anew: every challenge over what it was before is void then. The same said twice
// changes nothing, so that a call may be repeated. One that was confirmed stays as it is.
//
// Errors: CodeLinkInvalid and CodeLinkEmpty with Error.Field, CodeNotFound for the identity, CodeNotPending when it was confirmed.
func (s *Service) RegisterLink(ctx context.Context, by Actor, in Registration) (LinkState, error) {
	if err := in.validate(); err != nil {
		return LinkState{}, err
	}
	now := s.now()
	return decide(ctx, s, by, func(tx Tx) (LinkState, *Error, error) {
		if _, err := tx.Identity(by.Tenant, in.Identity); err != nil {
			if errors.Is(err, ErrNotFound) {
				return LinkState{}, refuse(CodeNotFound), nil
			}
			return LinkState{}, nil, err
		}
		prior, err := tx.Link(by.Tenant, in.Ref)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return LinkState{}, nil, err
		}
		l := in.link(by.Tenant, prior, now)
		switch {
		case prior.Status == LinkConfirmed:
			return LinkState{}, refuse(CodeNotPending), nil
		case prior.says(l):
			return s.linkState(tx, prior)
		}
		if moved, err := tx.PutLink(l, prior.Version); err != nil || !moved {
			return LinkState{}, nil, errors.Join(err, raced(moved))
		}
		e := s.event(by, EventLinkRegistered, now)
		e.Identity, e.Note = l.Identity, l.Ref.Type+" "+l.Ref.ID+" "+string(l.Status)
		if err := tx.AddEvents(e); err != nil {
			return LinkState{}, nil, err
		}
		return s.linkState(tx, l)
	})
}

// link is the row of a registration that follows another, which may be none.
func (in Registration) link(t TenantID, prior DynamicLink, now time.Time) DynamicLink {
	l := DynamicLink{
		Tenant: t, Ref: in.Ref, Version: prior.Version + 1, Identity: in.Identity, Status: LinkPending, Currency: in.Currency, Amount: in.Amount,
		Payee: in.Payee, Account: in.Account, Text: in.Text, CreatedAt: now, UpdatedAt: now,
	}
	if in.Exempt {
		l.Status = LinkExempt
	}
	if prior.Version > 0 && !now.After(prior.CreatedAt) { // the clock of another server is ahead
		l.CreatedAt = prior.CreatedAt.Add(time.Microsecond)
	}
	return l
}

// says reports whether a resource stands as another registration would have it.
func (l DynamicLink) says(other DynamicLink) bool {
	other.Version, other.CreatedAt, other.UpdatedAt = l.Version, l.CreatedAt, l.UpdatedAt
	return l == other
}

// Link returns where a resource stands. Error: CodeNotFound.
func (s *Service) Link(ctx context.Context, by Actor, ref LinkRef) (LinkState, error) {
	var state LinkState
	err := s.store.View(ctx, func(r Reads) error {
		l, err := r.Link(by.Tenant, ref)
		if err != nil {
			return err
		}
		state, _, err = s.linkState(r, l)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return LinkState{}, refuse(CodeNotFound)
	}
	return state, err
}

func (s *Service) linkState(r Reads, l DynamicLink) (LinkState, *Error, error) {
	state := LinkState{DynamicLink: l, Digest: digestText(linkDigest(l.Tenant, []DynamicLink{l}))}
	if l.Status != LinkConfirmed {
		return state, nil, nil
	}
	c, err := r.Challenge(l.Tenant, l.Challenge)
	state.Evidence = Evidence{
		Challenge: c.ID, Digest: digestText(c.Digest), Links: c.Links, Channel: c.Channel, At: c.EndedAt, User: c.User,
	}
	return state, nil, err
}
