// Package cis serves /cis/v1/…: the back-end authentication part of the Transmit Security contract.
//
// It owns the wire structs of that contract and the bytes of its errors. It owns no rule: a handler decodes, calls the domain and
// replies. The OAuth endpoints beside it are package oidc's. Where we differ from the vendor on purpose is in docs/cis.md.
package cis

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

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
	doc, err := httpx.OpenDoc(api.CISRequests())
	if err != nil {
		return nil, fmt.Errorf("read cis.requests.json: %w", err)
	}
	return &API{auth: s, doc: doc}, nil
}

// Doc is the document that requests are checked against; package oidc shares it.
func (a *API) Doc() *httpx.Doc { return a.doc }

// route is one operation.
type route struct {
	method, path string
	shape        shape // of its errors
	handle       func(*API, *call) error
}

// routes are for clients: each needs a client's own access token, and of its roles, if it has any, the permission that needs says.
func routes() []route {
	return []route{
		{"POST", "/cis/v1/auth/password/authenticate", numeric, (*API).authenticatePassword},
		{"POST", "/cis/v1/auth/password/validate", numeric, (*API).validatePassword},
		{"POST", "/cis/v1/auth/password/reset/email/link", numeric, (*API).sendResetLink},
		{"POST", "/cis/v1/auth/password/reset/link", numeric, (*API).makeResetLink},
		{"POST", "/cis/v1/auth/password/reset/email/otp", numeric, (*API).sendResetEmail},
		{"POST", "/cis/v1/auth/password/reset/email/otp/validate", numeric, (*API).validateResetEmail},
		{"POST", "/cis/v1/auth/password/reset/sms/otp", numeric, (*API).sendResetSMS},
		{"POST", "/cis/v1/auth/password/reset/sms/otp/validate", numeric, (*API).validateResetSMS},
		{"POST", "/cis/v1/auth/otp/send", symbolic, (*API).sendOTP},
		{"POST", "/cis/v1/auth/otp/authenticate", symbolic, (*API).authenticateOTP},
		{"POST", "/cis/v1/auth/link/email/send", textual, (*API).sendMagicLink},
		{"POST", "/cis/v1/auth/link/email/authenticate", textual, (*API).authenticateMagicLink},
		{"POST", "/cis/v1/auth/session/authenticate", numeric, (*API).authenticateSession},
		{"POST", "/cis/v1/auth/session/logout", numeric, (*API).logoutSession},
		{"GET", "/cis/v1/auth/users/{user_id}/sessions", numeric, (*API).listSessions},
		{"DELETE", "/cis/v1/auth/users/{user_id}/sessions", numeric, (*API).endSessions},
		{"POST", "/cis/v1/auth/token/refresh", numeric, (*API).refreshToken},
		{"POST", "/cis/v1/auth/totp/authenticate", numeric, (*API).authenticateTOTP},
		{"POST", "/cis/v1/auth/totp/transaction/start", numeric, (*API).startTransaction},
		{"POST", "/cis/v1/auth/totp/transaction/authenticate", numeric, (*API).authenticateTransaction},
		{"POST", "/cis/v1/auth/mobile-biometrics/start", numeric, (*API).startBiometrics},
		{"POST", "/cis/v1/auth/mobile-biometrics/authenticate", numeric, (*API).authenticateBiometrics},
		{"POST", "/cis/v1/users", numeric, (*API).createUser},
		{"GET", "/cis/v1/users/{user_id}", numeric, (*API).getUser},
		{"GET", "/cis/v1/users/email/{email}", numeric, userBy(auth.ByEmail, "email")},
		{"GET", "/cis/v1/users/username/{username}", numeric, userBy(auth.ByUsername, "username")},
		{"GET", "/cis/v1/users/phone-number/{phone_number}", numeric, userBy(auth.ByPhone, "phone_number")},
		{"GET", "/cis/v1/users/phone/{phone_number}", numeric, userBy(auth.ByPhone, "phone_number")},
		{"GET", "/cis/v1/users", numeric, (*API).listUsers},
		{"GET", "/cis/v1/users/count", numeric, (*API).countUsers},
		{"GET", "/cis/v1/users/identifier", numeric, (*API).getUserByIdentifier},
		{"GET", "/cis/v1/users/external-user-id/{external_user_id}", numeric, userBy(auth.ByExternalID, "external_user_id")},
		{"PUT", "/cis/v1/users/{user_id}", numeric, (*API).changeUser},
		{"DELETE", "/cis/v1/users/{user_id}/apps", numeric, (*API).detachUser},
		{"DELETE", "/cis/v1/manage/users/{user_id}", numeric, (*API).deleteUser},
		{"DELETE", "/cis/v1/users/{user_id}/emails/{email}", numeric, dropContact(auth.ByEmail, "email")},
		{"DELETE", "/cis/v1/users/{user_id}/phone-numbers/{phone_number}", numeric, dropContact(auth.ByPhone, "phone_number")},
		{"POST", "/cis/v1/users/{user_id}/emails/{email}/verify", numeric, verifyContact(auth.ByEmail, "email")},
		{"POST", "/cis/v1/users/{user_id}/phone-numbers/{phone_number}/verify", numeric, verifyContact(auth.ByPhone, "phone_number")},
		{"GET", "/cis/v1/users/{user_id}/groups", numeric, (*API).listGroups},
		{"GET", "/cis/v1/users/{user_id}/authenticators", numeric, (*API).listAuthenticators},
		{"POST", "/cis/v1/users/{user_id}/authenticators/{authenticator_id}/lock", numeric, (*API).lockAuthenticator},
		{"POST", "/cis/v1/users/{user_id}/authenticators/{authenticator_id}/unlock", numeric, (*API).unlockAuthenticator},
		{"POST", "/cis/v1/users/{user_id}/authenticators/types/{authenticator_type}/unlock", numeric, (*API).unlockKind},
		{"POST", "/cis/v1/users/{user_id}/password", symbolic, (*API).addPassword},
		{"PUT", "/cis/v1/users/{user_id}/password", symbolic, (*API).updatePassword},
		{"POST", "/cis/v1/users/{user_id}/device-keys", numeric, (*API).addDeviceKey},
		{"GET", "/cis/v1/users/{user_id}/device-keys", numeric, (*API).listDeviceKeys},
		{"GET", "/cis/v1/users/{user_id}/device-keys/{key_id}", numeric, (*API).getDeviceKey},
		{"PUT", "/cis/v1/users/{user_id}/device-keys/{key_id}", numeric, (*API).changeDeviceKey},
		{"DELETE", "/cis/v1/users/{user_id}/device-keys/{key_id}", numeric, (*API).deleteDeviceKey},
		{"POST", "/cis/v1/users/{user_id}/device-keys/{key_id}/validate", numeric, (*API).validateDeviceKey},
		{"PUT", "/cis/v1/users/{user_id}/device-keys/{key_id}/block", numeric, blockDeviceKey(true)},
		{"PUT", "/cis/v1/users/{user_id}/device-keys/{key_id}/unblock", numeric, blockDeviceKey(false)},
		{"POST", "/cis/v1/users/{user_id}/totp/revoke", numeric, (*API).revokeTOTPOf},
		{"POST", "/cis/v1/users/{user_id}/totp/unlock", numeric, (*API).unlockTOTP},
	}
}

