package auth

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// SpanField is what a UserSpan is about: what the store has an index of.
type SpanField int

const (
	SpanOfID         SpanField = iota + 1
	SpanOfIdentifier           // of UserSpan.Kind, in canonical form
	SpanOfEmail                // the primary address in small ASCII letters
	SpanOfPhone                // the primary number
	SpanOfCreation
)

// UserSpan are the users who have something that lies between two values. Texts are compared by bytes.
type UserSpan struct {
	Field       SpanField
	Kind        IdentifierKind
	From, Below string    // From ≤ text < Below; an empty Below is no end
	Since, End  time.Time // of SpanOfCreation: Since ≤ time < End; a zero one is none
}

// next is the least text above another. None that is stored holds a NUL.
func next(text string) string { return text + "\x01" }

// afterPrefix is the least text above all that begin so; empty when there is none.
func afterPrefix(prefix string) string {
	runes := []rune(prefix)
	for i, r := range slices.Backward(runes) {
		if r++; r == 0xd800 { // surrogates are no characters
			r = 0xe000
		}
		if r <= utf8.MaxRune {
			return string(runes[:i]) + string(r)
		}
	}
	return ""
}

// one reports whether at most one user can be in a span of identifiers.
func (s UserSpan) one() bool { return s.Field == SpanOfIdentifier && s.Below == next(s.From) }

// width puts what is likely to hold fewer users first.
func width(spans []UserSpan) int {
	widest := 0
	for _, s := range spans {
		switch {
		case s.Field == SpanOfCreation || s.Below == "":
			widest = 2
		case !s.one():
			widest = max(widest, 1)
		}
	}
	return widest
}

// within returns what two spans of one field have in common.
func (s UserSpan) within(o UserSpan) UserSpan {
	s.From = max(s.From, o.From)
	if s.Below == "" || o.Below != "" && o.Below < s.Below {
		s.Below = o.Below
	}
	s.Since = later(s.Since, o.Since)
	if s.End.IsZero() || !o.End.IsZero() && o.End.Before(s.End) {
		s.End = o.End
	}
	return s
}

// spans returns where all users are whom a search lets through, and whether it lets everybody there through. No spans: anywhere.
func (in UserSearch) spans(f UserFilter) (spans []UserSpan, exact bool) {
	if f.op != "" {
		spans, exact = f.spans()
	}
	if in.Prefix == "" {
		return spans, exact || f.op == ""
	}
	if !spannable(in.Prefix) {
		return spans, false
	}
	email := lowerASCII(in.Prefix)
	begin := []UserSpan{
		{Field: SpanOfEmail, From: email, Below: afterPrefix(email)},
		{Field: SpanOfPhone, From: in.Prefix, Below: afterPrefix(in.Prefix)},
	}
	if spans == nil || width(begin) < width(spans) {
		spans = begin
	}
	return spans, f.op == ""
}

// spannable reports whether a text could be stored, and may so be asked for.
func spannable(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }

// spans is as that of UserSearch, of a filter that is not zero. Of sides that all have to hold, it takes the one that likely leaves least,
// with what others say of the same field.
func (f UserFilter) spans() (spans []UserSpan, exact bool) {
	switch f.op {
	case "or":
		exact = true
		for _, side := range f.sides {
			some, all := side.spans()
			if some == nil {
				return nil, false
			}
			spans, exact = append(spans, some...), exact && all
		}
	case "and":
		exact = true
		for _, side := range f.sides {
			some, all := side.spans()
			switch {
			case spans == nil && some != nil:
				spans, exact = some, exact && all
			case len(some) == 1 && len(spans) == 1 && some[0].Field == spans[0].Field && some[0].Kind == spans[0].Kind:
				spans, exact = []UserSpan{spans[0].within(some[0])}, exact && all
			case some != nil && width(some) < width(spans):
				spans, exact = some, false
			default:
				exact = false
			}
		}
	default:
		return f.span()
	}
	return spans, exact
}

// span is where the users are whom a comparison lets through.
func (f UserFilter) span() (spans []UserSpan, exact bool) {
	s := UserSpan{}
	switch field := strings.Join(f.field, "."); field {
	case "created_at":
		return f.spanOfCreation()
	case "email":
		s.Field, s.Kind = SpanOfIdentifier, ByEmail
	case "external_user_id":
		s.Field, s.Kind = SpanOfIdentifier, ByExternalID
	case "phone_number":
		s.Field = SpanOfPhone
	case "username": // what Unicode composes may change the order of others
		s.Field, s.Kind = SpanOfIdentifier, ByUsername
		if f.op != "eq" || strings.ContainsFunc(f.want.Text, func(r rune) bool { return r >= utf8.RuneSelf }) {
			return nil, false
		}
	default:
		return nil, false
	}
	text := f.folded(f.want.Text)
	if f.want.Kind != FilterText || !spannable(text) {
		return nil, false
	}
	s.From = next("") // who has none has an empty one
	switch f.op {
	case "eq":
		s.From, s.Below = text, next(text)
	case "sw":
		s.From, s.Below = text, afterPrefix(text)
	case "gt":
		s.From = next(text)
	case "ge":
		s.From = text
	case "lt":
		s.Below = text
	case "le":
		s.Below = next(text)
	default:
		return nil, false
	}
	s.From = max(s.From, next(""))
	return []UserSpan{s}, s.Below != "" || f.op != "lt"
}

// spanOfCreation is span of the time a user was made at, which is compared in milliseconds.
func (f UserFilter) spanOfCreation() (spans []UserSpan, exact bool) {
	ms := f.want.Number
	if f.want.Kind != FilterNumber || math.Abs(ms) > 1e14 || ms != math.Trunc(ms) {
		return nil, false
	}
	s, at := UserSpan{Field: SpanOfCreation}, time.UnixMilli(int64(ms)).UTC()
	switch f.op {
	case "eq":
		s.Since, s.End = at, at.Add(time.Millisecond)
	case "gt":
		s.Since = at.Add(time.Millisecond)
	case "ge":
		s.Since = at
	case "lt":
		s.End = at
	case "le":
		s.End = at.Add(time.Millisecond)
	default:
		return nil, false
	}
	return []UserSpan{s}, true
}
