package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"countersign/internal/auth"
)

const racers = 16

// race calls fn from many goroutines at once, with the number of each, and returns when all are done.
func race(fn func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			fn(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// testMoveOnce has many try the same move, which one makes.
func testMoveOnce(t *testing.T, s auth.Store) {
	w := added(t, s, live("demo"))
	first := map[string]func(auth.Writes, int) (bool, error){
		"AddMeta": func(tx auth.Writes, i int) (bool, error) { return tx.AddMeta("once", strconv.Itoa(i)) },
		"SwapPassword": func(tx auth.Writes, i int) (bool, error) {
			p := auth.Password{Tenant: "demo", User: "17", Version: 4, Hash: strconv.Itoa(i), Shape: strconv.Itoa(i)}
			return tx.SwapPassword(p, 3, true, true)
		},
		"PutAttempts": func(tx auth.Writes, i int) (bool, error) {
			return tx.PutAttempts("demo", auth.SubjectOf("17"), auth.AttemptPassword, auth.Attempts{Version: 8, Failures: i}, 7)
		},
		"PutAttempts of an absent row": func(tx auth.Writes, i int) (bool, error) {
			return tx.PutAttempts("demo", "absent", auth.AttemptPassword, auth.Attempts{Version: 1, Failures: i}, 0)
		},
		"UseToken":   func(tx auth.Writes, i int) (bool, error) { return tx.UseToken(w.token.Hash, at(i+1)) },
		"EndSession": func(tx auth.Writes, i int) (bool, error) { return tx.EndSession("demo", "ses-1", at(i+1), "why") },
		"RotateRefresh": func(tx auth.Writes, i int) (bool, error) {
			return won(tx.RotateRefresh(w.root.Hash, at(i+1)))
		},
		"RevokeRefreshFamily": func(tx auth.Writes, i int) (bool, error) {
			return tx.RevokeRefreshFamily(refreshFixture("demo", "other").Hash, at(i+1))
		},
		"MoveUserStatus": func(tx auth.Writes, i int) (bool, error) {
			return tx.MoveUserStatus("demo", "17", auth.UserActive, auth.UserSuspended, at(i+1))
		},
		"NameUser": func(tx auth.Writes, i int) (bool, error) {
			name := auth.Identifier{Tenant: "demo", Kind: auth.ByUsername, Canonical: strconv.Itoa(i), User: "18"}
			return tx.NameUser("demo", "18", strconv.Itoa(i), name, at(i+1))
		},
		"ActivateUser": func(tx auth.Writes, i int) (bool, error) { return tx.ActivateUser("demo", "18", at(i+1)) },
		"AddSession": func(tx auth.Writes, _ int) (bool, error) {
			return inserted(tx.AddSession(auth.Session{Tenant: "demo", ID: "new", User: "17"}))
		},
		"AddRefresh": func(tx auth.Writes, _ int) (bool, error) {
			return inserted(tx.AddRefresh(refreshFixture("demo", "new")))
		},
		"UseGrant":    func(tx auth.Writes, i int) (bool, error) { return tx.UseGrant(w.grant.Hash, at(i+1)) },
		"RevokeToken": func(tx auth.Writes, i int) (bool, error) { return tx.RevokeToken("demo", "new", at(i+1)) },
	}
	for _, moves := range []map[string]func(auth.Writes, int) (bool, error){first, movesOfChallenges(w), movesOfPasskeys(w), movesOfClients(w)} {
		for name, verb := range moves {
			t.Run(name, func(t *testing.T) {
				once(t, s, verb)
			})
		}
	}
	t.Run("DropTOTP", func(t *testing.T) { // after the moves of the same one
		once(t, s, func(tx auth.Writes, _ int) (bool, error) { return tx.DropTOTP("demo", "17") })
	})
	t.Run("DropPasskey", func(t *testing.T) {
		once(t, s, func(tx auth.Writes, _ int) (bool, error) { return tx.DropPasskey("demo", w.passkey.ID) })
	})
	// One move of each kind is what is left of all.
	history := read(t, s, func(r auth.Reads) ([]string, error) { return r.PasswordHistory("demo", "17", 99) })
	account := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "17") })
	if len(history) != 1 || account.User.Epoch != w.user.Epoch+2 {
		t.Errorf("got %d former passwords and epoch %d, want 1 and %d", len(history), account.User.Epoch, w.user.Epoch+2)
	}
}