// organizationRoutes are for clients that administer the tenant: each needs a client's own access token, of which the domain asks more.
func organizationRoutes() []route {
	return []route{
		{"POST", "/cis/v1/organizations", numeric, (*API).createOrganization},
		{"GET", "/cis/v1/organizations", numeric, (*API).listOrganizations},
		{"GET", "/cis/v1/organizations/{organization_id}", numeric, (*API).getOrganization},
		{"PUT", "/cis/v1/organizations/{organization_id}", numeric, (*API).changeOrganization},
		{"DELETE", "/cis/v1/organizations/{organization_id}", numeric, (*API).deleteOrganization},
		{"GET", "/cis/v1/organizations/name/{organization_name}", numeric, (*API).getOrganization},
		{"POST", "/cis/v1/organizations/{organization_id}/logo", numeric, (*API).setLogo},
		{"PUT", "/cis/v1/organizations/{organization_id}/apps", numeric, (*API).addApps},
		{"DELETE", "/cis/v1/organizations/{organization_id}/apps", numeric, (*API).removeApps},
		{
			"POST", "/cis/v1/organizations/{organization_id}/applications/{app_id}/managed-organizations", numeric,
			(*API).createManagedOrganization,
		},
		{"GET", "/cis/v1/applications/{app_id}/organizations/{organization_id}/role-groups", numeric, (*API).listRoleGroups},
		{"POST", "/cis/v1/applications/{app_id}/organizations/{organization_id}/role-groups/set", numeric, (*API).setRoleGroups},
		{"POST", "/cis/v1/applications/{app_id}/organizations/{organization_id}/members/{member_id}/roles", numeric, (*API).setMemberRoles},
	}
}

