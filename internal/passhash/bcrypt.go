package passhash

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	//lint:ignore SA1019 bcrypt is made of Blowfish; nothing new is
	"golang.org/x/crypto/blowfish"

	"countersign/internal/passhash/argon2"
)

// bcryptWork is the cost of bcrypt (Provos and Mazières, 1999). It is written
// out here, over x/crypto's Blowfish, because x/crypto's bcrypt compares with
// an encoded hash only and does not refuse what bcrypt cannot tell apart.
type bcryptWork struct{ cost int }

const (
	minBcryptCost, maxBcryptCost = 4, 15

	bcryptPassword = 72 // bytes that count
	bcryptSalt     = 16
	bcryptTag      = 23 // the 24th byte of the output is never used
)

var errBcryptCost = errors.New("bcrypt cost out of bounds")

func (w bcryptWork) shape() string { return fmt.Sprintf("bcrypt,%d", w.cost) }

func (w bcryptWork) check() error {
	if w.cost < minBcryptCost || w.cost > maxBcryptCost {
		return errBcryptCost
	}
	return nil
}

func (w bcryptWork) words() int { return 0 }

// admits refuses passwords that have the same hash as a shorter one: bcrypt
// ignores what follows the 72nd byte, and ends or repeats at a NUL.
func (w bcryptWork) admits(password []byte) bool {
	return len(password) <= bcryptPassword && bytes.IndexByte(password, 0) < 0
}

func (w bcryptWork) derive(_ argon2.Kernel, _ []uint64, tag, password, salt []byte) error {
	key := make([]byte, 0, bcryptPassword+1)
	key = append(key, password[:min(len(password), bcryptPassword)]...)
	key = append(key, 0)
	defer clear(key)
	c, err := blowfish.NewSaltedCipher(key, salt)
	if err != nil {
		return err
	}
	for range 1 << w.cost {
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(salt, c)
	}
	text := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(text); i += blowfish.BlockSize {
		for range 64 {
			c.Encrypt(text[i:], text[i:])
		}
	}
	copy(tag, text[:bcryptTag])
	return nil
}

// parseBcrypt reads the fields of "$2b$10$" and 22 characters of salt and 31 of
// tag.
func parseBcrypt(fields []string) (hash, error) {
	const saltText, tagText = 22, 31
	if len(fields) != 2 || len(fields[0]) != 2 || len(fields[1]) != saltText+tagText {
		return hash{}, errFormat
	}
	w, err := parseBcryptCost(strings.TrimPrefix(fields[0], "0"))
	if err != nil {
		return hash{}, err
	}
	if strings.ContainsAny(fields[1], "\r\n") {
		return hash{}, errBase64
	}
	enc := base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)
	// Not strict: some old versions left random bits after the salt, which
	// every implementation ignores.
	salt, err := enc.DecodeString(fields[1][:saltText])
	if err != nil {
		return hash{}, errBase64
	}
	tag, err := enc.Strict().DecodeString(fields[1][saltText:])
	if err != nil {
		return hash{}, errBase64
	}
	return hash{w, salt, tag}, nil
}

func parseBcryptCost(s string) (bcryptWork, error) {
	n, err := number(s)
	return bcryptWork{int(n)}, err
}