// movesOfClients are those of what a client uses once.
func movesOfClients(w world) map[string]func(auth.Writes, int) (bool, error) {
	return map[string]func(auth.Writes, int) (bool, error){
		"UsePushedRequest": func(tx auth.Writes, i int) (bool, error) { return tx.UsePushedRequest(w.pushed.Hash, at(i+1)) },
		"SpendAssertion": func(tx auth.Writes, i int) (bool, error) {
			return tx.SpendAssertion("demo", "demo", digest("new"), at(i+1))
		},
	}
}

// movesOfChallenges are those of challenges, what they are for, and what comes of them.
func movesOfChallenges(w world) map[string]func(auth.Writes, int) (bool, error) {
	return map[string]func(auth.Writes, int) (bool, error){
		"PutChallenge": func(tx auth.Writes, i int) (bool, error) {
			c := w.challenge
			c.Version, c.Failures = 2, i
			return tx.PutChallenge(c, 1)
		},
		"PutDevice": func(tx auth.Writes, i int) (bool, error) {
			d := w.device
			d.Version, d.Failures = 2, i
			return tx.PutDevice(d, 1)
		},
		"AddDevice": func(tx auth.Writes, _ int) (bool, error) {
			return inserted(tx.AddDevice(auth.Device{ID: "new", Tenant: "demo", User: "17"}))
		},
		"UseTicket": func(tx auth.Writes, i int) (bool, error) { return tx.UseTicket(w.ticket.Hash, at(i+1)) },
		"AddApproval": func(tx auth.Writes, i int) (bool, error) {
			return inserted(tx.AddApproval(auth.Approval{Tenant: "demo", Challenge: "901", AnsweredAt: at(i + 1)}))
		},
		"PutLink": func(tx auth.Writes, i int) (bool, error) {
			l := w.link
			l.Version, l.Amount = 2, int64(i)
			return tx.PutLink(l, 1)
		},
		"PutLink of an absent one": func(tx auth.Writes, i int) (bool, error) {
			return tx.PutLink(auth.DynamicLink{Tenant: "demo", Version: 1, Amount: int64(i)}, 0)
		},
		"AddAnswer": func(tx auth.Writes, i int) (bool, error) {
			return inserted(tx.AddAnswer(auth.Answer{OnceKey: auth.OnceKey{Tenant: "demo", Ref: "new"}, Status: i}))
		},
		"AddAnswer in the place of an expired one": func(tx auth.Writes, i int) (bool, error) {
			return inserted(tx.AddAnswer(auth.Answer{OnceKey: w.answer.OnceKey, Status: i, CreatedAt: at(20), ExpiresAt: at(21)}))
		},
		"PutTOTP": func(tx auth.Writes, i int) (bool, error) {
			a := w.totp
			a.Version, a.Step = 4, int64(i)
			return tx.PutTOTP(a, 3)
		},
		"PutTOTP of an absent one": func(tx auth.Writes, i int) (bool, error) {
			return tx.PutTOTP(auth.TOTP{Tenant: "demo", User: "18", Version: 1, Step: int64(i)}, 0)
		},
		"AddAuthenticator": func(tx auth.Writes, i int) (bool, error) {
			return inserted(tx.AddAuthenticator(auth.Authenticator{
				Tenant: "demo", User: "17", ID: strconv.Itoa(i), Channel: auth.ChannelSMS,
			}))
		},
		"DropAuthenticator": func(tx auth.Writes, _ int) (bool, error) { return tx.DropAuthenticator("demo", "dev-1") },
		"CancelChallenges": func(tx auth.Writes, i int) (bool, error) {
			n, err := tx.CancelChallenges("demo", "other", "", at(i+1))
			return n > 0, err
		},
		"SettleParcel": func(tx auth.Writes, i int) (bool, error) {
			claimed, err := tx.ClaimParcels(auth.Queue{Tenant: "demo", Kind: auth.ParcelPush}, at(16), at(17), 9)
			if err != nil || len(claimed) == 0 {
				return false, err
			}
			return tx.SettleParcel(claimed[0])
		},
	}
}

