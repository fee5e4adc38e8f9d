package oidc

import (
	"net/http"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// crossOrigin are the paths that a client in a browser calls by script, with the methods that it may use. The others are for back ends, or
// are pages; no origin but our own has any business with them.
func crossOrigin() map[string]string {
	return map[string]string{
		"/oidc/token": "POST", "/cis/oidc/token": "POST", revocationPath: "POST", "/cis" + revocationPath: "POST", userInfoPath: "GET, POST",
		keysPath: "GET", configurationPath: "GET",
	}
}

// preflight answers a browser that asks whether a script of an origin may call us (Fetch §3.2.2). Who the client is does not stand in the
// question: an origin of any client will do, and the answer to the call itself is for its own alone.
func (a *API) preflight(methods string) httpx.Handler {
	return func(w *httpx.Response, r *http.Request) error {
		w.Header().Set("Allow", "OPTIONS, "+methods)
		if err := a.allowOrigin(w, r); err != nil {
			return err
		}
		if h := w.Header(); h.Get(allowOriginHeader) != "" {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
			h.Set("Access-Control-Max-Age", "300")
		}
		w.Empty(http.StatusNoContent)
		return nil
	}
}

const allowOriginHeader = "Access-Control-Allow-Origin"

// allowOrigin lets scripts of the clients' origins read what is public.
func (a *API) allowOrigin(w *httpx.Response, r *http.Request) error {
	w.Header().Set("Vary", "Origin") // also of an answer that a cache keeps for others
	origin := httpx.Single(r, "Origin")
	if origin == "" {
		return nil
	}
	known, err := a.auth.KnowsOrigin(r.Context(), origin)
	if err == nil && known {
		w.Header().Set(allowOriginHeader, origin)
	}
	return err
}

// allowOriginOf lets scripts of a client's own origins read what its call is answered. No cookie and no other credential of a browser comes
// with it: what the call needs, the script has brought.
func (a *API) allowOriginOf(w *httpx.Response, r *http.Request, by auth.Actor) {
	if origin := httpx.Single(r, "Origin"); origin != "" && a.auth.Client(by).HasOrigin(origin) {
		w.Header().Set(allowOriginHeader, origin)
		w.Header().Set("Vary", "Origin")
	}
}
