package apitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"countersign/internal/jose"
)

// newSigner makes a key pair as a device does.
func newSigner(kind string) (crypto.Signer, error) {
	switch kind {
	case "rsa":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "ec":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, fmt.Errorf("there are no keys of kind %s", kind)
}

// proof makes a DPoP proof by the sandbox's clock.
func (s *script) proof(_ bool, args []string) error {
	if err := arity(args, 4, 5); err != nil {
		return err
	}
	key := s.devices[args[1]]
	if key == nil {
		return fmt.Errorf("there is no device %s", args[1])
	}
	claims := jose.Claims{
		"jti": rand.Text(), "htm": args[2], "htu": s.wire.base + args[3], "iat": time.Now().Add(s.ahead),
	}
	if len(args) > 4 {
		sum := sha256.Sum256([]byte(args[4]))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	text, err := jose.SignOwn(key, "dpop+jwt", claims)
	s.ts.Setenv(args[0], text)
	return err
}

// key makes a key pair; VAR becomes its public half.
func (s *script) key(_ bool, args []string) error {
	if err := arity(args, 2, 3); err != nil {
		return err
	}
	signer, err := newSigner(args[1])
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString(der)
	switch form := append(args, "spki")[2]; form {
	case "spki":
	case "url":
		text = base64.RawURLEncoding.EncodeToString(der)
	case "pem": // as JSON has it
		text = strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "\n", `\n`)
	case "point":
		public, ok := signer.Public().(*ecdsa.PublicKey)
		if !ok {
			return fmt.Errorf("a key of kind %s is no point", args[1])
		}
		point, err := public.Bytes()
		if err != nil {
			return err
		}
		text = base64.StdEncoding.EncodeToString(point)
	case "pkcs1":
		public, ok := signer.Public().(*rsa.PublicKey)
		if !ok {
			return fmt.Errorf("a key of kind %s has no PKCS #1 form", args[1])
		}
		text = base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(public))
	default:
		return fmt.Errorf("public keys have no form %s", form)
	}
	s.signers[args[0]] = signer
	s.ts.Setenv(args[0], text)
	return nil
}

// sign signs a text with a key that was made here; VAR becomes the signature.
func (s *script) sign(_ bool, args []string) error {
	if err := arity(args, 3, 4); err != nil {
		return err
	}
	signer := s.signers[args[1]]
	if signer == nil {
		return fmt.Errorf("there is no key %s", args[1])
	}
	sum := sha256.Sum256([]byte(args[2]))
	var opts crypto.SignerOpts = crypto.SHA256
	form := append(args, "")[3]
	if _, isRSA := signer.(*rsa.PrivateKey); isRSA && form != "pkcs1" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	signature, err := signer.Sign(rand.Reader, sum[:], opts)
	if err != nil {
		return err
	}
	if form == "raw" {
		if signature, err = rawSignature(signer, sum[:]); err != nil {
			return err
		}
	}
	s.ts.Setenv(args[0], base64.StdEncoding.EncodeToString(signature))
	return nil
}

func rawSignature(signer crypto.Signer, sum []byte) ([]byte, error) {
	private, ok := signer.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("only elliptic curves have raw signatures")
	}
	var r, v *big.Int
	r, v, err := ecdsa.Sign(rand.Reader, private, sum)
	if err != nil {
		return nil, err
	}
	return append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...), nil
}

// ocra is an app that makes a code of a challenge, by the sandbox's clock (RFC 6287).
func (s *script) ocra(_ bool, args []string) error {
	if err := arity(args, 3, 3); err != nil {
		return err
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(args[1])
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	question := strconv.FormatUint(number, 16)
	question += strings.Repeat("0", 256-len(question))
	raw, err := hex.DecodeString(question)
	if err != nil {
		return err
	}
	mac := hmac.New(sha1.New, secret)
	fmt.Fprintf(mac, "OCRA-1:HOTP-SHA1-6:QN06-T30S\x00%s", raw)
	_ = binary.Write(mac, binary.BigEndian, time.Now().Add(s.ahead).Unix()/30)
	sum := mac.Sum(nil)
	at := sum[19] & 15
	code := (uint64(sum[at]&127)<<24 | uint64(sum[at+1])<<16 | uint64(sum[at+2])<<8 | uint64(sum[at+3])) % 1_000_000
	s.ts.Setenv(args[0], fmt.Sprintf("%06d", code))
	return nil
}
