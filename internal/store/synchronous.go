//go:build !blindtest

package store

// synchronous is how far SQLite goes at a commit: NORMAL would lose acknowledged commits with the power.
const synchronous = "FULL"
