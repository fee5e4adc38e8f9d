package httpx

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Decode reads a request, checks its path, query and header parameters and its
// body against the document, and decodes the body into dst, which may be nil.
// It returns [*Invalid] with all violations at once. Members and parameters
// that the document does not describe are ignored; defaults of the document
// are not filled in; dst should follow the document, whose check comes first.
//
// An operation without a body takes none, or "{}", with no content type or
// that of JSON or of a form: clients are seen to send each of these.
func (o *Operation) Decode(w *Response, r *http.Request, dst any) error {
	err := o.decode(r, dst)
	var e *Invalid
	if errors.As(err, &e) && (e.Status == http.StatusRequestTimeout || e.Status == http.StatusRequestEntityTooLarge) {
		w.Header().Set("Connection", "close") // what is left of the body is not read
	}
	return err
}

func (o *Operation) decode(r *http.Request, dst any) error {
	if err := o.ready(); err != nil {
		return err
	}
	if o.hasBody && o.body == nil {
		return errors.New("decode " + o.Method + " " + o.Path + ": the document describes no JSON body")
	}
	raw, err := ReadBody(r, o.MaxBody)
	if err != nil {
		return err
	}
	media, err := MediaType(r)
	if err != nil {
		return err
	}
	raw = bytes.Trim(raw, " \t\r\n")
	if err := o.acceptable(r.Method, media, raw); err != nil {
		return err
	}
	fields, err := o.checkParams(r)
	if err != nil {
		return err
	}
	var body document
	if len(raw) > 0 {
		if body, err = parseJSON(raw); err != nil {
			return err
		}
	}
	if o.body != nil {
		fields = append(fields, o.checkBody(body)...)
	}
	if len(fields) > 0 {
		return &Invalid{Status: http.StatusBadRequest, Message: "the request is not valid", Fields: fields}
	}
	if dst == nil || body.value == nil {
		return nil
	}
	return fill(raw, dst)
}

// acceptable checks that the content type fits the body.
func (o *Operation) acceptable(method, media string, body []byte) error {
	void := len(body) == 0 || o.body == nil && string(body) == "{}"
	switch media {
	case mediaJSON:
		return nil
	case "", mediaForm:
		if void {
			return nil
		}
	default:
		if len(body) == 0 && (method == http.MethodGet || method == http.MethodHead) {
			return nil
		}
	}
	return invalid(http.StatusUnsupportedMediaType, "the content type is not "+mediaJSON)
}

// checkBody checks a body against its schema. No body and null are the same.
func (o *Operation) checkBody(body document) []Field {
	v := body.value
	if v == nil {
		if !o.bodyRequired {
			return nil
		}
		// An empty object tells the caller which members are missing.
		v = map[string]any{}
	} else if body.nulls {
		dropNulls(o.body, v)
	}
	c := checker{in: "body", root: o.body, options: o.check}
	fields := c.check(v)
	if body.value == nil && len(fields) == 0 {
		return []Field{required("body", "")}
	}
	return fields
}

func (o *Operation) checkParams(r *http.Request) ([]Field, error) {
	if len(o.params) == 0 && r.URL.RawQuery == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid(http.StatusBadRequest, "the query is malformed")
	}
	for name, values := range query {
		if !clearText(name) || !clearText(values...) {
			return nil, invalid(http.StatusBadRequest, "the query is not valid UTF-8 text")
		}
	}
	var fields []Field
	for _, p := range o.params {
		if p.in == "header" && !clearText(r.Header.Values(p.name)...) {
			return nil, invalid(http.StatusBadRequest, "the header "+p.name+" is not valid UTF-8 text")
		}
		fields = append(fields, p.check(p.values(r, query), o)...)
	}
	return fields, nil
}

func clearText(list ...string) bool {
	for _, s := range list {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return false
		}
	}
	return true
}

func (p *param) values(r *http.Request, query url.Values) []string {
	switch p.in {
	case "query":
		return query[p.name]
	case "header":
		return r.Header.Values(p.name)
	}
	if v := r.PathValue(p.name); v != "" {
		return []string{v}
	}
	return nil
}

func (p *param) check(values []string, o *Operation) []Field {
	if len(values) == 0 {
		if p.required {
			return []Field{required(p.in, p.name)}
		}
		return nil
	}
	c := checker{in: p.in, name: p.name, root: p.schema, options: o.check}
	if !p.schema.Type.Is("array") {
		if len(values) > 1 {
			// Of two values, two readers may take a different one each.
			return []Field{{In: p.in, Name: p.name, Code: "EXACTLY", Params: []string{"1"}, Detail: p.name + " must be given once"}}
		}
		return c.check(typed(p.schema.Type.Slice(), values[0]))
	}
	if !p.explode {
		values = strings.Split(strings.Join(values, ","), ",")
	}
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
		if p.schema.Items != nil {
			list[i] = typed(p.schema.Items.Value.Type.Slice(), v)
		}
	}
	return c.check(list)
}

// typed reads a parameter as the type that its schema names. What cannot be
// read stays a string, and so fails the check of its type.
func typed(types []string, s string) any {
	for _, t := range types {
		switch t {
		case "boolean":
			if s == "true" || s == "false" {
				return s == "true"
			}
		case "integer":
			if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
				return float64(n)
			}
		case "number":
			if d, err := parseJSON([]byte(s)); err == nil {
				if f, ok := d.value.(float64); ok {
					return f
				}
			}
		}
	}
	return s
}
