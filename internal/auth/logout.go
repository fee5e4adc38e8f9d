package auth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

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
	u, err := url.Parse(l.URI)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || strings.Contains(l.URI, "#") {
		return errors.New("back-channel logout URI: must be one of https or http, without fragment and user")
	}
	return nil
}
