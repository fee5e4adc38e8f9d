//go:build race

package apitest

// buildFlags make the program watch for races when its tests do.
func buildFlags() []string { return []string{"-race"} }
