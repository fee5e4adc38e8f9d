package passhash

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"

	"countersign/internal/passhash/argon2"
)

// pbkdf2Work is the cost of PBKDF2 with HMAC (RFC 8018, section 5.2).
type pbkdf2Work struct {
	hash   string // sha1, sha256 or sha512
	rounds int
	length int // of the tag, in bytes
}

// maxRounds bounds rounds × blocks of output.
const maxRounds = 10_000_000

var errPBKDF2Cost = errors.New("pbkdf2 parameters out of bounds")

func (w pbkdf2Work) shape() string {
	return fmt.Sprintf("pbkdf2-%s,%d,%d", w.hash, w.rounds, w.length)
}

func (w pbkdf2Work) check() error {
	size := map[string]int{"sha1": sha1.Size, "sha256": sha256.Size, "sha512": sha512.Size}[w.hash]
	if w.length < minTag || w.length > maxTag {
		return errLength
	}
	blocks := (w.length + size - 1) / size
	if w.rounds < 1 || w.rounds > maxRounds/blocks {
		return errPBKDF2Cost
	}
	return nil
}

func (w pbkdf2Work) words() int { return 0 }

func (w pbkdf2Work) admits([]byte) bool { return true }

func (w pbkdf2Work) derive(_ argon2.Kernel, _ []uint64, tag, password, salt []byte) error {
	var key []byte
	var err error
	switch w.hash {
	case "sha1":
		key, err = pbkdf2.Key(sha1.New, string(password), salt, w.rounds, len(tag))
	case "sha256":
		key, err = pbkdf2.Key(sha256.New, string(password), salt, w.rounds, len(tag))
	case "sha512":
		key, err = pbkdf2.Key(sha512.New, string(password), salt, w.rounds, len(tag))
	}
	copy(tag, key)
	return err
}

// parsePBKDF2 reads the PHC form, whose parameters have names, and that of
// passlib, which has the bare number of rounds and "." for "+" in its base64.
func parsePBKDF2(id string, fields []string) (hash, error) {
	if len(fields) != 3 {
		return hash{}, errFormat
	}
	cost, saltText, tagText := fields[0], fields[1], fields[2]
	name, named := strings.CutPrefix(id, "pbkdf2-")
	if !named {
		name = "sha1"
	}
	var rounds, length uint32
	var err error
	switch {
	case strings.Contains(cost, ",") && named:
		err = params(cost, []string{"i", "l"}, &rounds, &length)
	case strings.Contains(cost, "=") && named:
		err = params(cost, []string{"i"}, &rounds)
	default:
		rounds, err = number(cost)
		saltText = strings.ReplaceAll(saltText, ".", "+")
		tagText = strings.ReplaceAll(tagText, ".", "+")
	}
	if err != nil {
		return hash{}, err
	}
	salt, tag, err := saltAndTag(saltText, tagText)
	if err != nil {
		return hash{}, err
	}
	if length != 0 && int(length) != len(tag) {
		return hash{}, errLength
	}
	return hash{pbkdf2Work{name, int(rounds), len(tag)}, salt, tag}, nil
}

func parsePBKDF2Shape(id, rest string) (pbkdf2Work, error) {
	rounds, length, _ := strings.Cut(rest, ",")
	i, err := number(rounds)
	if err != nil {
		return pbkdf2Work{}, err
	}
	l, err := number(length)
	return pbkdf2Work{strings.TrimPrefix(id, "pbkdf2-"), int(i), int(l)}, err
}
