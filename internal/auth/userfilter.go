package auth

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxFilterBytes = 4096
	maxFilterDepth = 16
	maxComparisons = 64
)

// FilterKind is what a value of a filter is.
type FilterKind int

const (
	FilterText FilterKind = iota + 1
	FilterNumber
	FilterBool
)

// FilterValue is a value that users are searched by, or that one has. Times are numbers: milliseconds since 1970.
type FilterValue struct {
	Kind   FilterKind
	Text   string
	Number float64 // FilterBool: 1 is true
}

// UserFilter is a search among users, in the form of RFC 7644 §3.4.2.2 as far as the contract documents it: eq, ne, gt, ge, lt, le, sw and
// pr, joined by and, or and brackets. The zero UserFilter lets everybody through.
type UserFilter struct {
	op    string // and, or, or that of a comparison
	sides []UserFilter
	field []string
	want  FilterValue // zero Kind: null
}

// ParseUserFilter reads a filter. Error: CodeSearchInvalid, with the place of the mistake in Error.Field.
func ParseUserFilter(text string) (UserFilter, error) {
	p := filterParser{text: text}
	f, ok := UserFilter{}, len(text) <= maxFilterBytes
	if ok {
		f, ok = p.either(0)
	}
	if p.space(); !ok || p.at < len(text) {
		return UserFilter{}, refuseField(CodeSearchInvalid, "search["+strconv.Itoa(p.at)+"]")
	}
	return f, nil
}

// comparisons are the operators between a field and a value; pr stands behind a field alone.
func comparisons() []string { return []string{"eq", "ne", "gt", "ge", "lt", "le", "sw"} }

// fieldOf returns the kind of what users are searched by; false for what they are not. Of custom data any member will do.
func fieldOf(path []string) (FilterKind, bool) {
	switch strings.Join(path, ".") {
	case "email", "phone_number", "username", "secondary_emails", "secondary_phone_numbers", "external_user_id", "external_account_id",
		"status", "birthday", "language", "picture", "name.title", "name.first_name", "name.middle_name", "name.last_name",
		"address.country", "address.state", "address.city", "address.street_address", "address.postal_code", "address.type":
		return FilterText, true
	case "created_at", "updated_at", "last_auth":
		return FilterNumber, true
	}
	custom := len(path) > 1 && (path[0] == "custom_data" || path[0] == "custom_app_data") && !slices.Contains(path, "")
	return 0, custom
}

// filterParser reads a filter from left to right. Where it fails, at is the place.
type filterParser struct {
	text string
	at   int
	seen int // comparisons
}

func (p *filterParser) space() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

// word reads letters, digits and what else stands in a field's name; it may be empty.
func (p *filterParser) word() string {
	p.space()
	from := p.at
	for p.at < len(p.text) && isWord(p.text[p.at]) {
		p.at++
	}
	return p.text[from:p.at]
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-' || c == '$' || c >= 0x80
}

