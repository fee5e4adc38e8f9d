//go:build postgres

package main

import "testing"

// TestLongRunOnPostgres is TestLongRun for two nodes.
func TestLongRunOnPostgres(t *testing.T) {
	smallRun(t, 13, 1, (*env).lastOnPostgres)
}
