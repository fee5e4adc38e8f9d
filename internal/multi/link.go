package multi

import (
	"net/http"

	"countersign/internal/auth"
)

// The registration of what is to be confirmed is ours: in the contract it is known to the vendor, who holds the payments.

type amount struct {
	Currency string `json:"currency"`
	Amount   int64  `json:"amount"`
}

type payee struct {
	Name    string `json:"name"`
	Account string `json:"account,omitzero"`
}

type linkRequest struct {
	Identity identityID `json:"identity"`
	Amount   amount     `json:"amount"`
	Payee    payee      `json:"payee"`
	Text     string     `json:"text"`
	Exempt   bool       `json:"exempt"`
}

type linkReply struct {
	ResourceType string     `json:"resourceType"`
	ID           string     `json:"id"`
	Status       string     `json:"status"`
	Identity     identityID `json:"identity"`
	Amount       *amount    `json:"amount,omitzero"`
	Payee        *payee     `json:"payee,omitzero"`
	Text         string     `json:"text,omitzero"`
	RegisteredAt string     `json:"registeredAt"`
	Digest       string     `json:"digest"`
	Evidence     *evidence  `json:"evidence,omitzero"`
}

type evidence struct {
	ID          string   `json:"scaChallengeId"`
	Digest      string   `json:"digest"`
	ResourceIDs []string `json:"resourceIds"`
	Channel     string   `json:"channel"`
	ConfirmedAt string   `json:"confirmedAt"`
	UserID      string   `json:"userId"`
}

func linkOf(s auth.LinkState) linkReply {
	reply := linkReply{
		ResourceType: s.Ref.Type, ID: s.Ref.ID, Status: string(s.Status), Identity: identityID{string(s.Identity.Type), s.Identity.ID},
		Text: s.Text, RegisteredAt: auth.Moment(s.CreatedAt), Digest: s.Digest,
	}
	if s.Currency != "" {
		reply.Amount = &amount{s.Currency, s.Amount}
	}
	if s.Payee != "" {
		reply.Payee = &payee{s.Payee, s.Account}
	}
	if e := s.Evidence; e.Challenge != "" {
		reply.Evidence = &evidence{
			ID: string(e.Challenge), Digest: e.Digest, Channel: string(e.Channel), ConfirmedAt: auth.Moment(e.At), UserID: string(e.User),
		}
		for _, ref := range e.Links {
			reply.Evidence.ResourceIDs = append(reply.Evidence.ResourceIDs, ref.ID)
		}
	}
	return reply
}

func (c *call) ref() auth.LinkRef {
	return auth.LinkRef{Type: c.r.PathValue("resourceType"), ID: c.r.PathValue("id")}
}

// registerLink says what is to be confirmed.
func (a *API) registerLink(c *call) error {
	var in linkRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	state, err := a.auth.RegisterLink(c.r.Context(), c.by, auth.Registration{
		Ref: c.ref(), Identity: auth.IdentityRef{Type: auth.IdentityType(in.Identity.Type), ID: in.Identity.ID},
		Currency: in.Amount.Currency, Amount: in.Amount.Amount, Payee: in.Payee.Name, Account: in.Payee.Account, Text: in.Text, Exempt: in.Exempt,
	})
	if err != nil {
		return stateInvalid(err, auth.CodeNotPending)
	}
	return c.w.JSON(http.StatusOK, linkOf(state))
}

// link returns where a resource stands.
func (a *API) link(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	state, err := a.auth.Link(c.r.Context(), c.by, c.ref())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, linkOf(state))
}
