package passhash

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"countersign/internal/passhash/argon2"
)

// work is an algorithm with its parameters: what a hash costs. Values are
// comparable.
type work interface {
	// shape names the work; see [Shape].
	shape() string
	// check refuses parameters out of bounds.
	check() error
	// words is the size of the memory that derive needs.
	words() int
	// admits reports whether the algorithm is sound for password. Others are
	// hashed all the same and match nothing.
	admits(password []byte) bool
	// derive fills tag. The kernel and the memory are for those who need them.
	derive(k argon2.Kernel, mem []uint64, tag, password, salt []byte) error
}

// A hash is what an encoded hash says.
type hash struct {
	work
	salt, tag []byte
}

// Bounds on the parts of an imported hash, in bytes. A new hash has 16 and 32.
const (
	maxEncoded       = 512
	minSalt, maxSalt = 8, 64
	minTag, maxTag   = 16, 64
)

// Bounds on the cost of an imported hash, chosen so that none takes much more
// than a second or two.
const (
	maxMemory = 256 << 20 // bytes, for Argon2 and scrypt
	maxMoved  = 1 << 30   // bytes of memory, times the passes over it
	maxLanes  = 16        // Argon2 and scrypt
)

var errFormat = errors.New("not a password hash of a known format")
var errNumber = errors.New("malformed number in password hash")
var errBase64 = errors.New("malformed base64 in password hash")
var errLength = errors.New("password hash with a salt or tag that is too short or too long")

// Shape returns what verifying the hash encoded costs: the algorithm and its
// parameters, without salt and tag. Equal costs give equal text in every
// release, such as
//
//	argon2id,m=19456,t=2,p=1
//	argon2i,m=4096,t=3,p=1
//	bcrypt,10
//	scrypt,ln=15,r=8,p=1
//	pbkdf2-sha256,600000,32
//
// The last number of PBKDF2 is the length of its output in bytes.
func Shape(encoded string) (string, error) {
	x, err := parse(encoded)
	if err != nil {
		return "", err
	}
	return x.shape(), nil
}

// Check returns nil if encoded is a hash that [Hasher.Verify] can verify: well
// formed, and with costs within bounds. Otherwise the error says what is wrong,
// without showing a part of the hash. The formats are
//
//	$argon2id$v=19$m=19456,t=2,p=1$salt$tag       and argon2i; at most 256 MiB, 1 GiB over all passes, 16 lanes
//	$2a$10$salt-and-tag                           and $2b$, $2y$: bcrypt; at most cost 15
//	$scrypt$ln=15,r=8,p=1$salt$tag                at most 256 MiB, 1 GiB over all p, r=32
//	$pbkdf2-sha256$i=600000,l=32$salt$tag         and sha1, sha512; l may be missing; at most 10,000,000 rounds in all
//	$pbkdf2-sha256$600000$salt$tag                as passlib writes it, who has $pbkdf2$ for sha1
//
// Salts have 8 to 64 bytes and tags 16 to 64, in base64 without padding.
func Check(encoded string) error {
	_, err := parse(encoded)
	return err
}

func parse(encoded string) (hash, error) {
	if len(encoded) > maxEncoded || !strings.HasPrefix(encoded, "$") {
		return hash{}, errFormat
	}
	fields := strings.Split(encoded[1:], "$")
	x, err := parseFields(fields[0], fields[1:])
	if err != nil {
		return hash{}, err
	}
	return x, x.check()
}

func parseFields(id string, fields []string) (hash, error) {
	switch id {
	case "argon2id":
		return parseArgon2(argon2.ID, fields)
	case "argon2i":
		return parseArgon2(argon2.I, fields)
	case "2a", "2b", "2y":
		return parseBcrypt(fields)
	case "scrypt":
		return parseScrypt(fields)
	case "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512", "pbkdf2":
		return parsePBKDF2(id, fields)
	}
	return hash{}, errFormat
}

// decoy returns a hash of the given shape, to be computed in place of one.
func decoy(shape string) (hash, error) {
	id, rest, _ := strings.Cut(shape, ",")
	var w work
	var err error
	tag := newTag
	switch id {
	case "argon2id":
		w, err = parseArgon2Params(argon2.ID, rest)
	case "argon2i":
		w, err = parseArgon2Params(argon2.I, rest)
	case "bcrypt":
		w, err = parseBcryptCost(rest)
		tag = bcryptTag
	case "scrypt":
		w, err = parseScryptParams(rest)
	case "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512":
		var p pbkdf2Work
		p, err = parsePBKDF2Shape(id, rest)
		w, tag = p, p.length
	default:
		err = errFormat
	}
	if err == nil {
		err = w.check()
	}
	if err != nil {
		return hash{}, fmt.Errorf("shape %q: %w", shape, err)
	}
	return hash{w, []byte("salt of no hash."), make([]byte, tag)}, nil
}

// params reads "k1=1,k2=2" with exactly the given keys, in their order, into
// the given numbers.
func params(s string, keys []string, values ...*uint32) error {
	fields := strings.Split(s, ",")
	if len(fields) != len(keys) {
		return errFormat
	}
	for i, key := range keys {
		digits, ok := strings.CutPrefix(fields[i], key+"=")
		if !ok {
			return errFormat
		}
		n, err := number(digits)
		if err != nil {
			return err
		}
		*values[i] = n
	}
	return nil
}

// number reads a positive decimal number in its one canonical form.
func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || s[0] < '1' || s[0] > '9' || n > math.MaxInt32 {
		return 0, errNumber
	}
	return uint32(n), nil
}

// saltAndTag reads the last two fields of a PHC string.
func saltAndTag(salt, tag string) (s, t []byte, err error) {
	if s, err = unbase64(salt); err != nil {
		return nil, nil, err
	}
	if t, err = unbase64(tag); err != nil {
		return nil, nil, err
	}
	if len(s) < minSalt || len(s) > maxSalt || len(t) < minTag || len(t) > maxTag {
		return nil, nil, errLength
	}
	return s, t, nil
}

// unbase64 reads base64 as the PHC string format has it: no padding, and one
// form only for the same bytes.
func unbase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // which the decoder would skip
		return nil, errBase64
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errBase64
	}
	return b, nil
}

func tobase64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
