package auth

import (
	"context"
	"net/url"
	"slices"
)

// origins are those of a client's redirect URIs, as browsers write them (RFC 6454 §6.2): what comes back there may as well call us from
// there. An app of its own scheme has none.
func (c *Client) origins() []string {
	var all []string
	for _, uri := range c.RedirectURIs {
		if u, err := url.Parse(uri); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
			all = append(all, originOf(u))
		}
	}
	return all
}

// originOf leaves out a port that is the scheme's own, as browsers do. Registered hosts are ASCII in lower case where browsers send them so;
// any other is one that no origin equals.
func originOf(u *url.URL) string {
	host := u.Host
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = host[:len(host)-len(port)-1]
	}
	return u.Scheme + "://" + host
}

// HasOrigin reports whether an origin is one of the client's: the same text, for a prefix or a pattern is somebody else's (A-139, B-63).
func (c Client) HasOrigin(origin string) bool {
	return slices.Contains(c.origins(), origin)
}

// KnowsOrigin reports whether an origin is one of any client that is not disabled.
func (s *Service) KnowsOrigin(ctx context.Context, origin string) (bool, error) {
	err := s.lookup(ctx, func(d *directory) error {
		if !d.origins[origin] {
			return refuse(CodeNotFound)
		}
		return nil
	})
	if CodeOf(err) == CodeNotFound {
		return false, nil
	}
	return err == nil, err
}
