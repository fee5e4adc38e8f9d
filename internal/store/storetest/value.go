package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign/internal/auth"
)

// ordered are ids in the order of their bytes, which is not that of any language.
var ordered = []string{"", " ", "A", "B", "Z", "_", "a", "a ", "aa", "b", "ä", "ö", "ﬀ", "😀"}

// testOrder reads what is listed in the order of bytes, or of time.
func testOrder(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	shuffled := slices.Clone(ordered[1:])
	slices.Reverse(shuffled)
	write(t, s, func(tx auth.Writes) error {
		for i, id := range shuffled {
			err := steps(
				func() error { return tx.AddEvents(auth.Event{Tenant: "order", ID: auth.EventID(id)}) },
				func() error { return tx.PutTenant(auth.Tenant{ID: auth.TenantID("t" + id)}) },
				func() error {
					return tx.AddAuthenticator(auth.Authenticator{Tenant: "demo", User: "17", ID: id, Channel: auth.Channel(id), CreatedAt: at(20)})
				},
				func() error {
					young := auth.Channel("young " + id)
					return tx.AddAuthenticator(auth.Authenticator{
						Tenant: "demo", User: "17", ID: string(young), Channel: young, CreatedAt: at(27 - i),
					})
				},
			)
			if err != nil {
				return err
			}
		}
		return nil
	})
	for i, after := range ordered {
		events := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("order", auth.EventID(after), 99) })
		var got []string
		for _, e := range events {
			got = append(got, string(e.ID))
		}
		if want := ordered[i+1:]; !slices.Equal(got, want) {
			t.Errorf("events after %q: got %q, want %q", after, got, want)
		}
	}
	d := read(t, s, auth.Reads.Directory)
	if !slices.IsSortedFunc(d.Tenants, func(a, b auth.Tenant) int { return strings.Compare(string(a.ID), string(b.ID)) }) {
		t.Errorf("tenants are not in the order of their ids: %v", d.Tenants)
	}
	list := read(t, s, func(r auth.Reads) ([]auth.Authenticator, error) { return r.Authenticators("demo", "17") })
	if len(list) != 2*len(shuffled)+1 || !slices.IsSortedFunc(list, func(a, b auth.Authenticator) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	}) {
		t.Errorf("authenticators are not in the order of their times: %v", list)
	}
}

// testText keeps what looks alike apart, and long text whole.
func testText(t *testing.T, s auth.Store) {
	write(t, s, func(tx auth.Writes) error { return tx.PutTenant(auth.Tenant{ID: "demo"}) })
	alike := []string{"ada", "Ada", "ADA", "ada ", " ada", "adä", "ada\u0308", "ａｄａ", "ada\u200b", "ad%", "ad_", `ad\`, "ad'", `ad"`}
	write(t, s, func(tx auth.Writes) error {
		for i, name := range alike {
			u := auth.User{Tenant: "demo", ID: auth.UserID(fmt.Sprint(i)), Username: name, Profile: auth.Profile{FirstName: name}}
			if err := tx.AddUser(u, []auth.Identifier{{Tenant: "demo", Kind: auth.ByUsername, Canonical: name, User: u.ID}}); err != nil {
				return err
			}
		}
		return nil
	})
	for i, name := range alike {
		a := read(t, s, func(r auth.Reads) (auth.Account, error) {
			return r.AccountByIdentifier("demo", auth.ByUsername, name, "")
		})
		if a.User.ID != auth.UserID(fmt.Sprint(i)) || a.User.Username != name || a.User.Profile.FirstName != name {
			t.Errorf("%q: got %+v", name, a.User)
		}
	}
	long := strings.Repeat("0123456789abcdeß", 1<<12)
	u := auth.User{Tenant: "demo", ID: "long", Username: long, Profile: auth.Profile{CustomData: long}}
	e := auth.Event{Tenant: "demo", ID: "long", Note: long}
	write(t, s, func(tx auth.Writes) error {
		return steps(
			func() error { return tx.AddUser(u, nil) },
			func() error { return tx.AddEvents(e) },
			func() error { return tx.SetMeta("long", long) },
		)
	})
	if got := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "long") }); !cmp.Equal(got.User, u) {
		t.Error("a long user came back otherwise")
	}
	if got := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("demo", "", 1) }); !cmp.Equal(got, []auth.Event{e}) {
		t.Error("a long event came back otherwise")
	}
	if got := read(t, s, func(r auth.Reads) (string, error) { return r.Meta("long") }); got != long {
		t.Error("a long value came back otherwise")
	}
	if got := read(t, s, func(r auth.Reads) (auth.Account, error) {
		return r.AccountByIdentifier("demo", auth.ByUsername, long, "phantom")
	}); got.Found {
		t.Error("a long identifier found somebody")
	}
}

