package cis

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
)

// approvalWords are the characters that what a user approves may be written in; contract/cis §1.9.
const approvalWords = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

// canonicalApproval checks what a user is to approve: a flat object of texts and numbers. It is bound, signed and given back in its
// canonical form (RFC 8785): members in order, no spaces. The number of members is the document's to check.
func canonicalApproval(v jsontext.Value) (jsontext.Value, error) {
	var members map[string]jsontext.Value
	if len(v) == 0 || v.Kind() == 'n' {
		return nil, nil
	}
	if err := json.Unmarshal(v, &members); err != nil {
		return nil, invalid("approval_data", "must be an object")
	}
	for name, value := range members {
		var text string
		switch value.Kind() {
		case '"':
			if err := json.Unmarshal(value, &text); err != nil {
				return nil, invalid("approval_data", "must be an object of texts and numbers")
			}
		case '0':
		default:
			return nil, invalid("approval_data", "must be an object of texts and numbers")
		}
		if name == "" || strings.Trim(name+text, approvalWords) != "" {
			return nil, invalid("approval_data", "may hold letters, digits, _ - and . alone")
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	v = v.Clone()
	return v, v.Canonicalize()
}

// approvalOf is canonicalApproval with a line for each member.
func approvalOf(v jsontext.Value) (auth.Proposal, error) {
	v, err := canonicalApproval(v)
	if err != nil || v == nil {
		return auth.Proposal{}, err
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(v, &members); err != nil {
		return auth.Proposal{}, err
	}
	a := auth.Proposal{Text: string(v)}
	for name, value := range members {
		a.Lines = append(a.Lines, name+": "+strings.Trim(string(value), `"`))
	}
	slices.Sort(a.Lines)
	return a, nil
}