// inserted makes an insert a move.
func inserted(err error) (bool, error) { return done(err, auth.ErrExists) }

// won makes a move of a verb that ends its transaction when another was first.
func won(err error) (bool, error) { return done(err, auth.ErrRaced) }

func done(err, otherwise error) (bool, error) {
	if errors.Is(err, otherwise) {
		return false, nil
	}
	return err == nil, err
}

// once runs one verb from many goroutines, half of them in Update and half in Write.
func once(t *testing.T, s auth.Store, verb func(auth.Writes, int) (bool, error)) {
	for _, add := range []func(auth.Writes) error{
		func(tx auth.Writes) error {
			return tx.AddUser(auth.User{Tenant: "demo", ID: "18", Status: auth.UserPending}, nil)
		},
		func(tx auth.Writes) error { return tx.AddRefresh(refreshFixture("demo", "other")) },
		func(tx auth.Writes) error {
			return tx.AddChallenge(auth.Challenge{Tenant: "demo", ID: "901", Subject: "other", Status: auth.ChallengePending})
		},
	} {
		if _, err := inserted(s.Write(t.Context(), add)); err != nil {
			t.Fatal(err)
		}
	}
	var won [racers]bool
	race(func(i int) {
		var err error
		if i%2 == 0 {
			err = s.Write(t.Context(), func(tx auth.Writes) (err error) { won[i], err = verb(tx, i); return err })
		} else {
			err = s.Update(t.Context(), func(tx auth.Tx) (err error) { won[i], err = verb(tx, i); return err })
		}
		if errors.Is(err, auth.ErrExists) || errors.Is(err, auth.ErrRaced) { // of a verb that ends its transaction
			won[i], err = false, nil
		}
		if err != nil {
			t.Errorf("racer %d: %v", i, err)
		}
	})
	winners := 0
	for _, w := range won {
		if w {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("got %d winners, want 1", winners)
	}
}

// testLostUpdate counts by reading and writing in Update, and loses no count.
func testLostUpdate(t *testing.T, s auth.Store) {
	write(t, s, func(tx auth.Writes) error { return tx.SetMeta("count", "0") })
	race(func(int) {
		err := s.Update(t.Context(), func(tx auth.Tx) error {
			text, err := tx.Meta("count")
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(text)
			if err != nil {
				return err
			}
			return tx.SetMeta("count", strconv.Itoa(n+1))
		})
		if err != nil {
			t.Error(err)
		}
	})
	if got, want := read(t, s, func(r auth.Reads) (string, error) { return r.Meta("count") }), strconv.Itoa(racers); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// testLostAttempts counts by compare-and-swap, from no row on, and now and then without a wait for the disk.
func testLostAttempts(t *testing.T, s auth.Store) {
	const rounds = 3
	attempts := func(r auth.Reads) (auth.Attempts, error) { return r.Attempts("demo", "who", auth.AttemptPassword) }
	race(func(int) {
		for counted := 0; counted < rounds; {
			var a auth.Attempts
			err := s.View(t.Context(), func(r auth.Reads) (err error) { a, err = attempts(r); return err })
			if err != nil {
				t.Error(err)
				return
			}
			from := a.Version
			a.Version, a.Failures = from+1, a.Failures+1
			done, put := false, s.Write
			if counted%2 == 0 {
				put = s.WriteUnsynced
			}
			err = put(t.Context(), func(tx auth.Writes) (err error) {
				done, err = tx.PutAttempts("demo", "who", auth.AttemptPassword, a, from)
				return err
			})
			if err != nil {
				t.Error(err)
				return
			}
			if done {
				counted++
			}
		}
	})
	if got := read(t, s, attempts); got.Failures != racers*rounds || got.Version != racers*rounds {
		t.Errorf("got %d failures at version %d, want %d", got.Failures, got.Version, racers*rounds)
	}
}

// testWriteSkew lets two transactions each give up their half of something one of them has to keep. Only serialisable ones see that the
// other did.
func testWriteSkew(t *testing.T, s auth.Store) {
	for round := range 10 {
		key := func(i int) string { return fmt.Sprintf("on call %d %d", round, i%2) }
		write(t, s, func(tx auth.Writes) error {
			return steps(func() error { return tx.SetMeta(key(0), "on") }, func() error { return tx.SetMeta(key(1), "on") })
		})
		race(func(i int) {
			err := s.Update(t.Context(), func(tx auth.Tx) error {
				mine, err := tx.Meta(key(i))
				if err != nil {
					return err
				}
				other, err := tx.Meta(key(i + 1))
				if err != nil || mine == "off" || other == "off" {
					return err
				}
				return tx.SetMeta(key(i), "off")
			})
			if err != nil {
				t.Error(err)
			}
		})
		off := 0
		for i := range 2 {
			if read(t, s, func(r auth.Reads) (string, error) { return r.Meta(key(i)) }) == "off" {
				off++
			}
		}
		if off != 1 {
			t.Fatalf("round %d: %d are off call, want 1", round, off)
		}
	}
}

// testBusyUpdates has parallel Updates, each of a user of its own, which all get through however often they meet.
func testBusyUpdates(t *testing.T, s auth.Store) {
	const rounds = 10
	added(t, s, live("demo"))
	race(func(i int) {
		id := auth.UserID(fmt.Sprint("user ", i))
		err := s.Write(t.Context(), func(w auth.Writes) error {
			return w.AddUser(auth.User{Tenant: "demo", ID: id, Status: auth.UserActive}, nil)
		})
		if err != nil {
			t.Error(err)
			return
		}
		for n := range rounds {
			err := s.Update(t.Context(), func(tx auth.Tx) error { return suspend(tx, id, n) })
			if err != nil {
				t.Errorf("round %d of %s: %v", n, id, err)
				return
			}
		}
	})
	if got := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("demo", "", 999) }); len(got) != racers*rounds+1 {
		t.Errorf("got %d events, want %d", len(got), racers*rounds+1)
	}
}

