package cis

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"countersign/internal/auth"
)

// pageLimit is how many users a page holds when the request does not say.
const pageLimit = 1000

type pageInfo struct {
	HasNextPage     bool `json:"has_next_page"`
	HasPreviousPage bool `json:"has_previous_page"`
}

type userList struct {
	TotalCount int       `json:"total_count"`
	PageInfo   pageInfo  `json:"page_info"`
	Result     []apiUser `json:"result"`
}

// listUsers is GET /v1/users of contract/cis §1.6.
func (a *API) listUsers(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	query := c.r.URL.Query()
	part := auth.UserPage{
		Order: auth.UserOrder(query.Get("sort_field")), Descending: query.Get("sort_order") == "desc",
		Offset: number(query.Get("page_offset"), 0), Limit: number(query.Get("page_limit"), pageLimit),
	}
	search := auth.UserSearch{Filter: query.Get("search"), Prefix: query.Get("search_prefix"), Page: part, Member: member}
	found, count, err := a.auth.Users(c.r.Context(), c.by, search)
	if err != nil {
		return err
	}
	list := userList{
		TotalCount: count, Result: make([]apiUser, len(found)),
		PageInfo: page(part.Offset, len(found), count),
	}
	for i, account := range found {
		list.Result[i] = a.userOf(c, account)
	}
	return c.w.JSON(http.StatusOK, list)
}

// number is a parameter that the document has found to be one.
func number(text string, absent int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return absent
}

type userCount struct {
	UserCount int `json:"user_count"`
}

// countUsers is GET /v1/users/count.
func (a *API) countUsers(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	_, count, err := a.auth.Users(c.r.Context(), c.by, auth.UserSearch{Filter: c.r.URL.Query().Get("search"), Member: member})
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{userCount{count}})
}

// getUserByIdentifier is GET /v1/users/identifier. The names of identifiers are spelled otherwise here than in bodies.
func (a *API) getUserByIdentifier(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	query := c.r.URL.Query()
	kind := auth.IdentifierKind(query.Get("identifier_name"))
	switch kind {
	case "phoneNumber":
		kind = auth.ByPhone
	case "externalUserId":
		kind = auth.ByExternalID
	}
	account, err := a.auth.UserBy(c.r.Context(), c.by, kind, query.Get("identifier_value"))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.userOf(c, account)})
}

// member finds what an object has at a path, for a filter: each value of a list.
func member(object string, path []string) []auth.FilterValue {
	if object == "" {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(object), &v); err != nil {
		return nil // it was checked when it came
	}
	return valuesAt(v, path)
}

func valuesAt(v any, path []string) []auth.FilterValue {
	switch v := v.(type) {
	case map[string]any:
		if len(path) == 0 {
			return nil
		}
		if inner, ok := v[path[0]]; ok {
			return valuesAt(inner, path[1:])
		}
		return valuesAt(v[strings.Join(path, ".")], nil) // a name may hold a dot
	case []any:
		var all []auth.FilterValue
		for _, inner := range v {
			all = append(all, valuesAt(inner, path)...)
		}
		return all
	}
	if len(path) > 0 {
		return nil
	}
	switch v := v.(type) {
	case string:
		return []auth.FilterValue{{Kind: auth.FilterText, Text: v}}
	case float64:
		return []auth.FilterValue{{Kind: auth.FilterNumber, Number: v}}
	case bool:
		value := auth.FilterValue{Kind: auth.FilterBool}
		if v {
			value.Number = 1
		}
		return []auth.FilterValue{value}
	}
	return nil
}
