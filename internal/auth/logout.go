package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign/internal/jose"
)

// LogoutRequest is what a client asks for when its user logs out in the browser (OIDC RP-Initiated Logout §2, contract/cis §1.5).
type LogoutRequest struct {
	Hint        string // an ID token of who is to be logged out (id_token_hint)
	Client      ClientID
	RedirectURI string // where the user goes afterwards; empty: nowhere
	State       string
	Tenants     []TenantID // whose session cookies the browser brought
}

// Logout is where a logout in the browser stands. What its page needs to know of it is here, and no more.
type Logout struct {
	Tenant      TenantID   // empty: no client was named
	Theme       Theme      // of the page, with the name to be shown
	App         string     // the client's, to be shown
	Form        string     // the page has to ask the user first, with this in its form; empty: the user is logged out, or did not want to be
	Stayed      bool       // the user did not want to be
	Over        []TenantID // whose session cookies are of no more use
	RedirectURI string     // where the user goes then; empty: nowhere
	State       string
}

// leaving is a logout on its way through the page that asks for it. It goes to the browser and comes back, under a keyed hash.
type leaving struct {
	Client      ClientID // empty: none was named
	RedirectURI string
	State       string
	Sessions    map[TenantID]SessionID // of the browser, that are to be ended
	BegunAt     time.Time
}

// sealLeaving keeps the form of this page from being taken for another's.
const sealLeaving = "logout form"

// EndSession ends the browser's session, and with it all of its user's in any browser, when the client shows by an ID token that it is this
// user whom it logs out; otherwise the user is asked, since any site can send a browser here. An ID token says who is meant and need not be
// live. One that is not of ours says nothing; one of another client, or another tenant's, is refused. A browser without a session has
// nothing to be asked for.
//
// Tokens that clients have got stay good until they expire; see endLogin.
//
// Errors: CodeRedirectInvalid for an unknown client and an address that is not registered, CodeRequestInvalid, CodeMaintenance.
func (s *Service) EndSession(ctx context.Context, in LogoutRequest, b Browser, via Via) (Logout, error) {
	l := leaving{RedirectURI: in.RedirectURI, State: in.State, Sessions: map[TenantID]SessionID{}, BegunAt: s.now()}
	client, subject, err := s.leavingClient(ctx, in)
	if err != nil {
		return Logout{}, err
	}
	tenants := in.Tenants
	if client != nil {
		l.Client, tenants = client.ID, []TenantID{client.Tenant}
	}
	for _, t := range tenants {
		by := Actor{Tenant: t, Client: l.Client, Via: via}
		live, err := s.anyBrowser(ctx, by, b.Session(t), l.BegunAt)
		if err != nil {
			return Logout{}, err
		}
		switch {
		case live.Session.ID == "":
		case subject != "" && live.User.ID == subject:
			if err := s.endLogin(ctx, by, live.User, l.BegunAt); err != nil {
				return Logout{}, err
			}
		default:
			l.Sessions[t] = live.Session.ID
		}
	}
	if len(l.Sessions) == 0 {
		return s.left(client, l, tenants), nil
	}
	out := s.left(client, l, nil)
	if client == nil && len(l.Sessions) == 1 {
		for t := range l.Sessions {
			out.Theme = s.theme(t)
		}
	}
	out.Form, err = s.signState(sealLeaving, l, b.Form)
	return out, err
}

// leavingClient is the client of a logout, and whom its hint names; no client, when none is named.
func (s *Service) leavingClient(ctx context.Context, in LogoutRequest) (client *Client, subject UserID, err error) {
	err = s.lookup(ctx, func(d *directory) error {
		client, subject = nil, ""
		if in.Client != "" {
			if client = d.clients[in.Client]; client == nil || !client.DisabledAt.IsZero() {
				return refuse(CodeRedirectInvalid)
			}
		}
		want := jose.Want{Typ: []string{typID}, Issuer: s.issuer, Audience: jose.AnyAudience, Now: s.now(), AnyAge: true}
		if claims, err := d.public.Verify(in.Hint, want); in.Hint != "" && err == nil {
			audience, _ := claims.String("aud")
			tenant, _ := claims.String("tid")
			hinted := d.clients[ClientID(audience)]
			if hinted == nil || !hinted.DisabledAt.IsZero() || string(hinted.Tenant) != tenant || client != nil && client != hinted {
				return refuseField(CodeRequestInvalid, "id_token_hint")
			}
			who, _ := claims.String("sub")
			client, subject = hinted, UserID(who)
		}
		if in.RedirectURI != "" && (client == nil || !slices.Contains(client.Logout.RedirectURIs, in.RedirectURI)) {
			return refuseField(CodeRedirectInvalid, "post_logout_redirect_uri")
		}
		if client == nil {
			return nil
		}
		return d.open(client.Tenant)
	})
	return client, subject, err
}

