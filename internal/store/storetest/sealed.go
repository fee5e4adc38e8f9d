package storetest

import (
	"bytes"
	"slices"
	"testing"

	"countersign/internal/auth"
)

// testSealed reads the sealed values of every kind one by one, and puts others in their place.
func testSealed(t *testing.T, s auth.Store) {
	added(t, s, newWorld("demo"))
	added(t, s, newWorld("other"))
	for _, kind := range auth.SealedKinds() {
		all := sealedOf(t, s, kind)
		if len(all) == 0 {
			t.Errorf("%s: there is none", kind)
			continue
		}
		for i, v := range all {
			was := read(t, s, auth.Reads.Revision)
			write(t, s, func(tx auth.Writes) error { return tx.Reseal(v, []byte("fresh")) })
			all[i].Sealed = []byte("fresh")
			write(t, s, func(tx auth.Writes) error { return tx.Reseal(v, []byte("by one that was late")) })
			if got := sealedOf(t, s, kind); !slices.EqualFunc(got, all, sameSealed) {
				t.Errorf("%s: got %q, want %q", kind, got, all)
			}
			mirrored := slices.Contains([]auth.SealedKind{auth.SealedSigningKey, auth.SealedAppKey, auth.SealedAPIKey}, kind)
			if now := read(t, s, auth.Reads.Revision); (now > was) != mirrored {
				t.Errorf("%s: the revision went from %d to %d", kind, was, now)
			}
		}
	}
}

// sealedOf reads values one at a time, and all at once, which have to be the same.
func sealedOf(t *testing.T, s auth.Store, kind auth.SealedKind) []auth.SealedValue {
	t.Helper()
	list := func(after []string, n int) []auth.SealedValue {
		return read(t, s, func(r auth.Reads) ([]auth.SealedValue, error) { return r.SealedValues(kind, after, n) })
	}
	var all []auth.SealedValue
	for next := list(nil, 1); len(next) > 0; next = list(next[0].Row, 1) {
		all = append(all, next...)
	}
	if once := list(nil, len(all)+1); !slices.EqualFunc(once, all, sameSealed) {
		t.Errorf("%s: got %q at once and %q one by one", kind, once, all)
	}
	return all
}

func sameSealed(a, b auth.SealedValue) bool {
	return a.Kind == b.Kind && slices.Equal(a.Row, b.Row) && bytes.Equal(a.Sealed, b.Sealed)
}