// badWrites are writes of a text that cannot be kept.
func badWrites(bad string) map[string]func(auth.Writes) error {
	return map[string]func(auth.Writes) error{
		"key":    func(tx auth.Writes) error { return tx.SetMeta(bad, "v") },
		"value":  func(tx auth.Writes) error { return tx.SetMeta("k", bad) },
		"event":  func(tx auth.Writes) error { return tx.AddEvents(auth.Event{Tenant: "demo", ID: "9", Note: bad}) },
		"user":   func(tx auth.Writes) error { return tx.AddUser(auth.User{Tenant: "demo", ID: "9", Username: bad}, nil) },
		"parcel": func(tx auth.Writes) error { return tx.AddParcels(auth.Parcel{Tenant: "demo", ID: "9", Result: bad}) },
		"challenge": func(tx auth.Writes) error {
			return tx.AddChallenge(auth.Challenge{Tenant: "demo", ID: "9", Target: bad})
		},
		"link": func(tx auth.Writes) error { return found(tx.PutLink(auth.DynamicLink{Tenant: "demo", Text: bad}, 0)) },
		"TOTP": func(tx auth.Writes) error {
			return found(tx.PutTOTP(auth.TOTP{Tenant: "demo", User: "17", Label: bad}, 3))
		},
		"passkey": func(tx auth.Writes) error {
			return tx.AddPasskey(auth.Passkey{Tenant: "demo", User: "17", ID: "9", Username: bad})
		},
		"ceremony": func(tx auth.Writes) error {
			return tx.AddCeremony(auth.Ceremony{Tenant: "demo", ID: "9", Approval: bad})
		},
		"answer": func(tx auth.Writes) error {
			return tx.AddAnswer(auth.Answer{OnceKey: auth.OnceKey{Tenant: "demo", Ref: bad}})
		},
		"session": func(tx auth.Writes) error {
			return tx.AddSession(auth.Session{Tenant: "demo", ID: auth.SessionID(bad)})
		},
	}
}

// testBadText writes text that one of the databases could not hold, and looks for it.
func testBadText(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	for name, bad := range map[string]string{"NUL": "a\x00b", "not UTF-8": "a\xffb"} {
		for verb, fn := range badWrites(bad) {
			if err := s.Write(t.Context(), fn); err == nil || errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrExists) {
				t.Errorf("%s as %s: got %v, want an error", name, verb, err)
			}
		}
		for verb, fn := range map[string]func(auth.Reads) error{
			"Meta":          func(r auth.Reads) error { _, err := r.Meta(bad); return err },
			"AccountByUser": func(r auth.Reads) error { _, err := r.AccountByUser("demo", auth.UserID(bad)); return err },
			"Challenge":     func(r auth.Reads) error { _, err := r.Challenge("demo", auth.ChallengeID(bad)); return err },
			"Link":          func(r auth.Reads) error { _, err := r.Link("demo", auth.LinkRef{ID: bad}); return err },
			"Passkey":       func(r auth.Reads) error { _, err := r.Passkey("demo", bad); return err },
			"Ceremony":      func(r auth.Reads) error { _, err := r.Ceremony("demo", auth.CeremonyID(bad)); return err },
			"Answer":        func(r auth.Reads) error { _, err := r.Answer(auth.OnceKey{Tenant: "demo", Ref: bad}); return err },
			"Session":       func(r auth.Reads) error { _, err := r.Session("demo", auth.SessionID(bad)); return err },
		} {
			if err := s.View(t.Context(), fn); !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("%s in %s: got %v, want ErrNotFound", name, verb, err)
			}
		}
		a := read(t, s, func(r auth.Reads) (auth.Account, error) {
			return r.AccountByIdentifier("demo", auth.ByEmail, bad, auth.SubjectOf("17"))
		})
		if a.Found || a.Attempts.Version == 0 {
			t.Errorf("%s as identifier: got %+v, want nobody and the phantom's attempts", name, a)
		}
	}
	// JSON has an escape for NUL, so a profile may hold one; what is not UTF-8 it refuses.
	u := auth.User{Tenant: "demo", ID: "nul", Profile: auth.Profile{FirstName: "a\x00b"}}
	write(t, s, func(tx auth.Writes) error { return tx.AddUser(u, nil) })
	got := read(t, s, func(r auth.Reads) (auth.Account, error) { return r.AccountByUser("demo", "nul") })
	if diff := cmp.Diff(u, got.User); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	err := s.Write(t.Context(), func(tx auth.Writes) error {
		return tx.AddUser(auth.User{Tenant: "demo", ID: "bad", Profile: auth.Profile{FirstName: "a\xffb"}}, nil)
	})
	if err == nil {
		t.Error("a profile that is not UTF-8 was stored")
	}
}

