// Package multi serves /multi/…: the authentication part of the Weavr Multi contract.
//
// It owns the wire structs of that contract, which credential each path needs, and the bytes of its errors. It owns no rule: a handler
// decodes, calls the domain and replies. Where we differ from the vendor on purpose is in docs/multi.md.
package multi

import (
	"fmt"
	"net/http"
	"slices"

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
	doc, err := httpx.OpenDoc(api.MultiRequests())
	if err != nil {
		return nil, fmt.Errorf("read multi.requests.json: %w", err)
	}
	return &API{auth: s, doc: doc}, nil
}

// Doc is the document that requests are checked against.
func (a *API) Doc() *httpx.Doc { return a.doc }

// route is one operation: every one needs the api-key header; what else it needs its handler asks of the domain, by naming the kinds of
// token that it takes.
type route struct {
	method, path string
	trait        trait
	handle       func(*API, *call) error
}

// trait is what sets an operation apart from most.
type trait int

const (
	plain   trait = iota
	bare403       // the contract gives this operation's 403 no body
	once          // takes the header idempotency-ref
)

func routes() []route { return slices.Concat(credentialRoutes(), peopleRoutes(), confirmationRoutes()) }

// credentialRoutes are how users authenticate, and with what.
func credentialRoutes() []route {
	return []route{
		// contract/multi §2.2
		{"POST", "/multi/login_with_password", bare403, (*API).loginWithPassword},
		{"POST", "/multi/login_via_biometrics", bare403, (*API).loginViaBiometrics},
		{"GET", "/multi/login_via_biometrics/{challengeId}", plain, (*API).loginViaBiometricsResult},
		{"GET", "/multi/identities", plain, (*API).identities},
		{"POST", "/multi/access_token", bare403, (*API).accessToken},
		{"POST", "/multi/logout", plain, (*API).logout},
		// contract/multi §2.3
		{"POST", "/multi/stepup/challenges/otp/{channel}", once, (*API).stepUp},
		{"POST", "/multi/stepup/challenges/otp/{channel}/verify", once, (*API).verifyStepUp},
		{"POST", "/multi/stepup/challenges/push/{channel}", once, (*API).stepUpDevice},
		// contract/multi §2.4
		{"GET", "/multi/authentication_factors", plain, (*API).authenticators},
		{"POST", "/multi/authentication_factors/otp/{channel}", once, (*API).bindPhone},
		{"POST", "/multi/authentication_factors/otp/{channel}/verify", once, (*API).verifyBindPhone},
		{"POST", "/multi/authentication_factors/push/{channel}", once, (*API).bindDevice},
		{"DELETE", "/multi/authentication_factors/push/{channel}", once, (*API).unbindDevice},
		// contract/multi §2.5
		{"POST", "/multi/passwords/update", plain, (*API).passwordUpdate},
		{"POST", "/multi/passwords/{user_id}/create", plain, (*API).passwordCreate},
		{"POST", "/multi/passwords/validate", plain, (*API).passwordValidate},
		{"POST", "/multi/passwords/lost_password/start", plain, (*API).lostPasswordStart},
		{"POST", "/multi/passwords/lost_password/resume", plain, (*API).lostPasswordResume},
	}
}

// peopleRoutes are who acts for whom.
func peopleRoutes() []route {
	return []route{
		// contract/multi §2.6
		{"POST", "/multi/users", once, (*API).createUser},
		{"GET", "/multi/users", plain, (*API).users},
		{"POST", "/multi/users/kyc", plain, (*API).startKYC},
		{"GET", "/multi/users/{user_id}", plain, (*API).user},
		{"PATCH", "/multi/users/{user_id}", once, (*API).changeUser},
		{"POST", "/multi/users/{user_id}/activate", plain, (*API).activateUser},
		{"POST", "/multi/users/{user_id}/deactivate", plain, (*API).deactivateUser},
		{"GET", "/multi/roles", plain, (*API).roles},
		{"POST", "/multi/users/{user_id}/invite", once, (*API).invite},
		{"POST", "/multi/users/{user_id}/invite/validate", plain, (*API).inviteValidate},
		{"POST", "/multi/users/{user_id}/invite/consume", once, (*API).inviteConsume},
		{"POST", "/multi/users/verification/email/send", once, sendEmailCode(auth.AddressOfMember)},
		{"POST", "/multi/users/verification/email/verify", plain, verifyEmail(auth.AddressOfMember)},

		// contract/multi §2.7, §2.8
		{"POST", "/multi/corporates", once, (*API).createCorporate},
		{"GET", "/multi/corporates", plain, (*API).corporate},
		{"PATCH", "/multi/corporates", once, (*API).changeCorporate},
		{"POST", "/multi/consumers", once, (*API).createConsumer},
		{"GET", "/multi/consumers", plain, (*API).consumer},
		{"PATCH", "/multi/consumers", plain, (*API).changeConsumer},
		{"POST", "/multi/corporates/verification/email/send", once, sendEmailCode(auth.AddressOfCorporate)},
		{"POST", "/multi/corporates/verification/email/verify", plain, verifyEmail(auth.AddressOfCorporate)},
		{"POST", "/multi/consumers/verification/email/send", plain, sendEmailCode(auth.AddressOfConsumer)},
		{"POST", "/multi/consumers/verification/email/verify", plain, verifyEmail(auth.AddressOfConsumer)},
	}
}

