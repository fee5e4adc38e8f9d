package webhook

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"countersign/internal/auth"
)

// The bodies are those of contract/multi §4.2, one struct each.

type typedID struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type loginEvent struct {
	Credential typedID  `json:"credential"`
	Identity   *typedID `json:"identity,omitzero"`
	Type       string   `json:"type"`
	Status     string   `json:"status"`
	Published  string   `json:"publishedTimestamp"`
	// Of a login by device: public material is at odds over which event carries them, so both do (contract/multi §5.4).
	Challenge string `json:"challengeId,omitzero"`
	Token     string `json:"authToken,omitzero"`
}

type stepUpEvent struct {
	Credential typedID  `json:"credential"`
	Identity   *typedID `json:"identity,omitzero"` // left out for a user who acts for nobody
	Challenge  string   `json:"challengeId"`
	Type       string   `json:"type"`
	Status     string   `json:"status"`
	Published  string   `json:"publishedTimestamp"`
	Token      string   `json:"authToken,omitzero"`
}

type authenticatorEvent struct {
	Credential typedID `json:"credentialId"`
	Type       string  `json:"type"`
	Status     string  `json:"status"`
	Published  string  `json:"publishedTimestamp"`
}

// confirmedEvent is ours: the contract has no event of its own for the result of a confirmation challenge.
type confirmedEvent struct {
	Credential typedID    `json:"credential"`
	Identity   *typedID   `json:"identity,omitzero"`
	Challenge  string     `json:"challengeId"`
	Status     string     `json:"status"`
	Resources  []resource `json:"resources"`
	Digest     string     `json:"digest"`
	Published  string     `json:"publishedTimestamp"`
}

type resource struct {
	Type string `json:"resourceType"`
	ID   string `json:"id"`
}

type activatedEvent struct {
	DoneBy string `json:"actionDoneBy"`
	Email  string `json:"emailAddress"`
}

type deactivatedEvent struct {
	activatedEvent
	Reason string `json:"reasonCode"`
}

// Path is where news goes, below the tenant's URL; contract/multi §4.2. It is empty for news that has no path.
func Path(n auth.News) string {
	family := map[auth.IdentityType]string{auth.Consumer: "/consumers/consumer_", auth.Corporate: "/corporates/corporate_"}[n.Identity.Type]
	switch n.Kind {
	case auth.NewsLogin:
		return "/login/watch"
	case auth.NewsStepUp:
		return "/stepup/watch"
	case auth.NewsAuthenticator:
		return "/authentication_factors/watch"
	case auth.NewsConfirmed:
		return "/challenges/watch"
	case auth.NewsUserDeactivated:
		return "/auth/users/user_deactivated/watch"
	case auth.NewsIdentityActivated:
		if family != "" {
			return family + "activated/watch"
		}
	case auth.NewsIdentityDeactivated:
		if family != "" {
			return family + "deactivated/watch"
		}
	}
	return ""
}

// render writes the body. It is the same on every try.
func render(n auth.News) ([]byte, error) {
	var event any
	switch n.Kind {
	case auth.NewsLogin:
		event = loginEvent{credential(n), identity(n), n.Method, n.Status, millis(n.At), string(n.Challenge), n.Token}
	case auth.NewsStepUp:
		event = stepUpEvent{credential(n), identity(n), string(n.Challenge), n.Method, n.Status, millis(n.At), n.Token}
	case auth.NewsAuthenticator:
		event = authenticatorEvent{credential(n), n.Method, n.Status, millis(n.At)}
	case auth.NewsConfirmed:
		event = confirmedEvent{credential(n), identity(n), string(n.Challenge), n.Status, resources(n.Links), n.Digest, millis(n.At)}
	case auth.NewsIdentityActivated:
		event = activatedEvent{n.DoneBy, n.Email}
	case auth.NewsUserDeactivated, auth.NewsIdentityDeactivated:
		event = deactivatedEvent{activatedEvent{n.DoneBy, n.Email}, n.Reason}
	default:
		return nil, fmt.Errorf("news of unknown kind %q", n.Kind)
	}
	return json.Marshal(event)
}

// credential names the user towards an identity; one who acts for nobody yet owns nothing.
func credential(n auth.News) typedID {
	kind := n.Credential
	if kind == "" {
		kind = auth.Member
	}
	return typedID{string(kind), string(n.User)}
}

func identity(n auth.News) *typedID {
	if n.Identity.IsZero() {
		return nil
	}
	return &typedID{string(n.Identity.Type), n.Identity.ID}
}

func resources(links []auth.LinkRef) []resource {
	list := make([]resource, len(links))
	for i, l := range links {
		list[i] = resource{l.Type, l.ID}
	}
	return list
}

// millis is a time as the contract writes it: milliseconds since 1970, as digits in a string.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
