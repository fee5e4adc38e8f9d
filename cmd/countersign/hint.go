package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"regexp"
	"strings"
	"syscall"
)

// unreadable says what a configuration holds that it cannot, and which setting may have been meant.
func unreadable(err error) string {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n  ")
	text = strings.ReplaceAll(text, "into time.Duration", "into a time; want one with its unit, as in 15s")
	unknown := regexp.MustCompile(`field (\S+) not found in type (main\.\w+|struct .*)`)
	return unknown.ReplaceAllStringFunc(text, func(found string) string {
		name := unknown.FindStringSubmatch(found)[1]
		said := "field " + name + " is no setting"
		for _, setting := range settingsOf(reflect.TypeFor[Config]()) {
			if distance(name, setting) <= 2 {
				return said + "; did you mean " + setting + "?"
			}
		}
		return said
	})
}

// settingsOf lists the names in a type of the configuration, and in those of its fields.
func settingsOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			names = append(append(names, name), settingsOf(f.Type)...)
		}
	}
	return names
}

// distance is how many letters have to be put in, left out or changed to make one word the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// isAddress reports whether a text is an address to listen at.
func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	return err == nil
}

// listenAt opens the listener of a setting.
func listenAt(setting, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: something listens at %s already; end it, or set %[1]s to another address", setting, address)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s: no right to listen at %s; set %[1]s to a port from 1024 on", setting, address)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return ln, nil
}
