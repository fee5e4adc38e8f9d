// Package api holds the OpenAPI 3.0.3 documents of what the server speaks.
//
// The documents are the contract: requests are validated against them before a
// handler sees them, they are served as they stand, and tests validate every
// answer against them. They are written by hand and say what is served now, no
// more. This package only carries their bytes; it does not parse them.
//
// One extension is used: x-max-body, on an operation, is the longest request
// body it takes, in bytes.
package api

import _ "embed"

//go:embed multi.yaml
var multi string

//go:embed cis.yaml
var cis string

//go:embed simulate.yaml
var simulate string

//go:embed device.yaml
var device string

//go:embed sandbox.yaml
var sandbox string

// Multi returns the document of the paths under /multi, in YAML. The caller owns the bytes.
func Multi() []byte { return []byte(multi) }

// CIS returns the document of the paths under /cis and /oidc, in YAML. The caller owns the bytes.
func CIS() []byte { return []byte(cis) }

// Simulate returns the document of the paths under /simulate/api, in YAML. The caller owns the bytes.
func Simulate() []byte { return []byte(simulate) }

// Device returns the document of the paths under /device, in YAML. The caller owns the bytes.
func Device() []byte { return []byte(device) }

// Sandbox returns the document of the paths under /sandbox, in YAML. The caller owns the bytes.
func Sandbox() []byte { return []byte(sandbox) }
