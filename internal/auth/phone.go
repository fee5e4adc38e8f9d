package auth

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
)

// PhoneNumber is a phone number in two parts, as contract/multi §1.5 has it. The domain keeps it in E.164.
type PhoneNumber struct {
	Country string // +356
	Number  string // 99111111
}

// SplitPhone parts a number in E.164; false when it is none.
func SplitPhone(e164 string) (PhoneNumber, bool) {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return PhoneNumber{}, false
	}
	country := "+" + strconv.Itoa(int(n.GetCountryCode()))
	return PhoneNumber{country, strings.TrimPrefix(e164, country)}, true
}

// e164 joins the parts. A number that its country's plan cannot have is refused, one that nobody has been given is not; that one gets no
// codes (see phoneFit).
func (p PhoneNumber) e164() (string, *Error) {
	n, err := phonenumbers.Parse(p.Country+p.Number, "")
	if err != nil || !phonenumbers.IsPossibleNumber(n) || "+"+strconv.Itoa(int(n.GetCountryCode())) != p.Country {
		return "", refuse(CodePhoneMalformed)
	}
	text := phonenumbers.Format(n, phonenumbers.E164)
	if !isE164(text) {
		return "", refuse(CodePhoneMalformed)
	}
	return text, nil
}

// namesOf computes the identifiers under which a user can be found. A phone number that is another user's identifier stays the user's for
// codes and names them nowhere: several people may share a phone, and only one can log in by it. Neither may a username that reads as it.
func namesOf(r Reads, u User) ([]Identifier, error) {
	ids, err := identifiersOf(u)
	if err != nil || u.Phone == "" {
		return ids, err
	}
	holder, err := r.AccountByIdentifier(u.Tenant, ByPhone, u.Phone, "")
	if err != nil || !holder.Found || holder.User.ID == u.ID {
		return ids, err
	}
	return slices.DeleteFunc(ids, func(i Identifier) bool { return i.Canonical == u.Phone && i.Kind != ByExternalID }), nil
}

// emailFit says why an address may not become a user's, if it may not: it is malformed, its domain or one above it is blocked, or it is
// another user's.
func (s *Service) emailFit(r Reads, u User) (*Error, error) {
	canonical, err := Canonical(ByEmail, u.Email)
	if err != nil {
		return refuseField(CodeIdentifierInvalid, string(ByEmail)), nil
	}
	_, host, _ := strings.Cut(canonical, "@")
	for _, blocked := range s.settings(u.Tenant).BlockedDomains {
		if ascii, err := domains.ToASCII(lowerASCII(blocked)); err == nil {
			blocked = ascii
		}
		if host == blocked || strings.HasSuffix(host, "."+blocked) {
			return refuse(CodeEmailDomain), nil
		}
	}
	holder, err := r.AccountByIdentifier(u.Tenant, ByEmail, canonical, "")
	if err == nil && holder.Found && holder.User.ID != u.ID {
		return refuse(CodeUserExists), nil
	}
	return nil, err
}

// taken gives an identifier that another transaction took meanwhile its code.
func taken(err error) error {
	if errors.Is(err, ErrExists) {
		return refuse(CodeUserExists)
	}
	return err
}

// isCountry reports whether a text is a country's code of today (ISO 3166-1 alpha-2, and Kosovo's XK, which banks use).
func isCountry(code string) bool {
	const withdrawn = "AN CS NT SU YU"
	region, err := language.ParseRegion(code)
	return err == nil && len(code) == 2 && region.String() == code && region.IsCountry() && region.Canonicalize() == region &&
		region.M49() != 0 && !strings.Contains(withdrawn, code)
}
