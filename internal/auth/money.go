package auth

import (
	"strconv"
	"strings"

	"golang.org/x/text/currency"
)

// isCurrency reports whether a code is one of ISO 4217, in capitals, and of real money.
func isCurrency(code string) bool {
	unit, err := currency.ParseISO(code)
	return err == nil && unit.String() == code && unit != currency.XXX && unit != currency.XTS
}

// minorDigits is how many digits of an amount come after the point (ISO 4217, list one). The tables of package currency are not those:
// they say how people write amounts, and where nobody uses the minor unit any more its Albanian lek has none.
func minorDigits(code string) int {
	switch code {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}

// money writes an amount of minor units, as EUR 12.34 or JPY 1234. It groups no digits: there is one way to read it.
func money(amount int64, code string) string {
	sign, n := "", uint64(amount)
	if amount < 0 {
		sign, n = "-", -n
	}
	text, digits := strconv.FormatUint(n, 10), minorDigits(code)
	if digits == 0 {
		return code + " " + sign + text
	}
	if len(text) <= digits {
		text = strings.Repeat("0", digits+1-len(text)) + text
	}
	return code + " " + sign + text[:len(text)-digits] + "." + text[len(text)-digits:]
}

// line is what a user is shown of one resource.
func (l DynamicLink) line() string {
	var parts []string
	if l.Currency != "" {
		parts = append(parts, money(l.Amount, l.Currency))
	}
	if l.Payee != "" {
		parts = append(parts, "to "+l.Payee)
	}
	if l.Account != "" {
		parts = append(parts, l.Account)
	}
	if l.Text != "" {
		parts = append(parts, l.Text)
	}
	return strings.Join(parts, ", ")
}
