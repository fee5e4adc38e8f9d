package webhook

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"countersign/internal/auth"
)

// logOut posts a logout token to a client, once (OIDC Back-Channel Logout §2.5). A client that answers 400 has refused it, for good.
func (c *Carrier) logOut(ctx context.Context, d auth.Delivery) error {
	u, err := receiver(d.URI)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	body := url.Values{"logout_token": {d.Token.Reveal()}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	if err != nil {
		return &failure{reason: "the URL is not one", permanent: true}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Countersign")
	return c.post(r)
}
