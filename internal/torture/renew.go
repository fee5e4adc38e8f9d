package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"countersign/internal/auth"
	"countersign/internal/store"
)

// firstNewcomer is the number of the first user that a run makes; those below are of the seed file.
const firstNewcomer = 1000

// renew retires the users who have made many calls, and puts new ones in their places: what is known of a user grows with every call, here
// and there.
func (r *longRun) renew(ctx context.Context) error {
	var fresh []*client
	for i, c := range r.users {
		if c.history.calls < r.most {
			continue
		}
		if err := r.retire(ctx, c); err != nil {
			return fmt.Errorf("retire user %s: %w", c.id, err)
		}
		newcomer, err := r.enrol(ctx, someone(firstNewcomer+r.renewed), uint64(firstNewcomer+r.renewed))
		if err != nil {
			return fmt.Errorf("a new user: %w", err)
		}
		r.renewed++
		r.gone.calls, r.gone.open = r.gone.calls+c.history.calls, r.gone.open+c.open
		r.users[i] = newcomer
		fresh = append(fresh, newcomer)
	}
	if len(fresh) == 0 {
		return nil
	}
	db, err := store.Open(ctx, r.direct, store.Options{Beside: true})
	if err != nil {
		return err
	}
	events, _, err := countEvents(ctx, db, r.seen)
	for _, c := range fresh {
		c.worlds[0].done = events[auth.UserID(c.id)]
	}
	return errors.Join(err, db.Close())
}

// retire has an operator delete a user, whose tokens are good for nothing afterwards, on any node.
func (r *longRun) retire(ctx context.Context, c *client) error {
	_, err := r.insist(func() reply {
		token := r.nodes[0].askToken(ctx, managerID)
		if token.status != http.StatusOK {
			return token
		}
		return r.nodes[0].send(ctx, http.MethodDelete, "/cis/v1/manage/users/"+c.id, nil, "Authorization", "Bearer "+token.field("access_token"))
	})
	if err != nil {
		return err
	}
	for _, n := range r.nodes {
		for in := max(0, len(c.tokens)-4); in < len(c.tokens); in++ {
			one := call{kind: look, in: in}
			if c.refresh[in] != nil {
				one = call{kind: refresh, in: in, token: len(c.refresh[in]) - 1}
			}
			if a := n.do(ctx, c.person, one); c.tokens[in] != "" && a.class != dead && !a.away {
				c.breaks("%s after the user was deleted: %s%s", one, a.class, a.detail)
			}
		}
		if a := n.do(ctx, c.person, call{kind: login, word: c.worlds[0].word}); a.class != no && !a.away {
			c.breaks("a login after the user was deleted: %s%s", a.class, a.detail)
		}
	}
	if c.broken != "" {
		return errors.New(c.report())
	}
	return nil
}

// insist repeats a call that a server could not carry out now, or says so: after that, what it refuses it has done before.
func (r *longRun) insist(try func() reply) (a reply, err error) {
	for n := range mostTurned {
		if a = try(); a.err == nil && (a.status < 300 || n > 0 && a.status < 500) {
			return a, nil
		}
		if !a.away {
			break
		}
	}
	return a, fmt.Errorf("answered %v", a)
}

// enrol makes a consumer as a back end does (contract/multi §2.11): the identity, a password, the address proved, the phone bound.
func (r *longRun) enrol(ctx context.Context, p *person, stream uint64) (*client, error) {
	c := &client{history: newHistory(p, r.users[0].limits), script: newScript(r.seed, stream, false), crowd: r.crowd, since: r.seen}
	token := ""
	step := func(path string, body object) (reply, error) {
		headers := []string{"api-key", apiKey, "idempotency-ref", fmt.Sprint("newcomer-", stream)}
		if token != "" {
			headers = []string{"api-key", apiKey, "Authorization", "Bearer " + token}
		}
		a, err := r.insist(func() reply { return r.nodes[0].post(ctx, path, body, headers...) })
		if err != nil {
			return a, fmt.Errorf("%s: %w", path, err)
		}
		return a, r.receive(ctx, c)
	}
	made, err := step("/multi/consumers", consumer(p))
	if err != nil {
		return nil, err
	}
	var root struct {
		RootUser struct{ ID struct{ ID string } }
	}
	if err := json.Unmarshal(made.body, &root); err != nil {
		return nil, err
	}
	p.id = root.RootUser.ID.ID
	word := object{"value": text(0)}
	if _, err := step("/multi/passwords/"+p.id+"/create", object{"password": word}); err != nil {
		return nil, err
	}
	in, err := step("/multi/login_with_password", object{"email": p.email, "password": word})
	if err != nil {
		return nil, err
	}
	token = in.field("token")
	for _, s := range []struct {
		path string
		body func() object
	}{
		{"/multi/consumers/verification/email/send", func() object { return object{"email": p.email} }},
		{"/multi/consumers/verification/email/verify", func() object { return object{"email": p.email, "verificationCode": last(p.mails)} }},
		{"/multi/authentication_factors/otp/SMS", func() object { return object{} }},
		{"/multi/authentication_factors/otp/SMS/verify", func() object { return object{"verificationCode": last(p.sms)} }},
		{"/multi/logout", func() object { return object{} }},
	} {
		if _, err := step(s.path, s.body()); err != nil {
			return nil, err
		}
	}
	c.worlds[0].sms, c.worlds[0].mails = len(p.sms), len(p.mails)
	return c, nil
}

// receive takes the codes that came to a user.
func (r *longRun) receive(ctx context.Context, c *client) error {
	sms, err1 := r.nodes[0].codes(ctx, c.phone, c.read)
	mails, err2 := r.nodes[0].codes(ctx, c.email, c.read)
	c.sms, c.mails = append(c.sms, sms...), append(c.mails, mails...)
	return errors.Join(err1, err2)
}

func last(codes []string) string {
	if len(codes) == 0 {
		return ""
	}
	return codes[len(codes)-1]
}

// consumer is what makes one.
func consumer(p *person) object {
	return object{"profileId": "7002", "ipAddress": "203.0.113.9", "rootUser": object{
		"name": "New", "surname": "Comer", "email": p.email, "mobile": object{"countryCode": "+356", "number": p.phone[len("+356"):]},
		"dateOfBirth": object{"year": 1990, "month": 7, "day": 25}, "address": object{"country": "MT"},
	}}
}
