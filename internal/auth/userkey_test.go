package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

func spki(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func ecSigner(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t testing.TB, key crypto.Signer, text string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// enrolled registers a key for Ada, by a session of her password.
func enrolled(t testing.TB, e *authtest.Env, id string, key *ecdsa.PrivateKey) {
	t.Helper()
	live := adaOn(t, e)
	err := e.RegisterKey(t.Context(), e.App(), live, auth.KeyRegistration{ID: id, Public: spki(t, &key.PublicKey), Type: auth.KeyEC})
	if err != nil {
		t.Fatal(err)
	}
}

// adaOn is a live session of Ada's on /cis.
func adaOn(t testing.TB, e *authtest.Env) auth.LiveSession {
	t.Helper()
	set, err := e.AuthenticatePassword(t.Context(), e.App(), auth.BackendLogin{PasswordLogin: byEmail("ada", authtest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	_, live, err := e.AuthenticateUserToken(t.Context(), set.AccessToken, auth.Via{})
	if err != nil {
		t.Fatal(err)
	}
	return live
}

func keyLogin(e *authtest.Env, t testing.TB, id, challenge string, signature []byte) error {
	_, err := e.AuthenticateUserKey(t.Context(), e.App(), auth.KeyLogin{
		User: authtest.Ada, Key: id, Challenge: challenge, Signature: base64.StdEncoding.EncodeToString(signature),
	})
	return err
}

// TestEverySignedByteCounts alters each byte of a challenge of ours, and each of the signature.
func TestEverySignedByteCounts(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) { s.Tenants[0].Tenant.Settings.Lockout.Failures = 100 })
	key := ecSigner(t)
	enrolled(t, e, "phone", key)
	challenge, err := e.StartKeyLogin(t.Context(), e.App(), auth.KeyChallengeRequest{
		Kind: auth.ByUserID, Identifier: string(authtest.Ada), Approval: `{"payee":"Babbage","sum":"250.00"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	signature := signed(t, key, challenge)
	settled := func() { // so that the failures do not add up to a lock
		if err := keyLogin(e, t, "phone", "of the client "+rand.Text(), nil); !errors.Is(err, auth.CodeWrongAssertion) {
			t.Fatalf("nothing: got %v", err)
		}
		fresh := "of the client " + rand.Text()
		if err := keyLogin(e, t, "phone", fresh, signed(t, key, fresh)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range len(challenge) {
		altered := []byte(challenge)
		altered[i] ^= 1
		if err := keyLogin(e, t, "phone", string(altered), signature); !errors.Is(err, auth.CodeWrongAssertion) {
			t.Errorf("byte %d of the challenge: got %v", i, err)
		}
		if i%40 == 39 {
			settled()
		}
	}
	settled()
	for i := range signature {
		altered := append([]byte(nil), signature...)
		altered[i] ^= 1
		if err := keyLogin(e, t, "phone", challenge, altered); !errors.Is(err, auth.CodeWrongAssertion) {
			t.Errorf("byte %d of the signature: got %v", i, err)
		}
	}
	settled()
	if err := keyLogin(e, t, "phone", challenge, signature); err != nil {
		t.Errorf("unaltered: got %v", err)
	}
}

// TestChallengeIsGoodOnce: of fifty answers at once one counts, whoever made the challenge (B-15, A-052).
func TestChallengeIsGoodOnce(t *testing.T) {
	t.Parallel()
	e := authtest.New(t, func(s *auth.Setup) {
		s.Tenants[0].Tenant.Settings.Lockout.Failures, s.Tenants[0].Tenant.Settings.RateLimits = 100, false
	})
	key := ecSigner(t)
	enrolled(t, e, "phone", key)
	ours, err := e.StartKeyLogin(t.Context(), e.App(), auth.KeyChallengeRequest{Kind: auth.ByUserID, Identifier: string(authtest.Ada)})
	if err != nil {
		t.Fatal(err)
	}
	for name, challenge := range map[string]string{"ours": ours, "the client's": "a challenge of the client"} {
		signature := signed(t, key, challenge)
		var won atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 50 {
			wg.Go(func() {
				<-start
				switch err := keyLogin(e, t, "phone", challenge, signature); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, auth.CodeWrongAssertion):
					t.Errorf("%s: got %v", name, err)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: %d answers were taken, want 1", name, won.Load())
		}
	}
}

// TestWeakKeys: what is no key, or one that is too small, of another curve or off it, is not registered.
func TestWeakKeys(t *testing.T) {
	t.Parallel()
	e := authtest.New(t)
	live := adaOn(t, e)
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := ecSigner(t)
	point, err := good.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	off := append([]byte(nil), point...)
	off[64] ^= 1
	odd := new(big.Int).SetBit(new(big.Int), 2047, 1)
	modulus := func(n *big.Int, e int) string { return spki(t, &rsa.PublicKey{N: n, E: e}) }
	whole := new(big.Int).SetBit(odd, 0, 1)
	trailing, err := base64.StdEncoding.DecodeString(spki(t, &good.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		public string
		typ    auth.KeyType
		want   auth.Code
	}{
		"nothing":             {"", auth.KeyEC, auth.CodeKeyMalformed},
		"no base64":           {"!", auth.KeyEC, auth.CodeKeyMalformed},
		"no key":              {"AAAA", auth.KeyEC, auth.CodeKeyMalformed},
		"too long":            {strings.Repeat("A", 9000), auth.KeyEC, auth.CodeKeyMalformed},
		"a certificate":       {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", auth.KeyEC, auth.CodeKeyMalformed},
		"more behind it":      {base64.StdEncoding.EncodeToString(append(trailing, 0)), auth.KeyEC, auth.CodeKeyMalformed},
		"P-384":               {spki(t, &wide.PublicKey), auth.KeyEC, auth.CodeKeyWeak},
		"off the curve":       {base64.StdEncoding.EncodeToString(off), auth.KeyEC, auth.CodeKeyMalformed},
		"another kind":        {spki(t, &good.PublicKey), auth.KeyRSA, auth.CodeKeyWeak},
		"1,024 bits":          {modulus(new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), 1023, 1), 0, 1), 65537), auth.KeyRSA, auth.CodeKeyWeak},
		"an even modulus":     {modulus(new(big.Int).SetBit(new(big.Int), 2047, 1), 65537), auth.KeyRSA, auth.CodeKeyWeak},
		"a small exponent":    {modulus(whole, 3), auth.KeyRSA, auth.CodeKeyWeak},
		"more than 4,096 bit": {modulus(new(big.Int).SetBit(whole, 4200, 1), 65537), auth.KeyRSA, auth.CodeKeyWeak},
	} {
		err := e.RegisterKey(t.Context(), e.App(), live, auth.KeyRegistration{ID: "k", Public: tt.public, Type: tt.typ})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	err = e.RegisterKey(t.Context(), e.App(), live, auth.KeyRegistration{
		ID: "k", Public: base64.RawURLEncoding.EncodeToString(point), Type: auth.KeyEC,
	})
	if err != nil {
		t.Errorf("a point: got %v", err)
	}
}
