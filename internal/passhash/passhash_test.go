package passhash_test

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/argon2"

	"countersign/internal/passhash"
)

// cheap are parameters for tests.
var cheap = passhash.Params{Memory: 64, Time: 1, Threads: 1}

func newHasher(t *testing.T, c passhash.Config) *passhash.Hasher {
	t.Helper()
	c.TestOnlyInsecure = true
	h, err := passhash.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func mustHash(t *testing.T, h *passhash.Hasher, password string) string {
	t.Helper()
	encoded, err := h.Hash(t.Context(), []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestNewHashesAreArgon2idWithTheDefaultCosts(t *testing.T) {
	h, err := passhash.New(passhash.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	encoded := mustHash(t, h, "correct horse")
	form := `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`
	if !regexp.MustCompile(form).MatchString(encoded) {
		t.Errorf("got %s", encoded)
	}
	if again := mustHash(t, h, "correct horse"); again == encoded {
		t.Error("got the same salt twice")
	}
	if got, want := h.Shape(), "argon2id,m=19456,t=2,p=1"; got != want {
		t.Errorf("got shape %s, want %s", got, want)
	}
	for password, want := range map[string]bool{"correct horse": true, "Correct horse": false, "": false} {
		if got, err := h.Verify(t.Context(), encoded, []byte(password)); got != want || err != nil {
			t.Errorf("%q: got %v, error %v, want %v", password, got, err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]passhash.Config{
		"below the minimum":  {Params: passhash.Params{Memory: 19455, Time: 2, Threads: 1}},
		"one pass":           {Params: passhash.Params{Memory: 47103, Time: 1, Threads: 1}},
		"little memory":      {Params: passhash.Params{Memory: 7167, Time: 100, Threads: 1}},
		"no lanes":           {Params: passhash.Params{Memory: 19456, Time: 2}},
		"no memory":          {Params: passhash.Params{Time: 2, Threads: 1}},
		"too much memory":    {Params: passhash.Params{Memory: 1 << 20, Time: 1, Threads: 1}},
		"insecure and wrong": {Params: passhash.Params{Memory: 1, Time: 1, Threads: 1}, TestOnlyInsecure: true},
		"slots":              {Slots: -1},
		"queue":              {Queue: -1},
		"wait":               {Wait: -1},
		"kernel":             {Kernel: "sse9"},
	} {
		if _, err := passhash.New(c); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestNewAcceptsEachRowOfTheMinimum(t *testing.T) {
	for _, p := range []passhash.Params{
		{Memory: 47104, Time: 1, Threads: 1},
		{Memory: 19456, Time: 2, Threads: 1},
		{Memory: 12288, Time: 3, Threads: 1},
		{Memory: 9216, Time: 4, Threads: 1},
		{Memory: 7168, Time: 5, Threads: 1},
		{Memory: 65536, Time: 3, Threads: 4},
	} {
		if _, err := passhash.New(passhash.Config{Params: p}); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestConfigChoosesTheKernel(t *testing.T) {
	h := newHasher(t, passhash.Config{Params: cheap, Kernel: "generic"})
	if got := h.Kernel(); got != "generic" {
		t.Errorf("got kernel %s, want generic", got)
	}
	best := newHasher(t, passhash.Config{Params: cheap})
	if best.Kernel() == "" {
		t.Error("got a kernel without a name")
	}
	encoded := mustHash(t, best, "correct horse")
	if ok, err := h.Verify(t.Context(), encoded, []byte("correct horse")); !ok || err != nil {
		t.Errorf("hash of %s in generic: got %v, error %v", best.Kernel(), ok, err)
	}
}

func TestOnlyHashesOfTheConfigAreCurrent(t *testing.T) {
	h := newHasher(t, passhash.Config{Params: cheap})
	current := mustHash(t, h, "correct horse")
	if !h.Current(current) {
		t.Errorf("%s is not called current", current)
	}
	stronger := newHasher(t, passhash.Config{Params: passhash.Params{Memory: 64, Time: 2, Threads: 1}})
	for name, encoded := range map[string]string{
		"nothing":     "",
		"other costs": mustHash(t, stronger, "correct horse"),
		"argon2i":     strings.Replace(current, "argon2id", "argon2i", 1),
		"short tag":   current[:len(current)-22],
		"bcrypt":      "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	} {
		if h.Current(encoded) {
			t.Errorf("%s: %s is called current", name, encoded)
		}
	}
}

// TestRefusalCostsTheSameForEveryAccount counts the work of each kind of
// account in a system that has three shapes.
func TestRefusalCostsTheSameForEveryAccount(t *testing.T) {
	h := newHasher(t, passhash.Config{Params: cheap})
	own := mustHash(t, h, "correct horse")
	const bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
	shapes := []string{"bcrypt,5", h.Shape(), "pbkdf2-sha256,1000,32", h.Shape()}
	for _, test := range []struct {
		name, encoded, password string
		match                   bool
		verified, decoys        uint64
	}{
		{"own, wrong", own, "wrong", false, 1, 2},
		{"bcrypt, wrong", bcrypt, "wrong", false, 1, 2},
		{"no account", "", "wrong", false, 0, 3},
		{"no account, the decoy's empty tag", "", "", false, 0, 3},
		{"own, right", own, "correct horse", true, 1, 0},
		{"bcrypt, right", bcrypt, "U*U", true, 1, 0},
	} {
		before := h.Stats()
		got, err := h.Verify(t.Context(), test.encoded, []byte(test.password), shapes...)
		if got != test.match || err != nil {
			t.Errorf("%s: got %v, error %v, want %v", test.name, got, err, test.match)
		}
		after := h.Stats()
		if v, d := after.Verified-before.Verified, after.Decoys-before.Decoys; v != test.verified || d != test.decoys {
			t.Errorf("%s: got %d verified and %d decoys, want %d and %d", test.name, v, d, test.verified, test.decoys)
		}
	}
}

func TestAccountWithoutHashCostsANewHash(t *testing.T) {
	h := newHasher(t, passhash.Config{Params: cheap})
	if ok, err := h.Verify(t.Context(), "", []byte("x")); ok || err != nil {
		t.Errorf("got %v, error %v", ok, err)
	}
	if diff := cmp.Diff(passhash.Stats{Decoys: 1}, h.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestMalformedArgumentsAreErrorsWithoutWork(t *testing.T) {
	h := newHasher(t, passhash.Config{Params: cheap})
	good := mustHash(t, h, "x")
	if _, err := h.Verify(t.Context(), "$argon2id$v=19$m=4194304,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODw", []byte("x")); err == nil {
		t.Error("a hash of 4 GiB: got no error")
	}
	if _, err := h.Verify(t.Context(), good, []byte("x"), "bcrypt,99"); err == nil {
		t.Error("a bad shape: got no error")
	}
	if got := h.Stats(); got.Verified != 0 || got.Decoys != 0 {
		t.Errorf("got stats %+v, want no work", got)
	}
}

func TestEndedContextIsRefused(t *testing.T) {
	h := newHasher(t, passhash.Config{Params: cheap})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("hash: got error %v, want context.Canceled", err)
	}
	if _, err := h.Verify(ctx, "", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("verify: got error %v, want context.Canceled", err)
	}
	if diff := cmp.Diff(passhash.Stats{Refused: 2}, h.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestClosedHasherRefuses(t *testing.T) {
	h := newHasher(t, passhash.Config{Params: cheap})
	mustHash(t, h, "x")
	h.Close()
	if _, err := h.Hash(t.Context(), []byte("x")); !errors.Is(err, passhash.ErrClosed) {
		t.Errorf("got error %v, want ErrClosed", err)
	}
	h.Close()
}

// TestParallelCallersGetTheirOwnResults shares one slot, and the memory for
// large hashes, among callers of all kinds.
func TestParallelCallersGetTheirOwnResults(t *testing.T) {
	h := newHasher(t, passhash.Config{Params: cheap, Slots: 2, Wait: time.Minute})
	salt := []byte("0123456789abcdef")
	large := "$argon2id$v=19$m=4096,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" +
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte("large"), salt, 1, 4096, 1, 32))
	small := mustHash(t, h, "small")
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			encoded, password := small, "small"
			if i%4 == 0 {
				encoded, password = large, "large"
			}
			want := i%3 != 0
			if !want {
				password += "x"
			}
			got, err := h.Verify(t.Context(), encoded, []byte(password), "argon2id,m=5000,t=1,p=1")
			if got != want || err != nil {
				t.Errorf("caller %d: got %v, error %v, want %v", i, got, err, want)
			}
		})
	}
	wg.Wait()
	if got := h.Stats(); got.Verified != 32 || got.Running != 0 || got.Waiting != 0 {
		t.Errorf("got stats %+v", got)
	}
}

// TestHashesMakeNoGarbage: the memory of a hash, 19 MiB here, is not the
// garbage collector's.
func TestHashesMakeNoGarbage(t *testing.T) {
	h := newHasher(t, passhash.Config{Slots: 1})
	encoded := mustHash(t, h, "x")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := h.Verify(t.Context(), encoded, []byte("x")); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
		t.Errorf("got %d bytes allocated, want at most 64 KiB", got)
	}
}
