package store

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// A column of a row costs more on SQLite than what is in it: the driver asks for its name, its declared type and its kind each time, and
// the library locks the connection for every answer. A statement of many columns that runs for every request has them packed into one,
// by a function of ours, and its rows are unpacked before anybody sees them.

// packing is the function's name, and that of the one column.
const packing = "countersign_pack"

// packColumns makes one column of a list of columns.
func packColumns(columns string) string { return packing + "(" + columns + ") AS " + packing }

// packingDriver returns a driver on whose connections the function is there.
func packingDriver() (*sqlite.Driver, error) {
	d := &sqlite.Driver{}
	// Volatile arguments are not copied first; pack keeps none of them.
	return d, d.RegisterFunction(packing, &sqlite.FunctionImpl{NArgs: -1, Deterministic: true, VolatileArgs: true, Scalar: pack})
}

// The kinds of a packed value.
const (
	packedNull = iota
	packedInteger
	packedText
	packedBlob
)

// pack returns its arguments as one blob: how many they are, and of each its kind, its number or length, and its bytes.
func pack(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	b := binary.AppendUvarint(make([]byte, 0, 16*len(args)), uint64(len(args)))
	for i, a := range args {
		switch v := a.(type) {
		case nil:
			b = append(b, packedNull)
		case int64:
			b = binary.AppendVarint(append(b, packedInteger), v)
		case string:
			b = append(binary.AppendUvarint(append(b, packedText), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(append(b, packedBlob), uint64(len(v))), v...)
		default:
			return nil, fmt.Errorf("%s: argument %d is a %T", packing, i, a)
		}
	}
	return b, nil
}

// errPacked is a blob that pack has not made.
var errPacked = errors.New("read packed row: not what was packed")

// packed is what remains of a blob.
type packed string

// count reads a number without a sign.
func (p *packed) count() (uint64, error) {
	var n uint64
	for i, shift := 0, 0; i < len(*p) && shift < 64; i, shift = i+1, shift+7 {
		c := (*p)[i]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			*p = (*p)[i+1:]
			return n, nil
		}
	}
	return 0, errPacked
}

// value reads the next one.
func (p *packed) value() (driver.Value, error) {
	if *p == "" {
		return nil, errPacked
	}
	kind := (*p)[0]
	*p = (*p)[1:]
	if kind == packedNull {
		return nil, nil
	}
	n, err := p.count()
	if err != nil {
		return nil, err
	}
	if kind == packedInteger { // as binary.Varint
		return int64(n>>1) ^ -int64(n&1), nil
	}
	if n > uint64(len(*p)) {
		return nil, errPacked
	}
	text := (*p)[:n]
	*p = (*p)[n:]
	switch kind {
	case packedText:
		return string(text), nil
	case packedBlob:
		return []byte(text), nil
	}
	return nil, errPacked
}

// packedRows are rows of one column of which each value is a row. The first of them is read ahead, since it tells how many columns
// there are.
type packedRows struct {
	driver.Rows
	next    packed
	columns []string // without names, which nobody asks for
	err     error    // that of the row to come
	one     [1]driver.Value
}

// unpack returns rows as they are unless they are packed.
func unpack(rows driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	if names := rows.Columns(); len(names) != 1 || names[0] != packing {
		return rows, nil
	}
	p := &packedRows{Rows: rows}
	p.columns = make([]string, p.fetch())
	return p, nil
}

// fetch reads the next row and returns the number of its columns.
func (p *packedRows) fetch() (columns uint64) {
	if p.err = p.Rows.Next(p.one[:]); p.err != nil {
		return 0
	}
	blob, ok := p.one[0].([]byte)
	if !ok {
		p.err = errPacked
		return 0
	}
	p.next = packed(blob)
	if columns, p.err = p.next.count(); columns > uint64(len(p.next)) { // each has a byte
		p.err = errPacked
	}
	if p.err != nil {
		return 0
	}
	return columns
}

// Columns implements driver.Rows.
func (p *packedRows) Columns() []string { return p.columns }

// Next implements driver.Rows.
func (p *packedRows) Next(dest []driver.Value) error {
	if p.err != nil {
		return p.err
	}
	for i := range dest {
		var err error
		if dest[i], err = p.next.value(); err != nil {
			return err
		}
	}
	if p.next != "" {
		return errPacked
	}
	if n := p.fetch(); p.err == nil && n != uint64(len(p.columns)) {
		p.err = errPacked
	}
	return nil
}
