package auth

import (
	"time"

	"countersign/internal/jose"
	"countersign/internal/seal"
)

// Party is a client that got tokens for what a user authorized in a session of the browser, and that is told when that session ends.
type Party struct {
	Tenant  TenantID
	Session SessionID // that its tokens live in: sid of its ID token
	Browser SessionID // in which the user authorized it
	User    UserID
	Client  ClientID
	EndsAt  time.Time // when neither of the two can be alive any more
}

// LogoutNotice is what a client is told of the end of a session (OIDC Back-Channel Logout §2.4).
type LogoutNotice struct {
	Client  ClientID
	User    UserID
	Session SessionID // sid
}

// logoutTokenFor is the life of a logout token, which is made anew for every try (OIDC Back-Channel Logout §2.4).
const logoutTokenFor = 2 * time.Minute

// endBrowsers ends all of a user's sessions of the login page, in the transaction of what ends them, and has every client told that got
// tokens in one of them. It returns those that it ended.
func (s *Service) endBrowsers(w Writes, t TenantID, id UserID, now time.Time, why EventKind) ([]Session, error) {
	ended, err := w.EndSessionsOf(t, id, SurfaceBrowser, "", now, string(why))
	if err != nil {
		return nil, err
	}
	return ended, s.tellParties(w, t, id, "", now)
}

// tellParties has the parties of a session of the browser told of its end, or those of all of the user's when it is empty, each once.
func (s *Service) tellParties(w Writes, t TenantID, id UserID, browser SessionID, now time.Time) error {
	parties, err := w.TakeParties(t, id, browser)
	if err != nil {
		return err
	}
	dir := s.dir.Load()
	var parcels []Parcel
	for _, party := range parties {
		if c := dir.clients[party.Client]; c == nil || c.Logout.URI == "" || !c.DisabledAt.IsZero() {
			continue
		}
		p := Parcel{Tenant: t, ID: newParcelID(), Kind: ParcelLogout, Status: ParcelPending, User: id, CreatedAt: now, DueAt: now}
		if p, err = s.seal(p, LogoutNotice{party.Client, party.User, party.Session}); err != nil {
			return err
		}
		parcels = append(parcels, p)
	}
	if len(parcels) == 0 {
		return nil
	}
	s.packed.Store(true)
	return w.AddParcels(parcels...)
}

// logoutDelivery is a logout token on its way. It is signed for this one try.
func (s *Service) logoutDelivery(d Delivery) (Delivery, error) {
	d.Logout = new(LogoutNotice)
	if s.open(d.Parcel, d.Logout) != nil {
		return d, errSealed
	}
	c := s.dir.Load().clients[d.Logout.Client]
	if c == nil || c.Logout.URI == "" || !c.DisabledAt.IsZero() {
		return d, errNoLogoutURI
	}
	now := s.now()
	token, err := s.sign(c, typLogout, jose.Claims{
		"iss": s.issuer, "sub": string(d.Logout.User), "aud": string(c.ID), "iat": now, "exp": now.Add(logoutTokenFor), "jti": randomText(16),
		"sid": string(d.Logout.Session), "events": map[string]any{logoutEvent: map[string]any{}},
	})
	d.URI, d.Token = c.Logout.URI, seal.NewSecret(token)
	return d, err
}

const (
	typLogout   = "logout+jwt"                                         // so that it passes for nothing else (B-37)
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout" // a name, not an address
)
