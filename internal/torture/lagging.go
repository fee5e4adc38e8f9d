package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"countersign/internal/pgtest"
)

// failOverLagging promotes a standby that has not got the latest changes: one for which nobody waited; one beside another that was waited for
// and is gone too, of which the nodes' own memory alone can tell; and the former once more, with the nodes started anew. What the crowd and a user
// were told in the meantime is lost, as a control sees in the standby before its promotion. The nodes have to notice, and answer nothing until
// all that was open is void.
func (e *env) failOverLagging(ctx context.Context) (out result, err error) {
	ended := 0
	for n := range e.scale(3, 60) {
		r := &relapse{on: e.site, out: &out, waited: n%3 == 1, anew: n%3 == 2}
		err := r.run(ctx, e.seed+uint64(n))
		if r.lives != nil {
			out.add(r.lives, 1)
		}
		if err != nil || out.broken != "" {
			return out, err
		}
		ended += len(r.gone.tokens)
	}
	out.note = fmt.Sprintf("none of %d sessions whose end was lost came back", ended)
	return out, nil
}

// quick is the setting of servers that only their own process may be lost of.
const quick = "fsync=off"

// relapse is a failover that leads back before what was answered.
type relapse struct {
	*lives
	on           *site
	waited       bool // commits wait for another standby, which is lost with the primary
	anew         bool // the nodes are lost, too, and started on the new primary
	out          *result
	primary, far *pgtest.Server
	near         *pgtest.Server // nil unless waited
	gone, shut   *person        // whose sessions end in the gap; who is locked since before
}

func (r *relapse) run(ctx context.Context, seed uint64) (err error) {
	defer func() {
		if r.lives != nil {
			r.fall()
		}
		for _, s := range []*pgtest.Server{r.primary, r.near, r.far} {
			if s != nil {
				err = errors.Join(err, s.Stop())
			}
		}
	}()
	if err := r.build(seed); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.rise, r.before, r.gap, r.failOver, r.after, r.told} {
		if err := step(ctx); err != nil || r.out.broken != "" || r.broken() != "" {
			return err
		}
	}
	return nil
}

// build starts the databases, and makes the nodes' lives.
func (r *relapse) build(seed uint64) (err error) {
	if r.primary, err = pgtest.Start(quick); err != nil {
		return err
	}
	if _, err = r.primary.Create("torture"); err != nil {
		return err
	}
	if r.waited {
		if r.near, err = r.primary.Standby(quick); err != nil {
			return err
		}
	}
	if r.far, err = r.primary.Follower(quick, "synchronous_standby_names="); err != nil {
		return err
	}
	if r.lives, err = r.on.begin(r.primary.Either("torture", r.far), 2, seed); err != nil {
		return err
	}
	r.gone, r.shut = someone(usersOfServers), someone(usersOfServers+1)
	r.seedFile, err = r.on.seed(usersOfServers+2, served())
	return err
}

// expect makes a call at one node, which has to be answered so.
func (r *relapse) expect(ctx context.Context, n *node, p *person, c call, want class) {
	a := n.do(ctx, p, c)
	r.out.operations++
	(&history{person: p}).keep(c, a)
	if a.class != want && r.out.broken == "" {
		r.out.broken = fmt.Sprintf("user %s: %s: %s%s, want %s\n%s", p.id, c, a.class, a.detail, want, r.faults())
	}
}

// before has everybody work with all databases in step: sessions are made, and a user is locked.
func (r *relapse) before(ctx context.Context) error {
	r.check(ctx, 4)
	const sessions = 6
	for i := range sessions {
		r.expect(ctx, r.nodes[i%2], r.gone, call{kind: login, fresh: i}, ok)
	}
	for range contract().failures {
		r.expect(ctx, r.nodes[0], r.shut, call{kind: login, word: -1}, no)
	}
	return nil
}

// gap has the standby miss what comes now: logouts at both nodes, and whatever else the crowd does.
func (r *relapse) gap(ctx context.Context) error {
	if err := r.far.Cut(r.primary); err != nil {
		return err
	}
	for i := range r.gone.tokens {
		r.expect(ctx, r.nodes[i%2], r.gone, call{kind: logout, in: i}, ok)
		r.expect(ctx, r.nodes[(i+1)%2], r.gone, call{kind: look, in: i}, dead)
	}
	r.check(ctx, 3)
	return nil
}

