package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// packedTest is a pool on a file of its own.
func packedTest(t *testing.T) *sql.DB {
	t.Helper()
	d, err := packingDriver()
	if err != nil {
		t.Fatal(err)
	}
	db := (&Store{breaker: newBreaker()}).sqlitePool(d, filepath.Join(t.TempDir(), "test.db"), 2)
	t.Cleanup(func() { db.Close() })
	return db
}

// TestPackedRows reads the same rows packed and as they are: none, one and several, of every kind and size of value.
func TestPackedRows(t *testing.T) {
	t.Parallel()
	db := packedTest(t)
	long := strings.Repeat("x", 1<<20)
	values := [][]any{
		{int64(0), "", []byte{1}, nil},
		{int64(math.MinInt64), "a\x1fb\x00c", []byte{0, 0xff}, nil},
		{int64(math.MaxInt64), long, []byte(long), "text"},
		{int64(-1), strings.Repeat("ü", 100), []byte(strings.Repeat("\x80", 127)), int64(1 << 40)},
	}
	if _, err := db.Exec("CREATE TABLE things (n INTEGER PRIMARY KEY, a, b, c, d)"); err != nil {
		t.Fatal(err)
	}
	for n, v := range values {
		if _, err := db.Exec("INSERT INTO things VALUES ($1, $2, $3, $4, $5)", append([]any{n}, v...)...); err != nil {
			t.Fatal(err)
		}
	}
	for _, where := range []string{"n < 0", "n = 2", "TRUE"} {
		read := func(columns string) [][]any {
			rows, err := db.Query("-- name: Things :many\nSELECT " + columns + " FROM things WHERE " + where + " ORDER BY n DESC")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var all [][]any
			for rows.Next() {
				v := make([]any, 4)
				if err := rows.Scan(&v[0], &v[1], &v[2], &v[3]); err != nil {
					t.Fatal(err)
				}
				all = append(all, v)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return all
		}
		const columns = "a, b, c, d"
		for range 2 { // the second time from the statement that was kept
			if got, want := read(packColumns(columns)), read(columns); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %.200q, want %.200q", where, got, want)
			}
		}
	}
	if _, err := db.Query("-- name: Float :many\nSELECT " + packColumns("0.5")); err == nil {
		t.Error("a kind of value that cannot be packed: no error")
	}
}

// FuzzPacked unpacks what may not have been packed. A blob is read as one row or refused, and read whole.
func FuzzPacked(f *testing.F) {
	for _, args := range [][]driver.Value{{}, {nil}, {int64(-1), "text", []byte("blob")}, {int64(math.MinInt64), strings.Repeat("x", 300)}} {
		blob, err := pack(nil, args)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(blob.([]byte))
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		p := &packedRows{Rows: &oneBlob{blob: blob}}
		row := make([]driver.Value, p.fetch())
		if err := p.Next(row); err != nil {
			if !errors.Is(err, errPacked) {
				t.Fatal(err)
			}
			return
		}
		again, err := pack(nil, row)
		if err != nil {
			t.Fatal(err)
		}
		q := &packedRows{Rows: &oneBlob{blob: again.([]byte)}}
		other := make([]driver.Value, q.fetch())
		if err := q.Next(other); err != nil || !reflect.DeepEqual(row, other) {
			t.Errorf("got %v, %v, want %v", other, err, row)
		}
	})
}

// oneBlob is one row of one column.
type oneBlob struct {
	blob []byte
	read bool
}

func (o *oneBlob) Columns() []string { return []string{packing} }

func (o *oneBlob) Close() error { return nil }

func (o *oneBlob) Next(dest []driver.Value) error {
	if o.read {
		return io.EOF
	}
	o.read, dest[0] = true, o.blob
	return nil
}
