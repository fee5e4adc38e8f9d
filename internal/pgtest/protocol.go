package pgtest

import (
	"bytes"
	"strings"
)

// Commits tells which messages of a connection to PostgreSQL have a COMMIT carried out, for a test that stands between and breaks it there.
// The zero value is for a new connection.
type Commits struct{ prepared map[string]bool }

// Are reports whether the next message of the connection is such a one: a query, or the use of a statement that was prepared by messages
// before. It is to see all of them, whole, but the first, which has no type.
func (c *Commits) Are(message []byte) bool {
	if len(message) < 5 {
		return false
	}
	texts := bytes.SplitN(message[5:], []byte{0}, 3)
	switch kind := message[0]; {
	case kind == 'Q':
		return commits(texts[0])
	case kind == 'P' && len(texts) > 2: // a name, and what is prepared by it
		if c.prepared == nil {
			c.prepared = map[string]bool{}
		}
		c.prepared[string(texts[0])] = commits(texts[1])
	case kind == 'B' && len(texts) > 2: // where to, and the name
		return c.prepared[string(texts[1])]
	}
	return false
}

func commits(query []byte) bool {
	return strings.EqualFold(strings.TrimRight(string(query), "; "), "commit")
}
