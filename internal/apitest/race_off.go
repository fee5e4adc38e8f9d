//go:build !race

package apitest

func buildFlags() []string { return nil }