// confirmationRoutes are what users approve.
func confirmationRoutes() []route {
	return []route{
		// contract/multi §2.9
		{"POST", "/multi/challenges/otp/{channel}", once, (*API).confirm},
		{"POST", "/multi/challenges/{scaChallengeId}/otp/{channel}/verify", once, (*API).verifyConfirm},
		{"POST", "/multi/challenges/push/{channel}", once, (*API).confirmDevice},
		{"POST", "/multi/outgoing_wire_transfers/{id}/challenges/otp/{channel}", plain, confirmOnly(auth.LinkWireTransfer)},
		{"POST", "/multi/outgoing_wire_transfers/{id}/challenges/otp/{channel}/verify", plain, verifyOnly(auth.LinkWireTransfer)},
		{"POST", "/multi/outgoing_wire_transfers/{id}/challenges/push/{channel}", plain, confirmOnlyDevice(auth.LinkWireTransfer)},
		{"POST", "/multi/sends/{id}/challenges/otp/{channel}", plain, confirmOnly(auth.LinkSend)},
		{"POST", "/multi/sends/{id}/challenges/otp/{channel}/verify", plain, verifyOnly(auth.LinkSend)},
		{"POST", "/multi/sends/{id}/challenges/push/{channel}", plain, confirmOnlyDevice(auth.LinkSend)},
		{"POST", "/multi/beneficiaries/batch/{id}/challenges/otp/{channel}", plain, confirmOnly(auth.LinkBeneficiaries)},
		{"POST", "/multi/beneficiaries/batch/{id}/challenges/otp/{channel}/verify", plain, verifyOnly(auth.LinkBeneficiaries)},
		{"POST", "/multi/beneficiaries/batch/{id}/challenges/push/{channel}", plain, confirmOnlyDevice(auth.LinkBeneficiaries)},
		{"PUT", "/multi/challenges/resources/{resourceType}/{id}", plain, (*API).registerLink}, // ours
		{"GET", "/multi/challenges/resources/{resourceType}/{id}", plain, (*API).link},
		{"GET", "/multi/challenges/{scaChallengeId}/evidence", plain, (*API).deviceEvidence},
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

// bearer is the user's token, empty when there is none.
func (c *call) bearer() string { return httpx.Credentials(c.r, "Bearer") }

// Mount adds the dialect's routes.
func (a *API) Mount(m *httpx.Mux) error {
	m.Prefix("/multi", func(w *httpx.Response, _ *http.Request, err error) { writeError(w, err, false) })
	for _, route := range routes() {
		op, err := a.doc.Operation(route.method, route.path)
		if err != nil {
			return err
		}
		m.Handle(route.method, route.path, func(w *httpx.Response, r *http.Request) error {
			if err := a.serve(route, op, w, r); err != nil {
				writeError(w, err, route.trait == bare403)
			}
			return nil
		})
	}
	return nil
}

func (a *API) serve(route route, op *httpx.Operation, w *httpx.Response, r *http.Request) error {
	by, err := a.auth.AuthenticateKey(r.Context(), httpx.Single(r, "api-key"), auth.Via{Address: w.Client, Request: httpx.RequestID(r)})
	if by.Tenant != "" { // a refused caller is nobody, not an operator
		w.Tenant, w.Actor = string(by.Tenant), by.String()
	}
	if err != nil {
		return err
	}
	c := &call{w, r, op, by}
	if route.trait == once {
		if c.by.Once, err = c.once(); err != nil {
			return err
		}
	}
	return route.handle(a, c)
}
