//go:build postgres

package main

import "testing"

func TestEverythingIsMeasuredOnPostgreSQL(t *testing.T) {
	checkResults(t, miniature(t, true), 2)
}
