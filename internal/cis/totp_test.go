package cis_test

import (
	"testing"

	"github.com/pquerna/otp/totp"

	"countersign/internal/httpx/httpxtest"
)

// TestTOTPReplies is one scenario over the operations of contract/cis §1.12.
func TestTOTPReplies(t *testing.T) {
	t.Parallel()
	tr := &transcript{server: serve(t)}
	client := tr.app
	const authenticatePath, mePath, newPath = "/cis/v1/auth/totp/authenticate", "/cis/v1/users/me/totp", "/cis/v1/auth/totp/register"
	set := tr.user()
	tr.app = set.AccessToken
	key := tr.do("register", tr.post(mePath, `{"label":"phone"}`))
	tr.do("register another", tr.post(newPath, ``))
	tr.do("replace it with a password alone", tr.post(newPath, `{"allow_override":true}`))
	tr.do("revoke it with a password alone", tr.post(mePath+"/revoke", ``))
	tr.app = client
	tr.do("register as a client", tr.post(mePath, `{}`))
	code, err := totp.GenerateCode(member(t, key, "secret"), tr.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	right := `{"token":"` + code + `","identifier":"ada@example.com","session_id":"` + string(set.Session) + `"}`
	in := tr.do("authenticate", tr.post(authenticatePath, right))
	tr.do("authenticate again", tr.post(authenticatePath, right))
	tr.do("authenticate a stranger", tr.post(authenticatePath, `{"token":"000000","identifier":"stranger","identifier_type":"username"}`))
	tr.do("authenticate by nothing", tr.post(authenticatePath, `{"identifier":"ada@example.com"}`))
	tr.app = member(t, in, "access_token")
	tr.do("replace", tr.post(newPath, `{"allow_override":true}`))
	tr.do("revoke", tr.post(mePath+"/revoke", ``))
	tr.do("revoke again", tr.post(mePath+"/revoke", `{}`))
	tr.app = client
	tr.do("unlock none", tr.post("/cis/v1/users/{user_id}/totp/unlock", ``), "user_id", "1001")
	tr.do("revoke nobody's", tr.post("/cis/v1/users/{user_id}/totp/revoke", ``), "user_id", "9")
	for range 5 {
		tr.post(authenticatePath, `{"token":"000000","identifier":"nobody@example.com"}`).Do(tr)
	}
	tr.do("locked", tr.post(authenticatePath, `{"token":"000000","identifier":"nobody@example.com"}`))
	httpxtest.Golden(t, "totp", tr.text.String(), *update)
}
