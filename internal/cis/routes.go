// Package cis serves /cis/v1/…: the back-end authentication part of the Transmit Security contract.
//
// It owns the wire structs of that contract and the bytes of its errors. It owns no rule: a handler decodes, calls the domain and
// replies. The OAuth endpoints beside it are package oidc's. Where we differ from the vendor on purpose is in docs/cis.md.
package cis

import (
	"fmt"
	"net/http"

	"countersign/api"
	"countersign/internal/auth"
	"countersign/internal/httpx"
)

// API is the dialect over a domain.
type API struct {
	auth *auth.Service
	doc  *httpx.Doc
}

// New reads the dialect's OpenAPI document.
func New(s *auth.Service) (*API, error) {
	doc, err := httpx.LoadDoc(api.CIS())
	if err != nil {
		return nil, fmt.Errorf("load cis.yaml: %w", err)
	}
	return &API{auth: s, doc: doc}, nil
}

// Doc is the document that requests are checked against; package oidc shares it.
func (a *API) Doc() *httpx.Doc { return a.doc }

// route is one operation; every one needs a client's own access token.
type route struct {
	method, path string
	shape        shape // of its errors
	handle       func(*API, *call) error
}

func routes() []route {
	return []route{
		{"POST", "/cis/v1/auth/password/authenticate", numeric, (*API).authenticatePassword},
		{"POST", "/cis/v1/auth/session/authenticate", numeric, (*API).authenticateSession},
		{"POST", "/cis/v1/auth/session/logout", numeric, (*API).logoutSession},
		{"POST", "/cis/v1/auth/token/refresh", numeric, (*API).refreshToken},
		{"POST", "/cis/v1/users", numeric, (*API).createUser},
		{"GET", "/cis/v1/users/{user_id}", numeric, (*API).getUser},
		{"GET", "/cis/v1/users/email/{email}", numeric, userBy(auth.ByEmail, "email")},
		{"GET", "/cis/v1/users/username/{username}", numeric, userBy(auth.ByUsername, "username")},
		{"GET", "/cis/v1/users/phone-number/{phone_number}", numeric, userBy(auth.ByPhone, "phone_number")},
		{"GET", "/cis/v1/users/phone/{phone_number}", numeric, userBy(auth.ByPhone, "phone_number")},
		{"POST", "/cis/v1/users/{user_id}/password", symbolic, (*API).addPassword},
		{"PUT", "/cis/v1/users/{user_id}/password", symbolic, (*API).updatePassword},
	}
}

// call is one request on its way to a handler.
type call struct {
	w  *httpx.Response
	r  *http.Request
	op *httpx.Operation
	by auth.Actor
}

// decode checks the request against the document and fills dst, which may be nil.
func (c *call) decode(dst any) error { return c.op.Decode(c.w, c.r, dst) }

// Mount adds the dialect's routes.
func (a *API) Mount(m *httpx.Mux) error {
	m.Prefix("/cis", func(w *httpx.Response, _ *http.Request, err error) { writeError(w, err, numeric) })
	for _, route := range routes() {
		op, err := a.doc.Operation(route.method, route.path)
		if err != nil {
			return err
		}
		m.Handle(route.method, route.path, func(w *httpx.Response, r *http.Request) error {
			if err := a.serve(route, op, w, r); err != nil {
				writeError(w, err, route.shape)
			}
			return nil
		})
	}
	return nil
}

func (a *API) serve(route route, op *httpx.Operation, w *httpx.Response, r *http.Request) error {
	token := httpx.Credentials(r, "Bearer")
	by, err := a.auth.AuthenticateClientToken(r.Context(), token, auth.Via{Address: w.Client, Request: httpx.RequestID(r)})
	if by.Tenant != "" { // a refused caller is nobody, not an operator
		w.Tenant, w.Actor = string(by.Tenant), by.String()
	}
	if err != nil {
		return err
	}
	return route.handle(a, &call{w, r, op, by})
}