// managerRoutes are for who manages members: each needs a client's own access token, or that of an organization's administrator.
func managerRoutes() []route {
	const members = "/cis/v1/organizations/{organization_id}/members"
	return []route{
		{"POST", members, numeric, (*API).addMember},
		{"GET", members, numeric, (*API).listMembers},
		{"GET", members + "/{user_id}", numeric, (*API).getMember},
		{"PUT", members + "/{user_id}", numeric, (*API).changeMember},
		{"PATCH", members + "/{user_id}", numeric, (*API).changeMemberUser},
		{"DELETE", members + "/{user_id}", numeric, (*API).removeMember},
		{"GET", "/cis/v1/members/{member_id}/organizations", numeric, (*API).listMemberOrganizations},
	}
}

// frontRoutes are for clients too: what their users do in browsers, and what only old clients call.
func frontRoutes() []route {
	return []route{
		{"GET", "/cis/v1/sessions/{user_id}", numeric, (*API).listFrontSessions},
		{"DELETE", "/cis/v1/sessions/{user_id}", numeric, (*API).endFrontSessions},
		{"GET", "/cis/v1/users/{user_id}/consents", numeric, (*API).listConsents},
		{"DELETE", "/cis/v1/users/{user_id}/consents/{client_id}", numeric, (*API).revokeConsent},
		{"POST", "/cis/v1/auth/password/register", numeric, (*API).registerPassword},
	}
}

// managementRoutes are for clients of kind management, but for those of resources, which are every client's as far as its roles let it.
func managementRoutes() []route {
	return []route{
		{"POST", "/cis/v1/applications", numeric, (*API).createApp},
		{"GET", "/cis/v1/applications", numeric, (*API).listApps},
		{"POST", "/cis/v1/applications/signing-keys", numeric, (*API).createSigningKey},
		{"GET", "/cis/v1/applications/signing-keys", numeric, (*API).listSigningKeys},
		{"PUT", "/cis/v1/applications/signing-keys/{id}", numeric, (*API).updateSigningKey},
		{"DELETE", "/cis/v1/applications/signing-keys/{id}", numeric, (*API).deleteSigningKey},
		{"GET", "/cis/v1/applications/{app_id}", numeric, (*API).getApp},
		{"PUT", "/cis/v1/applications/{app_id}", numeric, (*API).updateApp},
		{"DELETE", "/cis/v1/applications/{app_id}", numeric, (*API).deleteApp},
		{"POST", "/cis/v1/applications/{app_id}/clients", numeric, (*API).createAppClient},
		{"GET", "/cis/v1/applications/{app_id}/clients", numeric, (*API).listAppClients},
		{"GET", "/cis/v1/applications/{app_id}/clients/{client_id}", numeric, (*API).getAppClient},
		{"PUT", "/cis/v1/applications/{app_id}/clients/{client_id}", numeric, (*API).updateAppClient},
		{"DELETE", "/cis/v1/applications/{app_id}/clients/{client_id}", numeric, (*API).deleteAppClient},
		{"POST", "/cis/v1/applications/{app_id}/clients/{client_id}/secrets", numeric, (*API).rotateAppClient},
		{"DELETE", "/cis/v1/applications/{app_id}/clients/{client_id}/secrets", numeric, (*API).retireAppClient},
		{"PUT", "/cis/v1/applications/{app_id}/clients/{client_id}/resources", numeric, (*API).setAppClientResources},
		{"GET", "/cis/loginPreferences/{app_id}", numeric, (*API).getLoginPreferences},
		{"PUT", "/cis/loginPreferences/{app_id}/authMethods", numeric, (*API).updateAuthMethods},
		{"POST", "/cis/v1/applications/{app_id}/roles", numeric, (*API).createRole},
		{"GET", "/cis/v1/applications/{app_id}/roles", numeric, (*API).listRoles},
		{"GET", "/cis/v1/applications/{app_id}/roles/{role_id}", numeric, (*API).getRole},
		{"PUT", "/cis/v1/applications/{app_id}/roles/{role_id}", numeric, (*API).updateRole},
		{"DELETE", "/cis/v1/applications/{app_id}/roles/{role_id}", numeric, (*API).deleteRole},
		{"POST", "/cis/v1/applications/{app_id}/roles/{role_id}/assignments", numeric, (*API).assignRole},
		{"DELETE", "/cis/v1/applications/{app_id}/roles/{role_id}/assignments/{entity_id}", numeric, (*API).removeRole},
		{"POST", "/cis/v1/client-roles", numeric, (*API).createRole},
		{"GET", "/cis/v1/client-roles", numeric, (*API).listRoles},
		{"GET", "/cis/v1/client-roles/{role_id}", numeric, (*API).getRole},
		{"PUT", "/cis/v1/client-roles/{role_id}", numeric, (*API).updateRole},
		{"DELETE", "/cis/v1/client-roles/{role_id}", numeric, (*API).deleteRole},
		{"POST", "/cis/v1/resources", numeric, (*API).createResource},
		{"GET", "/cis/v1/resources", numeric, (*API).listResources},
		{"GET", "/cis/v1/resources/uri", numeric, (*API).getResource},
		{"PUT", "/cis/v1/resources/{resource_id}", numeric, (*API).updateResource},
		{"DELETE", "/cis/v1/resources/{resource_id}", numeric, (*API).deleteResource},
	}
}