// testTime stores times of every sort.
func testTime(t *testing.T, s auth.Store) {
	zone := time.FixedZone("elsewhere", 5*3600+1800)
	for i, c := range []struct{ in, want time.Time }{
		{time.Time{}, time.Time{}},
		{at(1), at(1)},
		{at(1).In(zone), at(1)},
		{at(1).Add(999), at(1)},
		{time.Date(1969, 7, 20, 20, 17, 40, 1000, time.UTC), time.Date(1969, 7, 20, 20, 17, 40, 1000, time.UTC)},
		{time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		{time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)},
		{time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		{time.Unix(0, 1000), time.Unix(0, 1000)},
	} {
		id := auth.EventID(fmt.Sprint(i))
		tenant := auth.TenantID("time" + id)
		write(t, s, func(tx auth.Writes) error { return tx.AddEvents(auth.Event{Tenant: tenant, ID: id, At: c.in}) })
		got := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events(tenant, "", 1) })[0].At
		if !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("%v: got %v, want %v", c.in, got, c.want.UTC())
		}
	}
	// The start of 1970 is a time like any other, and not the zero time.
	write(t, s, func(tx auth.Writes) error {
		return tx.AddEvents(auth.Event{Tenant: "epoch", ID: "1", At: time.Unix(0, 0)})
	})
	got := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("epoch", "", 1) })[0].At
	if got.IsZero() || got.Sub(time.Unix(0, 0)) > time.Microsecond {
		t.Errorf("the start of 1970: got %v", got)
	}
}

// testEventPages reads pages while events are added before and behind the reader. What is added behind it is not read: a reader may go on only
// from where nothing is added any more (decision 20).
func testEventPages(t *testing.T, s auth.Store) {
	add := func(ids ...string) {
		var events []auth.Event
		for _, id := range ids {
			events = append(events, auth.Event{Tenant: "demo", ID: auth.EventID(id)})
		}
		write(t, s, func(tx auth.Writes) error { return tx.AddEvents(events...) })
	}
	add("10", "20", "30", "40", "50")
	later := [][]string{{"05", "25", "35"}, {"15", "45"}, {"60"}, {}}
	var got []string
	var after auth.EventID
	for _, ids := range later {
		page := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("demo", after, 2) })
		for _, e := range page {
			got, after = append(got, string(e.ID)), e.ID
		}
		if len(ids) > 0 {
			add(ids...)
		}
	}
	if want := []string{"10", "20", "25", "30", "35", "40", "45", "50"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// testManyEvents adds none and very many at once.
func testManyEvents(t *testing.T, s auth.Store) {
	const many = 2345
	var events []auth.Event
	for i := range many {
		events = append(events, auth.Event{Tenant: "demo", ID: auth.EventID(fmt.Sprintf("%05d", i)), At: at(1)})
	}
	write(t, s, func(tx auth.Writes) error {
		return steps(func() error { return tx.AddEvents() }, func() error { return tx.AddEvents(events...) })
	})
	got := read(t, s, func(r auth.Reads) ([]auth.Event, error) { return r.Events("demo", "", many+1) })
	if diff := cmp.Diff(events, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
