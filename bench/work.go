package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// What the seed gives every user and client.
const (
	password     = "Pa55word!"
	apiKey       = "sk_bench"
	clientID     = "bench"
	clientSecret = "bench-secret"
	redirectURI  = "https://bench.example/back"
	managerID    = "bench-manager" // with the same secret

	organizationID = 9999
)

const asJSON, asForm = "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded"

func email(user int) string { return fmt.Sprintf("user%d@example.com", user) }

// spread numbers the users for the connections, so that no two of them meet at one account and each goes through many.
type spread struct{ users, conns int }

func (s spread) user(conn, turn int) int { return (conn + turn*s.conns) % s.users }

// loginMulti logs in through /multi, over and over.
func loginMulti(s spread) work {
	return func(c *client, n int) (func() error, error) {
		return logins(c, n, s, multiLogin), nil
	}
}

func multiLogin(user int) []byte { return loginOf(email(user)) }

func loginOf(address string) []byte {
	return request("POST", "/multi/login_with_password", fmt.Sprintf(`{"email":%q,"password":{"value":%q}}`, address, password),
		"api-key: "+apiKey, asJSON)
}

// loginCIS logs in through /cis, over and over.
func loginCIS(s spread) work {
	return func(c *client, n int) (func() error, error) {
		bearer, err := clientToken(c)
		if err != nil {
			return nil, err
		}
		return logins(c, n, s, func(user int) []byte { return cisLogin(bearer, user) }), nil
	}
}

func cisLogin(bearer string, user int) []byte {
	return request("POST", "/cis/v1/auth/password/authenticate",
		fmt.Sprintf(`{"username":%q,"username_type":"email","password":%q,"claims":{"id_token":{"email":null}}}`, email(user), password),
		bearer, asJSON)
}

func logins(c *client, n int, s spread, ask func(user int) []byte) func() error {
	turn := 0
	return func() error {
		_, err := c.want(http.StatusOK, ask(s.user(n, turn)))
		turn++
		return err
	}
}

// check asks for the identities of a user by a token, which a login gave.
func check(s spread) work {
	return func(c *client, n int) (func() error, error) {
		bearer, err := multiToken(c, s.user(n, 0))
		if err != nil {
			return nil, err
		}
		ask := request("GET", "/multi/identities", "", "api-key: "+apiKey, bearer)
		return func() error { return one(c.want(http.StatusOK, ask)) }, nil
	}
}

// access exchanges a token for one that acts for an identity.
func access(s spread) work {
	return func(c *client, n int) (func() error, error) {
		user := s.user(n, 0)
		bearer, err := multiToken(c, user)
		if err != nil {
			return nil, err
		}
		ask := request("POST", "/multi/access_token", fmt.Sprintf(`{"identity":{"type":"CONSUMER","id":"%d"}}`, identity(user)),
			"api-key: "+apiKey, bearer, asJSON)
		return func() error { return one(c.want(http.StatusOK, ask)) }, nil
	}
}

// refresh follows a chain of refresh tokens, each of which is used once.
func refresh(s spread) work {
	return func(c *client, n int) (func() error, error) {
		bearer, err := clientToken(c)
		if err != nil {
			return nil, err
		}
		token, err := field(c.want(http.StatusOK, cisLogin(bearer, s.user(n, 0))))("refresh_token")
		if err != nil {
			return nil, err
		}
		return func() (err error) {
			token, err = field(c.want(http.StatusOK, tokenRequest(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})))("refresh_token")
			return err
		}, nil
	}
}

// credentials asks for a client's own token.
func credentials(spread) work {
	return func(c *client, _ int) (func() error, error) {
		ask := tokenRequest(url.Values{"grant_type": {"client_credentials"}})
		return func() error { return one(c.want(http.StatusOK, ask)) }, nil
	}
}

// empty asks the handler that does nothing.
func empty(spread) work {
	return func(c *client, _ int) (func() error, error) {
		ask := request("GET", "/", "")
		return func() error { return one(c.want(http.StatusOK, ask)) }, nil
	}
}

func tokenRequest(form url.Values) []byte { return tokenRequestOf(clientID, form) }

func tokenRequestOf(client string, form url.Values) []byte {
	form.Set("client_id", client)
	form.Set("client_secret", clientSecret)
	return request("POST", "/oidc/token", form.Encode(), asForm)
}

func clientToken(c *client) (header string, err error) { return tokenOf(c, clientID) }

func tokenOf(c *client, client string) (header string, err error) {
	token, err := field(c.want(http.StatusOK, tokenRequestOf(client, url.Values{"grant_type": {"client_credentials"}})))("access_token")
	return "Authorization: Bearer " + token, err
}

func multiToken(c *client, user int) (header string, err error) {
	token, err := field(c.want(http.StatusOK, multiLogin(user)))("token")
	return "Authorization: Bearer " + token, err
}

func one(_ []byte, err error) error { return err }

// field reads one member of an answer. The tokens of both contracts need no unescaping, and are worth no parser.
func field(body []byte, err error) func(name string) (string, error) {
	return func(name string) (string, error) {
		if err != nil {
			return "", err
		}
		_, rest, found := strings.Cut(string(body), `"`+name+`":"`)
		value, _, ended := strings.Cut(rest, `"`)
		if !found || !ended || !json.Valid(body) {
			return "", errors.New("the answer has no " + name)
		}
		return value, nil
	}
}

// demoLogin logs in to the sandbox's built-in demonstration.
func demoLogin() []byte {
	return request("POST", "/multi/login_with_password", fmt.Sprintf(`{"email":"ada@example.com","password":{"value":%q}}`, password),
		"api-key: sk_demo", asJSON)
}
