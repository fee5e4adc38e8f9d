package auth_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestAdmitClient is contract/cis §2.6: whatever proved the user, a session is opened or joined, and two different methods are mfa.
func TestAdmitClient(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	grant := auth.BackendGrant{Resource: authtest.Resource, Claims: auth.Named("email")}
	opened, err := e.AdmitClient(t.Context(), e.App(), authtest.Ada, auth.MethodSMS, grant, "")
	if err != nil {
		t.Fatal(err)
	}
	access, id := claimsOf(t, opened.AccessToken), claimsOf(t, opened.IDToken)
	if got, want := id["amr"], []any{"sms"}; !reflect.DeepEqual(got, want) || access["aud"] != authtest.Resource || id["email"] != "ada@example.com" {
		t.Errorf("opened: got %v and %v", access, id)
	}
	e.Clock.Advance(time.Hour)
	for _, tt := range []struct {
		m    auth.Method
		want []any
	}{{auth.MethodSMS, []any{"sms"}}, {auth.MethodEmail, []any{"sms", "eotp", "mfa"}}} {
		joined, err := e.AdmitClient(t.Context(), e.App(), authtest.Ada, tt.m, auth.BackendGrant{}, opened.Session)
		if err != nil {
			t.Fatal(err)
		}
		claims := claimsOf(t, joined.AccessToken)
		if joined.Session != opened.Session || !reflect.DeepEqual(claims["amr"], tt.want) || claims["auth_time"] != float64(e.Clock.Now().Unix()) {
			t.Errorf("joined by %s: got session %s and %v", tt.m, joined.Session, claims)
		}
	}
	if _, err := e.Refresh(t.Context(), e.App(), opened.RefreshToken); err != nil {
		t.Errorf("refresh: %v", err)
	}
	if _, err := e.AuthenticateSession(t.Context(), e.App(), opened.Session, auth.BackendGrant{}); err != nil {
		t.Errorf("session: %v", err)
	}
}

func TestAdmitClientRefusals(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	theirs, ended := authenticate(t, e, "charles"), authenticate(t, e, "ada")
	if err := e.LogoutSession(t.Context(), e.App(), ended.Session); err != nil {
		t.Fatal(err)
	}
	multi, err := e.Authenticate(t.Context(), e.Key(), login(t, e, "ada").Token, auth.TokenAccess)
	if err != nil {
		t.Fatal(err)
	}
	lock(t, e, "nobody")
	for _, tt := range []struct {
		name  string
		user  auth.UserID
		grant auth.BackendGrant
		join  auth.SessionID
		want  auth.Code
	}{
		{"locked", authtest.Nobody, auth.BackendGrant{}, "", auth.CodeLocked},
		{"suspended", authtest.Suspended, auth.BackendGrant{}, "", auth.CodeSuspended},
		{"no member", authtest.Ada, auth.BackendGrant{OrgID: "2001"}, "", auth.CodeNotMember},
		{"not the client's resource", authtest.Ada, auth.BackendGrant{Resource: "https://other.example"}, "", auth.CodeInvalidTarget},
		{"made up", authtest.Ada, auth.BackendGrant{}, "made up", auth.CodeSessionNotFound},
		{"ended", authtest.Ada, auth.BackendGrant{}, ended.Session, auth.CodeSessionNotFound},
		{"of /multi", authtest.Ada, auth.BackendGrant{}, multi.Session.ID, auth.CodeSessionNotFound},
		{"another's", authtest.Ada, auth.BackendGrant{}, theirs.Session, auth.CodeSessionForeign},
	} {
		before := len(rawEvents(t, e))
		set, err := e.AdmitClient(t.Context(), e.App(), tt.user, auth.MethodSMS, tt.grant, tt.join)
		if got := codeOf(err); got != tt.want || set != (auth.TokenSet{}) {
			t.Errorf("%s: got %v and %v, want %v", tt.name, got, set, tt.want)
		}
		after := rawEvents(t, e)[before:]
		if len(after) != 1 || after[0].Kind != auth.EventLoginRefused || after[0].Reason != tt.want.String() || after[0].User != tt.user {
			t.Errorf("%s: got events %v", tt.name, after)
		}
	}
}

// TestAdmitClientActivates is contract/cis §1.6: a user who was made by a call is active from the first authentication on.
func TestAdmitClientActivates(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	made, err := e.CreateUser(t.Context(), e.App(), auth.NewUser{Email: "new@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := e.AdmitClient(t.Context(), e.App(), made.User.ID, auth.MethodEmail, auth.BackendGrant{}, "")
	if err != nil {
		t.Fatal(err)
	}
	read, err := e.User(t.Context(), e.App(), made.User.ID)
	if err != nil || read.User.Status != auth.UserActive {
		t.Errorf("got %v, %v, want active", read.User.Status, err)
	}
	kinds := []auth.EventKind{}
	for _, ev := range rawEvents(t, e) {
		if ev.Session == set.Session {
			kinds = append(kinds, ev.Kind)
		}
	}
	if want := []auth.EventKind{auth.EventLogin, auth.EventTokenIssued}; !slices.Equal(kinds, want) {
		t.Errorf("got events %v, want %v", kinds, want)
	}
}