// passkeyRoutes are those of routes that are about passkeys.
func passkeyRoutes() []route {
	return []route{
		{"POST", "/cis/v1/auth/webauthn/external/register", webauthn, (*API).registerExternal},
		{"POST", "/cis/v1/auth/webauthn/authenticate", webauthn, (*API).authenticatePasskey},
		{"GET", "/cis/v1/users/{user_id}/webauthn-credentials", numeric, (*API).listPasskeys},
		{"GET", "/cis/v1/users/{user_id}/webauthn-credentials/{credential_id}", numeric, (*API).getPasskey},
		{"PATCH", "/cis/v1/users/{user_id}/webauthn-credentials/{credential_id}", numeric, (*API).renamePasskey},
		{"DELETE", "/cis/v1/users/{user_id}/webauthn-credentials/{credential_id}", numeric, (*API).deletePasskey},
	}
}

// userRoutes are for users themselves: each needs the access token that a user's authentication returned.
func userRoutes() []route {
	return []route{
		{"POST", "/cis/v1/auth/logout", numeric, (*API).logoutUser},
		{"POST", "/cis/v1/users/me/totp", numeric, (*API).registerTOTP},
		{"POST", "/cis/v1/auth/totp/register", numeric, (*API).registerTOTP},
		{"POST", "/cis/v1/users/me/totp/revoke", numeric, (*API).revokeTOTP},
		{"POST", "/cis/v1/auth/mobile-biometrics/register", numeric, (*API).registerBiometrics},
		{"DELETE", "/cis/v1/auth/mobile-biometrics/delete", numeric, (*API).deleteBiometrics},
		{"GET", "/cis/v1/users/me/device-keys", numeric, (*API).listOwnDeviceKeys},
		{"POST", "/cis/v1/users/me/password-credentials", numeric, (*API).addOwnPassword},
		{"POST", "/cis/v1/verification/links/email", numeric, (*API).sendContactLink},
		{"POST", "/cis/v1/verification/otp/email/send", numeric, sendContactCode(auth.ByEmail)},
		{"POST", "/cis/v1/verification/otp/email/validate", numeric, proveContact(auth.ByEmail)},
		{"POST", "/cis/v1/verification/otp/sms/send", numeric, sendContactCode(auth.ByPhone)},
		{"POST", "/cis/v1/verification/otp/sms/validate", numeric, proveContact(auth.ByPhone)},
		{"POST", "/cis/v1/auth/webauthn/register", webauthn, (*API).register},
		{"GET", "/cis/v1/users/me/webauthn-credentials", numeric, (*API).listPasskeys},
		{"GET", "/cis/v1/users/me/webauthn-credentials/{credential_id}", numeric, (*API).getPasskey},
		{"PATCH", "/cis/v1/users/me/webauthn-credentials/{credential_id}", numeric, (*API).renameOwnPasskey},
		{"DELETE", "/cis/v1/users/me/webauthn-credentials/{credential_id}", numeric, (*API).deleteOwnPasskey},
	}
}

