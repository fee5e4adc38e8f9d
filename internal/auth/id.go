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

// newEventID returns 48 bits of milliseconds, 32 of the process's own count, which keeps what it did within one millisecond in order, and
// 48 random bits.
func newEventID(now time.Time, count uint32) EventID {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(max(now.UnixMilli(), 0))<<16)
	binary.BigEndian.PutUint32(b[6:], count)
	rand.Read(b[10:])
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

// newChallengeID returns 18 random decimal digits, as the Multi contract wants them.
func newChallengeID() ChallengeID { return ChallengeID(newUserID()) }

// newParcelID returns 130 random bits, in letters and digits that may stand on a command line.
func newParcelID() ParcelID { return ParcelID(rand.Text()) }

// newSessionID returns 192 random bits.
func newSessionID() SessionID { return SessionID(randomText(24)) }

func randomText(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
