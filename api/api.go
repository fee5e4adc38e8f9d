// Package api holds the OpenAPI 3.0.3 documents of what the server speaks.
//
// The documents are the contract: requests are validated against them before a
// handler sees them, they are served as they stand, and tests validate every
// answer against them. They are written by hand and say what is served now, no
// more. This package only carries their bytes; it does not parse them.
//
// Beside each document NAME.yaml stands NAME.requests.json, which is what requests are checked by: the same operations and schemas, in the
// form that is read fast when a server starts. `go test ./api -update` writes it, and a test fails where it is not that of the document.
//
// One extension is used: x-max-body, on an operation, is the longest request
// body it takes, in bytes.
package api

import _ "embed"

//go:embed multi.yaml
var multi string

//go:embed multi.requests.json
var multiRequests string

//go:embed cis.yaml
var cis string

//go:embed cis.requests.json
var cisRequests string

//go:embed simulate.yaml
var simulate string

//go:embed simulate.requests.json
var simulateRequests string

//go:embed device.yaml
var device string

//go:embed device.requests.json
var deviceRequests string

//go:embed sandbox.yaml
var sandbox string

//go:embed sandbox.requests.json
var sandboxRequests string

// Multi returns the document of the paths under /multi, in YAML. The caller owns the bytes.
func Multi() []byte { return []byte(multi) }

// MultiRequests returns what requests to them are checked by, for httpx.OpenDoc. The caller owns the bytes.
func MultiRequests() []byte { return []byte(multiRequests) }

// CIS returns the document of the paths under /cis and /oidc, in YAML. The caller owns the bytes.
func CIS() []byte { return []byte(cis) }

// CISRequests returns what requests to them are checked by, for httpx.OpenDoc. The caller owns the bytes.
func CISRequests() []byte { return []byte(cisRequests) }

// Simulate returns the document of the paths under /simulate/api, in YAML. The caller owns the bytes.
func Simulate() []byte { return []byte(simulate) }

// SimulateRequests returns what requests to them are checked by, for httpx.OpenDoc. The caller owns the bytes.
func SimulateRequests() []byte { return []byte(simulateRequests) }

// Device returns the document of the paths under /device, in YAML. The caller owns the bytes.
func Device() []byte { return []byte(device) }

// DeviceRequests returns what requests to them are checked by, for httpx.OpenDoc. The caller owns the bytes.
func DeviceRequests() []byte { return []byte(deviceRequests) }

// Sandbox returns the document of the paths under /sandbox, in YAML. The caller owns the bytes.
func Sandbox() []byte { return []byte(sandbox) }

// SandboxRequests returns what requests to them are checked by, for httpx.OpenDoc. The caller owns the bytes.
func SandboxRequests() []byte { return []byte(sandboxRequests) }