// failOver loses the primary, makes sure that the standby really lacks something, and promotes it under clients that use what has ended.
func (r *relapse) failOver(ctx context.Context) error {
	err := r.primary.Kill()
	if r.near != nil {
		err = errors.Join(err, r.near.Kill())
	}
	if err == nil {
		err = r.control(ctx)
	}
	if err != nil {
		return err
	}
	if r.anew {
		r.fall()
		if err := errors.Join(r.far.Promote(), r.rise(ctx)); err != nil {
			return err
		}
	}
	answers := make(chan string, len(r.nodes)*len(r.gone.tokens))
	var users sync.WaitGroup
	for _, n := range r.nodes {
		for i := range r.gone.tokens {
			users.Go(func() { answers <- r.insist(ctx, n, i) })
		}
	}
	if !r.anew {
		err = r.far.Promote()
	}
	users.Wait()
	close(answers)
	for wrong := range answers {
		if wrong != "" && r.out.broken == "" {
			r.out.broken = wrong + "\n" + r.faults()
		}
	}
	return err
}

// control finds the sessions alive, in the standby, that users were told are over: without that nothing would be shown.
func (r *relapse) control(ctx context.Context) (err error) {
	conn, err := pgx.Connect(ctx, r.far.URL("torture"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	alive := 0
	err = conn.QueryRow(ctx, "SELECT count(*) FROM sessions WHERE user_id = $1 AND ended_at = 0", r.gone.id).Scan(&alive)
	if err == nil && alive != len(r.gone.tokens) {
		err = fmt.Errorf("the standby knows %d of %d sessions as alive: the experiment shows nothing", alive, len(r.gone.tokens))
	}
	return err
}

// insist uses a token that has ended until a node refuses it, and returns what must not be.
func (r *relapse) insist(ctx context.Context, n *node, in int) string {
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		a := n.do(ctx, r.gone, call{kind: look, in: in})
		switch {
		case a.class == ok:
			return fmt.Sprintf("session %d of user %s has ended, and lives again", in, r.gone.id)
		case a.class == dead:
			return ""
		case ctx.Err() != nil || time.Now().After(deadline):
			return fmt.Sprintf("session %d of user %s: no answer in two minutes after the failover%s", in, r.gone.id, a.detail)
		}
	}
}

// after finds nobody alive, the lock in force, and everybody else able to log in.
func (r *relapse) after(ctx context.Context) error {
	for _, c := range r.users {
		for in, token := range c.tokens {
			if token != "" && c.refresh[in] == nil {
				r.expect(ctx, r.nodes[in%2], c.person, call{kind: look, in: in}, dead)
			}
			for n := range c.refresh[in] {
				r.expect(ctx, r.nodes[in%2], c.person, call{kind: refresh, in: in, token: n}, dead)
			}
		}
	}
	for i, n := range r.nodes {
		r.expect(ctx, n, r.shut, call{kind: login}, locked)
		fresh := len(r.gone.tokens)
		r.expect(ctx, n, r.gone, call{kind: login, fresh: fresh}, ok)
		r.expect(ctx, r.nodes[1-i], r.gone, call{kind: look, in: fresh}, ok)
	}
	r.gone.tokens = r.gone.tokens[:len(r.gone.tokens)-len(r.nodes)]
	return nil
}

// told finds one event of what has happened, an error in each node's log, and nodes that are well.
func (r *relapse) told(ctx context.Context) (err error) {
	conn, err := pgx.Connect(ctx, r.far.URL("torture"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	events := 0
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM events WHERE kind = 'rewound'").Scan(&events); err != nil {
		return err
	}
	if events != 1 {
		r.out.broken = fmt.Sprintf("%d events say that the database was behind, want one", events)
	}
	for _, n := range r.nodes {
		said := r.anew || slices.ContainsFunc(strings.Split(n.server.Log(), "\n"), func(line string) bool {
			return strings.Contains(line, `"level":"ERROR"`) && strings.Contains(line, "lacked what was acknowledged")
		})
		if a := n.send(ctx, "GET", "/healthz", nil); r.out.broken == "" && (!said || a.status != http.StatusOK) {
			r.out.broken = fmt.Sprintf("a node said that the database was behind: %t, and is now: %v\n%s", said, a, n.server.Log())
		}
	}
	return nil
}
