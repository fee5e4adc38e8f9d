package auth

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a text up to its closing quote, with the escapes of JSON (RFC 8259 §7).
func (p *filterParser) quoted() (string, bool) {
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			return b.String(), utf8.ValidString(b.String())
		case c < 0x20:
			return "", false
		case c != '\\':
			b.WriteByte(c)
		case !p.escape(&b):
			return "", false
		}
	}
	return "", false
}

// escape reads what follows a backslash.
func (p *filterParser) escape(b *strings.Builder) bool {
	if p.at == len(p.text) {
		return false
	}
	c := p.text[p.at]
	p.at++
	if c == 'u' {
		return p.unicode(b)
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return false
	}
	b.WriteByte("\"\\/\b\f\n\r\t"[i])
	return true
}

// unicode reads the digits of \uXXXX, and a second one where two make a character.
func (p *filterParser) unicode(b *strings.Builder) bool {
	first, ok := p.hex()
	if !ok || !utf16.IsSurrogate(first) {
		b.WriteRune(first)
		return ok
	}
	if !strings.HasPrefix(p.text[p.at:], `\u`) {
		return false
	}
	p.at += 2
	second, ok := p.hex()
	r := utf16.DecodeRune(first, second)
	b.WriteRune(r)
	return ok && r != utf8.RuneError
}

func (p *filterParser) hex() (rune, bool) {
	if p.at+4 > len(p.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.text[p.at:p.at+4], 16, 16)
	p.at += 4
	return rune(n), err == nil
}
