package device

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

// request is a challenge as a device is given it. The answer repeats every member but service and number_required.
type request struct {
	Challenge string   `json:"challenge"`
	User      string   `json:"user"`
	Tenant    string   `json:"tenant"`
	Session   string   `json:"session"` // empty: a login has none yet
	Nonce     string   `json:"nonce"`
	Purpose   string   `json:"purpose"`
	Channel   string   `json:"channel"`
	Shown     []string `json:"shown"`
	Digest    string   `json:"digest"`
	CreatedAt int64    `json:"created_at"` // Unix seconds
	ExpiresAt int64    `json:"expires_at"`
	Service   string   `json:"service"`
	Number    bool     `json:"number_required"`
}

type requestsReply struct {
	Now      int64     `json:"now"`
	Requests []request `json:"requests"`
}

func (a *API) reply(all []auth.DeviceRequest) requestsReply {
	out := requestsReply{Now: a.Now().Unix(), Requests: []request{}}
	for _, r := range all {
		digest := ""
		if r.Digest != [32]byte{} {
			digest = hex.EncodeToString(r.Digest[:])
		}
		out.Requests = append(out.Requests, request{
			Challenge: string(r.ID), User: string(r.User), Tenant: string(r.Tenant), Session: string(r.Session), Nonce: r.Nonce,
			Purpose: string(r.Purpose), Channel: string(r.Channel), Shown: r.Shown, Digest: digest, CreatedAt: r.CreatedAt.Unix(),
			ExpiresAt: r.ExpiresAt.Unix(), Service: r.Service, Number: r.Number != "",
		})
	}
	return out
}

// requests lists what the device may answer. With wait it waits, until there is something else than what is known.
func (a *API) requests(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	query := c.r.URL.Query()
	seconds, _ := strconv.Atoi(query.Get("wait")) // the document has judged it
	var known []auth.ChallengeID
	for id := range strings.SplitSeq(query.Get("known"), ",") {
		if id != "" {
			known = append(known, auth.ChallengeID(id))
		}
	}
	ctx, cancel := a.waiting(c)
	defer cancel()
	all, err := a.Auth.AwaitRequests(ctx, c.device, known, time.Duration(seconds)*time.Second)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, a.reply(all))
}

// waiting is the context of a call that waits: it ends with the call, and when the server is told to stop.
func (a *API) waiting(c *call) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.r.Context())
	stop := context.AfterFunc(a.Stopping, cancel)
	return ctx, func() { stop(); cancel() }
}

// How long a stream lasts before the device has to authenticate anew, and how often it is told that it lives.
const (
	streamFor   = 4 * time.Minute
	streamPulse = 15 * time.Second
)

// stream sends what the device may answer as server-sent events (HTML §9.2), each time it changes.
func (a *API) stream(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	flush := http.NewResponseController(c.w)
	ctx, cancel := a.waiting(c)
	defer cancel()
	end := time.NewTimer(streamFor)
	defer end.Stop()
	known, first := []auth.ChallengeID{}, true
	for {
		wait := streamPulse
		if first {
			wait = 0
		}
		all, err := a.Auth.AwaitRequests(ctx, c.device, known, wait)
		if err != nil && first {
			return err
		}
		if err != nil || ctx.Err() != nil && !first {
			return nil
		}
		ids := make([]auth.ChallengeID, len(all))
		for i, r := range all {
			ids[i] = r.ID
		}
		if err := send(c.w, flush, first || fmt.Sprint(ids) != fmt.Sprint(known), a.reply(all)); err != nil {
			return nil // the device has gone
		}
		known, first = ids, false
		select {
		case <-end.C:
			return nil
		default:
		}
	}
}

// send writes one event, or a comment that keeps the connection open.
func send(w http.ResponseWriter, flush *http.ResponseController, news bool, reply requestsReply) error {
	text := ": still here\n\n"
	if news {
		data, err := json.Marshal(reply, json.Deterministic(true))
		if err != nil {
			return err
		}
		text = "event: requests\ndata: " + string(data) + "\n\n"
	}
	// The server's own limit is for whole answers.
	if err := flush.SetWriteDeadline(time.Now().Add(2 * streamPulse)); err != nil {
		return err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return flush.Flush()
}

type answerRequest struct {
	Answer string `json:"answer"`
	// Assertion is by the device's passkey, as the browser's get() made it, in base64url.
	Assertion struct {
		ClientData    string `json:"clientDataJSON"`
		Authenticator string `json:"authenticatorData"`
		Signature     string `json:"signature"`
	} `json:"assertion"`
	PIN struct {
		Value string `json:"value"`
		Salt  string `json:"salt"`
	} `json:"pin"`
}

type answerReply struct {
	Status string `json:"status"`
}

// answer judges the device's answer.
func (a *API) answer(c *call) error {
	var in answerRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	answer := auth.SignedAnswer{
		Token: in.Answer, Assertion: auth.DeviceAssertion(in.Assertion),
		PIN: auth.TypedPIN{Value: seal.NewSecret(in.PIN.Value), Salt: in.PIN.Salt},
	}
	status, err := a.Auth.AnswerByKey(c.r.Context(), c.by, c.device.ID, auth.ChallengeID(c.r.PathValue("challenge")), answer)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, answerReply{string(status)})
}