// publicRoutes take no access token: what authorises the call is in its body.
func publicRoutes() []route {
	return []route{
		{"POST", "/cis/v1/auth/password/login", numeric, (*API).loginPassword},
		{"POST", "/cis/v1/auth/password/reset", numeric, (*API).resetPassword},
		{"GET", "/cis/v1/verification/links/email/confirm", numeric, (*API).showContactLink},
		{"POST", "/cis/v1/verification/links/email/confirm", numeric, (*API).confirmContactLink},
		{"POST", "/cis/v1/token", numeric, (*API).redeemCode},
		{"GET", "/cis/v1/organization-logos/{logo_id}", numeric, (*API).showLogo},
		{"POST", "/cis/v1/auth/password/reset/password/validate", numeric, (*API).validateOldPassword},
		{"POST", "/cis/v1/auth/webauthn/register/start", webauthn, (*API).startRegistration},
		{"POST", "/cis/v1/auth/webauthn/authenticate/start", webauthn, (*API).startAuthentication},
	}
}

// call is one request on its way to a handler.
type call struct {
	w    *httpx.Response
	r    *http.Request
	op   *httpx.Operation
	base string // the public URL
	by   auth.Actor
	live auth.LiveSession // of the user whose token it came with; zero for a client's

	manager auth.MemberManager // of managerRoutes
}

// via is how the call reached us.
func (c *call) via() auth.Via {
	text, scheme := httpx.Proof(c.r)
	return auth.Via{Address: c.w.Client, Request: httpx.RequestID(c.r), Proof: auth.KeyProof{
		Text: text, Method: c.r.Method, URL: c.base + c.r.URL.EscapedPath(), Scheme: scheme,
	}}
}

// decode checks the request against the document and fills dst, which may be nil.
func (c *call) decode(dst any) error { return c.op.Decode(c.w, c.r, dst) }

// Mount adds the dialect's routes.
func (a *API) Mount(m *httpx.Mux) error {
	m.Prefix("/cis", func(w *httpx.Response, _ *http.Request, err error) { writeError(w, err, numeric) })
	for _, route := range slices.Concat(routes(), frontRoutes(), managementRoutes()) {
		if err := a.mount(m, route, a.client(route)); err != nil {
			return err
		}
	}
	for _, route := range userRoutes() {
		if err := a.mount(m, route, a.user); err != nil {
			return err
		}
	}
	for _, route := range append(organizationRoutes(), passkeyRoutes()...) {
		if err := a.mount(m, route, a.client(route)); err != nil {
			return err
		}
	}
	for _, route := range managerRoutes() {
		if err := a.mount(m, route, a.manage(route)); err != nil {
			return err
		}
	}
	for _, route := range publicRoutes() {
		if err := a.mount(m, route, anybody); err != nil {
			return err
		}
	}
	return nil
}

// mount adds a route whose calls admit lets in.
func (a *API) mount(m *httpx.Mux, route route, admit func(*call) error) error {
	op, err := a.doc.Operation(route.method, route.path)
	if err != nil {
		return err
	}
	handle := m.Handle
	if strings.HasPrefix(route.path, "/cis/v1/users/{") || strings.HasPrefix(route.path, "/cis/v1/organizations/{") { // an identifier may be any word
		handle = m.HandleAfter
	}
	handle(route.method, route.path, func(w *httpx.Response, r *http.Request) error {
		c := &call{w: w, r: r, op: op, base: a.auth.PublicURL()}
		err := admit(c)
		if c.by.Tenant != "" { // a refused caller is nobody, not an operator
			w.Tenant, w.Actor = string(c.by.Tenant), c.by.String()
		}
		if err == nil {
			err = route.handle(a, c)
		}
		if err != nil {
			writeError(w, err, route.shape)
		}
		return nil
	})
	return nil
}

// user lets a user in by the access token of their authentication.
func (a *API) user(c *call) (err error) {
	c.by, c.live, err = a.auth.AuthenticateUserToken(c.r.Context(), httpx.AccessToken(c.r), c.via())
	return err
}

// manage lets a client in by its own access token, or a user by theirs, who has to be an administrator of their organization.
func (a *API) manage(r route) func(*call) error {
	permissions := needs(r.method, r.path)
	return func(c *call) error {
		manager, err := a.auth.AuthenticateMemberManager(c.r.Context(), httpx.AccessToken(c.r), c.via())
		if manager.Admin == nil {
			manager.Needs = permissions
		}
		c.manager, c.by = manager, manager.Actor
		if err != nil {
			return err
		}
		return a.auth.Permitted(c.by)
	}
}

// anybody lets everybody in: the handler finds out who may do what.
func anybody(*call) error { return nil }
