package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Proposal is what a user is asked to approve at a client of /cis (contract/cis §1.9).
type Proposal struct {
	Text  string   // a JSON object in the form of RFC 8785: what is bound, and comes back; empty: nothing
	Lines []string // the same for people, a line for each member
}

// tooLong reports whether an SMS cannot show all of it.
func (a Proposal) tooLong() bool { return len(strings.Join(a.Lines, "\n")) > maxShownBySMS }

// shown puts what is approved into the message that brings the code of it.
func (a Proposal) shown(m Message) Message {
	if a.Text == "" {
		return m
	}
	sum := sha256.Sum256([]byte(a.Text))
	m.Template, m.Approve, m.Digest = TemplateConfirm, a.Lines, hex.EncodeToString(sum[:])[:digestShown]
	return m
}