// LogoutAnswer is what a user sent from the page that asks whether to log out.
type LogoutAnswer struct {
	Form string
	Stay bool
}

// AnswerLogout takes it. Errors: CodeFormInvalid, CodeRedirectInvalid, CodeMaintenance.
func (s *Service) AnswerLogout(ctx context.Context, in LogoutAnswer, b Browser, via Via) (Logout, error) {
	var l leaving
	if err := s.openState(sealLeaving, in.Form, b.Form, &l); err != nil {
		return Logout{}, err
	}
	now := s.now()
	if !now.Before(l.BegunAt.Add(authorizeFor)) {
		return Logout{}, refuse(CodeFormInvalid)
	}
	client, _, err := s.leavingClient(ctx, LogoutRequest{Client: l.Client, RedirectURI: l.RedirectURI})
	if err != nil {
		return Logout{}, err
	}
	if in.Stay {
		out := s.left(client, l, nil)
		out.Stayed, out.RedirectURI, out.State = true, "", ""
		return out, nil
	}
	var over []TenantID
	for t, id := range l.Sessions {
		by := Actor{Tenant: t, Client: l.Client, Via: via}
		live, err := s.anyBrowser(ctx, by, b.Session(t), now)
		if err != nil {
			return Logout{}, err
		}
		if live.Session.ID != id && live.Session.ID != "" {
			continue // somebody has logged in since
		}
		if over = append(over, t); live.Session.ID == id {
			if err := s.endLogin(ctx, by, live.User, now); err != nil {
				return Logout{}, err
			}
		}
	}
	return s.left(client, l, over), nil
}

// left describes a logout that is done.
func (s *Service) left(client *Client, l leaving, over []TenantID) Logout {
	out := Logout{Over: over, RedirectURI: l.RedirectURI, State: l.State}
	if client != nil {
		out.Tenant, out.App, out.Theme = client.Tenant, orElseText(client.AppName, string(client.ID)), s.theme(client.Tenant)
	}
	return out
}

// endLogin ends every session of the login page that a user has in the tenant, and has clients told (contract/cis §1.5). What their
// tokens live in stays: the contract says that no token is revoked, and a refresh token is only given for use in the user's absence. So do
// the sessions that clients' back ends opened, which are another kind (contract/cis §2.6).
func (s *Service) endLogin(ctx context.Context, by Actor, u User, now time.Time) error {
	return s.update(ctx, by, func(tx Tx) error {
		ended, err := s.endBrowsers(tx, by.Tenant, u.ID, now, EventLogout)
		if err != nil {
			return err
		}
		_, err = s.noteLogouts(tx, by, u, ended, now)
		return err
	})
}

// noteLogouts writes the events of sessions that were ended, leaving out those that had run out by themselves, and counts them. What only
// an organization's suspension held up had not: it would have been alive again.
func (s *Service) noteLogouts(w Writes, by Actor, u User, ended []Session, now time.Time) (int, error) {
	var events []Event
	for _, session := range ended {
		session.EndedAt, session.Org = time.Time{}, IdentityRef{}
		if !(LiveSession{Session: session, User: u}).alive(now) {
			continue
		}
		e := s.event(by, EventLogout, now)
		e.User, e.Session = u.ID, session.ID
		events = append(events, e)
	}
	for some := range slices.Chunk(events, sessionBatch) {
		if err := w.AddEvents(some...); err != nil {
			return 0, err
		}
	}
	return len(events), nil
}

// check says why a client may not be registered with these addresses. A browser goes to those of the first kind, and we call the second.
func (l ClientLogout) check() error {
	for _, uri := range l.RedirectURIs {
		if err := redirectable(uri); err != nil {
			return fmt.Errorf("post-logout redirect URI %s: %w", uri, err)
		}
	}
	if l.URI == "" {
		return nil
	}
	if err := CheckReceiver(l.URI); err != nil {
		return fmt.Errorf("back-channel logout URI: %w", err)
	}
	return nil
}

// CheckReceiver says why a text is no URL that could ever be called to tell something. The error does not repeat it, for some carry a token.
func CheckReceiver(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || strings.Contains(text, "#") {
		return errors.New("must be one of https or http, without fragment and user")
	}
	if port, err := strconv.ParseUint(cmp.Or(u.Port(), "443"), 10, 16); err != nil || port == 0 {
		return errors.New("must have a port from 1 to 65535, or none")
	}
	return nil
}
