package store

import (
	"strings"

	"countersign/internal/auth"
)

// vault is where the sealed values of a kind stand: the table, what tells its rows apart, in the order of auth.SealedValue.Row, and the column.
type vault struct {
	table   string
	row     []string
	column  string
	mirrors bool // it is part of the directory
}

func vaultOf(kind auth.SealedKind) vault {
	switch kind {
	case auth.SealedSigningKey:
		return vault{"signing_keys", []string{"id"}, "sealed", true}
	case auth.SealedAppKey:
		return vault{"app_keys", []string{"tenant_id", "id"}, "sealed", true}
	case auth.SealedAPIKey:
		return vault{"api_keys", []string{"tenant_id", "id"}, "sealed", true}
	case auth.SealedTOTP:
		return vault{"totps", []string{"tenant_id", "user_id"}, "sealed", false}
	case auth.SealedDevice:
		return vault{"devices", []string{"tenant_id", "id"}, "push", false}
	case auth.SealedParcel:
		return vault{"outbox", []string{"tenant_id", "id"}, "sealed", false}
	default:
		return vault{"answers", []string{"tenant_id", "key_id", "operation", "ref"}, "sealed", false}
	}
}

// SealedValues implements auth.Reads.
func (r reads) SealedValues(kind auth.SealedKind, after []string, n int) ([]auth.SealedValue, error) {
	v := vaultOf(kind)
	columns, marks := strings.Join(v.row, ", "), strings.Repeat(", ?", len(v.row))[2:]
	var f filter
	from := make([]any, len(v.row))
	for i := range from {
		if from[i] = ""; after != nil {
			from[i] = after[i]
		}
	}
	f.text = "SELECT " + columns + ", " + v.column + "\nFROM " + v.table + "\nWHERE " + f.number("("+columns+") > ("+marks+")", from...) +
		"\nORDER BY " + columns + f.number(" LIMIT ?", limit(n))
	return read(r, "list sealed values", named("SealedValues", f)+f.text, f, func(s *auth.SealedValue) []any {
		s.Kind, s.Row = kind, make([]string, len(v.row))
		fields := make([]any, 0, len(v.row)+1)
		for i := range s.Row {
			fields = append(fields, &s.Row[i])
		}
		return append(fields, &s.Sealed)
	})
}

// Reseal implements auth.Writes.
func (w writes) Reseal(value auth.SealedValue, sealed []byte) error {
	v := vaultOf(value.Kind)
	var f filter
	f.text = "-- name: Reseal :exec\nUPDATE " + v.table + f.number("\nSET "+v.column+" = ?", sealed) + "\nWHERE TRUE"
	f.and(v.column+" = ?", value.Sealed)
	for i, column := range v.row {
		f.and(column+" = ?", value.Row[i])
	}
	_, err := w.h.ExecContext(w.ctx, f.text, f.args...)
	if v.mirrors {
		return w.put("reseal", err)
	}
	return w.h.fail(w.ctx, "reseal", err)
}
