//go:build blindtest

package store

// synchronous is what no build may have but the control of internal/torture, which has to lose commits: a proof that sees nothing there is
// blind.
const synchronous = "NORMAL"
