package passhash

import (
	"errors"
	"fmt"

	"countersign/internal/passhash/argon2"
)

type argon2Work argon2.Params

var errArgon2Cost = errors.New("argon2 parameters out of bounds")

func (w argon2Work) shape() string { return w.name() + "," + w.params() }

func (w argon2Work) name() string {
	if w.Variant == argon2.I {
		return "argon2i"
	}
	return "argon2id"
}

func (w argon2Work) params() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", w.Memory, w.Time, w.Lanes)
}

func (w argon2Work) check() error {
	bytes := uint64(w.Memory) << 10
	if w.Lanes < 1 || w.Lanes > maxLanes || w.Memory < 8*w.Lanes || bytes > maxMemory ||
		w.Time < 1 || bytes*uint64(w.Time) > maxMoved {
		return errArgon2Cost
	}
	return nil
}

func (w argon2Work) words() int { return argon2.Params(w).Words() }

func (w argon2Work) admits([]byte) bool { return true }

func (w argon2Work) derive(k argon2.Kernel, mem []uint64, tag, password, salt []byte) error {
	return k.Key(tag, mem, argon2.Params(w), password, salt, nil, nil)
}

func (w argon2Work) encode(salt, tag []byte) string {
	return fmt.Sprintf("$%s$v=19$%s$%s$%s", w.name(), w.params(), tobase64(salt), tobase64(tag))
}

func parseArgon2(v argon2.Variant, fields []string) (hash, error) {
	if len(fields) != 4 || fields[0] != "v=19" {
		return hash{}, errFormat
	}
	w, err := parseArgon2Params(v, fields[1])
	if err != nil {
		return hash{}, err
	}
	salt, tag, err := saltAndTag(fields[2], fields[3])
	return hash{w, salt, tag}, err
}

func parseArgon2Params(v argon2.Variant, s string) (argon2Work, error) {
	w := argon2Work{Variant: v}
	err := params(s, []string{"m", "t", "p"}, &w.Memory, &w.Time, &w.Lanes)
	return w, err
}