// take reads one character if it is next.
func (p *filterParser) take(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// takeWord reads a word if it is next.
func (p *filterParser) takeWord(word string) bool {
	from := p.at
	if strings.EqualFold(p.word(), word) {
		return true
	}
	p.at = from
	return false
}

func (p *filterParser) either(depth int) (UserFilter, bool) { return p.joined("or", depth, p.both) }

func (p *filterParser) both(depth int) (UserFilter, bool) { return p.joined("and", depth, p.one) }

// joined reads sides with a word between them.
func (p *filterParser) joined(word string, depth int, side func(int) (UserFilter, bool)) (UserFilter, bool) {
	f, ok := side(depth)
	if !ok {
		return f, false
	}
	sides := []UserFilter{f}
	for p.takeWord(word) {
		if f, ok = side(depth); !ok {
			return f, false
		}
		sides = append(sides, f)
	}
	if len(sides) == 1 {
		return f, true
	}
	return UserFilter{op: word, sides: sides}, true
}

// one reads what is in brackets, or a comparison.
func (p *filterParser) one(depth int) (UserFilter, bool) {
	if p.take('(') {
		if depth == maxFilterDepth {
			return UserFilter{}, false
		}
		f, ok := p.either(depth + 1)
		return f, ok && p.take(')')
	}
	p.space()
	from := p.at
	f := UserFilter{field: strings.Split(p.word(), ".")}
	kind, ok := fieldOf(f.field)
	if p.seen++; !ok || p.seen > maxComparisons {
		p.at = from
		return f, false
	}
	p.space()
	from = p.at
	switch f.op = lowerASCII(p.word()); {
	case f.op == "pr":
		return f, true
	case !slices.Contains(comparisons(), f.op):
		p.at = from
		return f, false
	}
	p.space()
	from = p.at
	f.want, ok = p.value()
	if ok = ok && f.fits(kind); !ok {
		p.at = from
	}
	return f, ok
}

// fits turns the value into the kind of its field, a date into a number, and reports whether there is such a comparison.
func (f *UserFilter) fits(kind FilterKind) bool {
	v := &f.want
	if kind == FilterNumber && v.Kind == FilterText {
		at, err := time.Parse(time.RFC3339, v.Text)
		if err != nil {
			return false
		}
		*v = millis(at)
	}
	switch {
	case v.Kind == 0 || v.Kind == FilterBool:
		return (f.op == "eq" || f.op == "ne") && (kind == 0 || v.Kind == 0)
	case f.op == "sw":
		return v.Kind == FilterText
	}
	return kind == 0 || kind == v.Kind
}

func millis(at time.Time) FilterValue {
	return FilterValue{Kind: FilterNumber, Number: float64(at.UnixMilli())}
}

// value reads a text, a number, true, false or null, as JSON has them.
func (p *filterParser) value() (FilterValue, bool) {
	if p.take('"') {
		text, ok := p.quoted()
		return FilterValue{Kind: FilterText, Text: text}, ok
	}
	from := p.at
	for p.at < len(p.text) && (isWord(p.text[p.at]) || p.text[p.at] == '+') {
		p.at++
	}
	switch word := p.text[from:p.at]; word {
	case "true":
		return FilterValue{Kind: FilterBool, Number: 1}, true
	case "false":
		return FilterValue{Kind: FilterBool}, true
	case "null":
		return FilterValue{}, true
	default:
		n, err := strconv.ParseFloat(word, 64)
		plain := strings.Trim(word, "0123456789.+-eE") == ""
		return FilterValue{Kind: FilterNumber, Number: n}, err == nil && plain && !math.IsInf(n, 0)
	}
}

// match reports whether a user is let through. member returns what a JSON object of theirs has at a path: several values of a list.
func (f UserFilter) match(a Account, member func(object string, path []string) []FilterValue) bool {
	switch f.op {
	case "":
		return true
	case "and":
		return !slices.ContainsFunc(f.sides, func(side UserFilter) bool { return !side.match(a, member) })
	case "or":
		return slices.ContainsFunc(f.sides, func(side UserFilter) bool { return side.match(a, member) })
	}
	have := f.values(a, member)
	switch {
	case f.op == "pr":
		return len(have) > 0
	case f.want.Kind == 0:
		return (len(have) == 0) == (f.op == "eq")
	case f.op == "ne":
		return !slices.ContainsFunc(have, func(v FilterValue) bool { return f.holds("eq", v) })
	}
	return slices.ContainsFunc(have, func(v FilterValue) bool { return f.holds(f.op, v) })
}

// holds compares one value that a user has.
func (f UserFilter) holds(op string, have FilterValue) bool {
	if have.Kind != f.want.Kind {
		return false
	}
	a, b := f.folded(have.Text), f.folded(f.want.Text)
	c := cmp.Or(cmp.Compare(a, b), cmp.Compare(have.Number, f.want.Number))
	switch op {
	case "eq":
		return c == 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	}
	return strings.HasPrefix(a, b)
}

// folded is a text as it is compared: identifiers as Canonical has them, so that a search finds whom a login finds.
func (f UserFilter) folded(text string) string {
	switch f.field[0] {
	case "email", "secondary_emails":
		if canonical, err := Canonical(ByEmail, text); err == nil {
			return canonical
		}
		return lowerASCII(text)
	case "username", "status":
		return lowerASCII(text)
	}
	return text
}

// values lists what a user has of the filter's field; what is empty they do not have.
func (f UserFilter) values(a Account, member func(object string, path []string) []FilterValue) []FilterValue {
	u, p := a.User, a.User.Profile
	switch f.field[0] {
	case "custom_data":
		return member(p.CustomData, f.field[1:])
	case "custom_app_data":
		return member(p.CustomAppData, f.field[1:])
	case "created_at":
		return times(u.CreatedAt)
	case "updated_at":
		return times(u.UpdatedAt)
	case "last_auth":
		return times(a.Attempts.SucceededAt)
	case "secondary_emails":
		return textValues(p.SecondaryEmails...)
	case "secondary_phone_numbers":
		return textValues(p.SecondaryPhones...)
	}
	return textValues(map[string]string{
		"email": u.Email, "phone_number": u.Phone, "username": u.Username, "status": u.Status.word(), "birthday": p.Birthday,
		"language": p.Language, "picture": p.Picture, "external_user_id": p.ExternalUserID, "external_account_id": p.ExternalAccountID,
		"name.title": p.Title, "name.first_name": p.FirstName, "name.middle_name": p.MiddleName, "name.last_name": p.LastName,
		"address.country": p.Address.Country, "address.state": p.Address.State, "address.city": p.Address.City,
		"address.street_address": p.Address.Street, "address.postal_code": p.Address.PostalCode, "address.type": p.Address.Type,
	}[strings.Join(f.field, ".")])
}

// word is a status as the contract searches for it.
func (s UserStatus) word() string {
	if s == UserSuspended {
		return "disabled"
	}
	return string(s)
}

func times(at time.Time) []FilterValue {
	if at.IsZero() {
		return nil
	}
	return []FilterValue{millis(at)}
}

func textValues(all ...string) []FilterValue {
	var values []FilterValue
	for _, text := range all {
		if text != "" {
			values = append(values, FilterValue{Kind: FilterText, Text: text})
		}
	}
	return values
}