// suspend suspends or resumes a user the way an operator would, with a look at all there is of them.
func suspend(tx auth.Tx, id auth.UserID, n int) error {
	a, err := tx.AccountByUser("demo", id)
	if err != nil {
		return err
	}
	to := auth.UserSuspended
	if a.User.Status == to {
		to = auth.UserActive
	}
	next := auth.Attempts{Version: a.Attempts.Version + 1, ExpiresAt: at(n + 1)}
	for _, verb := range []func() (bool, error){
		func() (bool, error) { return tx.MoveUserStatus("demo", id, a.User.Status, to, at(n+1)) },
		func() (bool, error) {
			return tx.PutAttempts("demo", a.Subject, auth.AttemptPassword, next, a.Attempts.Version)
		},
	} {
		if done, err := verb(); err != nil || !done {
			return errors.Join(err, fmt.Errorf("done: %t", done))
		}
	}
	return tx.AddEvents(auth.Event{Tenant: "demo", ID: auth.EventID(fmt.Sprint(id, " ", n))})
}

// testSnapshot writes while a View is running, which does not see it.
func testSnapshot(t *testing.T, s auth.Store) {
	n := 0
	next := func() error {
		n++
		return s.Write(t.Context(), func(tx auth.Writes) error {
			return steps(
				func() error { return tx.SetMeta("a", strconv.Itoa(n)) },
				func() error { return tx.SetMeta("b", strconv.Itoa(n)) },
				func() error { return tx.PutTenant(auth.Tenant{ID: auth.TenantID(strconv.Itoa(n))}) },
			)
		})
	}
	if err := next(); err != nil {
		t.Fatal(err)
	}
	view(t, s, func(r auth.Reads) error {
		a, err := r.Meta("a")
		if err != nil {
			return err
		}
		if err := next(); err != nil {
			return err
		}
		b, err := r.Meta("b")
		if err != nil {
			return err
		}
		d, err := r.Directory()
		if err != nil {
			return err
		}
		if b != a || strconv.Itoa(len(d.Tenants)) != a {
			t.Errorf("got %s and %d tenants after %s, want a snapshot", b, len(d.Tenants), a)
		}
		return nil
	})
	if got := read(t, s, func(r auth.Reads) (string, error) { return r.Meta("a") }); got != strconv.Itoa(n) || n < 2 {
		t.Errorf("got %s after %d writes", got, n)
	}
}
