package auth

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"time"
)

// orderedBase32 keeps the order of the bytes it encodes.
var orderedBase32 = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newEventID returns 48 bits of milliseconds and 80 random bits.
func newEventID(now time.Time) EventID {
	var b [16]byte
	rand.Read(b[:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(now.UnixMilli(), 0)))
	copy(b[:6], ms[2:])
	return EventID(orderedBase32.EncodeToString(b[:]))
}

// newUserID returns 18 random decimal digits: both contracts take digits, and an id is never given twice.
func newUserID() UserID {
	span := big.NewInt(9e17)
	n, err := rand.Int(rand.Reader, span)
	if err != nil {
		panic("auth: the system's randomness failed: " + err.Error())
	}
	return UserID(n.Add(n, big.NewInt(1e17)).String())
}

// newSessionID returns 192 random bits.
func newSessionID() SessionID { return SessionID(randomText(24)) }

func randomText(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
