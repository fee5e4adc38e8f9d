package auth_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"path"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// TestOrganizationLogo: whoever administers the tenant uploads it, its address is another one each time, and it goes with the organization.
func TestOrganizationLogo(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[1].Clients[0].Kind = auth.ClientManagement })
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString(b.Bytes())
	uri := "data:image/png;base64," + encoded
	rival := auth.Actor{Tenant: authtest.Rival, Client: "rival-app"}
	refusedWith(t, "an application's own client", second(e.SetOrganizationLogo(t.Context(), e.App(), enginesID, uri)), auth.CodeClientRefused)
	refusedWith(t, "another tenant", second(e.SetOrganizationLogo(t.Context(), rival, enginesID, uri)), auth.CodeNotFound)
	refusedWith(t, "no image", second(e.SetOrganizationLogo(t.Context(), e.Admin(), enginesID, "data:image/png;base64,AAAA")), auth.CodeValueInvalid)
	var ids []string
	for range 2 {
		m, err := e.SetOrganizationLogo(t.Context(), e.Admin(), enginesID, uri)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, path.Base(m.Organization.LogoURL))
	}
	_, _, err := e.OrganizationLogo(t.Context(), ids[0])
	refusedWith(t, "the former one", err, auth.CodeNotFound)
	if media, got, err := e.OrganizationLogo(t.Context(), ids[1]); err != nil || media != "image/png" || got != encoded {
		t.Errorf("got %s, %q, %v", media, got, err)
	}
	if n := count(events(t, e), "identity_changed"); n != 2 {
		t.Errorf("got %d events, want 2", n)
	}
	if err := e.DeleteOrganization(t.Context(), e.Admin(), enginesID); err != nil {
		t.Fatal(err)
	}
	_, _, err = e.OrganizationLogo(t.Context(), ids[1])
	refusedWith(t, "of an organization that has gone", err, auth.CodeNotFound)
}
