package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// growing are the requests whose costs are compared: one of each kind of reading and writing that the endpoints do.
func growing() []run {
	all := []run{
		{name: "/multi/login_with_password", work: loginMulti},
		{name: "/cis/v1/auth/password/authenticate", work: loginCIS},
		{name: "GET /multi/identities", work: check},
		{name: "POST /multi/access_token", work: access},
		{name: "refresh: POST /oidc/token", work: refresh},
		{name: "client_credentials: POST /oidc/token", work: credentials},
		{name: "POST /oidc/token/introspection", work: introspect},
		{name: "POST /multi/passwords/lost_password/start", work: lostPassword},
		{name: "POST /cis/v1/users", work: createUser},
		{name: "PUT /cis/v1/users/{user_id}", work: changeUser},
	}
	for _, path := range []string{
		"/multi/users", "/multi/authentication_factors", "/multi/consumers", "/multi/roles",
	} {
		all = append(all, run{name: "GET " + path, work: multiGet(path)})
	}
	for _, path := range []string{
		"/cis/v1/users/{user_id}",
		"/cis/v1/users/email/{email}",
		"/cis/v1/users?page_limit=10",
		"/cis/v1/users?page_limit=10&sort_order=desc",
		"/cis/v1/users?page_limit=10&sort_field=email",
		"/cis/v1/users?page_limit=10&sort_field=phone_number&sort_order=desc",
		"/cis/v1/users?page_limit=10&page_offset=5000",
		"/cis/v1/users?page_limit=10&search_prefix=user1",
		"/cis/v1/users?page_limit=10&search=email+sw+%22user1%22",
		"/cis/v1/users",
		"/cis/v1/users/count",
		"/cis/v1/users/{user_id}/authenticators",
		"/cis/v1/users/{user_id}/device-keys",
		"/cis/v1/users/{user_id}/webauthn-credentials",
		"/cis/v1/users/{user_id}/consents",
		"/cis/v1/auth/users/{user_id}/sessions",
		"/cis/v1/sessions/{user_id}",
	} {
		all = append(all, run{name: "GET " + path, work: cisGet(clientID, path)})
	}
	for _, path := range []string{
		"/cis/v1/organizations?page_limit=10",
		"/cis/v1/organizations?page_limit=10&page_offset=5000",
		fmt.Sprintf("/cis/v1/organizations/%d", organizationID),
		"/cis/v1/organizations/name/Organization",
	} {
		all = append(all, run{name: "GET " + path, work: cisGet(managerID, path)})
	}
	return all
}

// cisGet reads with a client's token, each connection of a user of its own.
func cisGet(of, path string) func(spread) work {
	return func(s spread) work {
		return func(c *client, n int) (func() error, error) {
			bearer, err := tokenOf(c, of)
			if err != nil {
				return nil, err
			}
			user := s.user(n, 0)
			about := strings.NewReplacer("{user_id}", fmt.Sprint(1+user), "{email}", email(user)).Replace(path)
			ask := request("GET", about, "", bearer)
			return func() error { return one(c.want(http.StatusOK, ask)) }, nil
		}
	}
}

// multiGet reads with a user's token.
func multiGet(path string) func(spread) work {
	return func(s spread) work {
		return func(c *client, n int) (func() error, error) {
			bearer, err := multiToken(c, s.user(n, 0))
			if err != nil {
				return nil, err
			}
			ask := request("GET", path, "", "api-key: "+apiKey, bearer)
			return func() error { return one(c.want(http.StatusOK, ask)) }, nil
		}
	}
}

// createUser makes users without an end.
func createUser(spread) work {
	return func(c *client, n int) (func() error, error) {
		bearer, err := clientToken(c)
		if err != nil {
			return nil, err
		}
		begun, turn := time.Now().UnixNano(), 0
		return func() error {
			turn++
			body := fmt.Sprintf(`{"email":"made-%d-%d-%d@example.com"}`, n, begun, turn)
			return one(c.want(http.StatusCreated, request("POST", "/cis/v1/users", body, bearer, asJSON)))
		}, nil
	}
}

// changeUser gives a user one name after the other.
func changeUser(s spread) work {
	return func(c *client, n int) (func() error, error) {
		bearer, err := clientToken(c)
		if err != nil {
			return nil, err
		}
		turn := 0
		return func() error {
			turn++
			body := fmt.Sprintf(`{"name":{"first_name":"User %d"}}`, turn)
			return one(c.want(http.StatusOK, request("PUT", fmt.Sprintf("/cis/v1/users/%d", 1+s.user(n, turn)), body, bearer, asJSON)))
		}, nil
	}
}

// introspect asks what a user's access token is.
func introspect(s spread) work {
	return func(c *client, n int) (func() error, error) {
		bearer, err := clientToken(c)
		if err != nil {
			return nil, err
		}
		token, err := field(c.want(http.StatusOK, cisLogin(bearer, s.user(n, 0))))("access_token")
		if err != nil {
			return nil, err
		}
		form := url.Values{"token": {token}, "client_id": {clientID}, "client_secret": {clientSecret}}
		ask := request("POST", "/oidc/token/introspection", form.Encode(), asForm)
		return func() error { return one(c.want(http.StatusOK, ask)) }, nil
	}
}

// lostPassword asks for a code by e-mail that nobody has.
func lostPassword(spread) work {
	return func(c *client, n int) (func() error, error) {
		ask := request("POST", "/multi/passwords/lost_password/start", fmt.Sprintf(`{"email":"nobody%d@example.com"}`, n), "api-key: "+apiKey, asJSON)
		return func() error { return one(c.want(http.StatusNoContent, ask)) }, nil
	}
}
