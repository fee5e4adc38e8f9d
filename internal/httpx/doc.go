// Package httpx is the ground that every HTTP dialect of the server stands on.
//
// It owns what is the same for all of them: handlers that return errors, the
// routing of paths without redirects, strict reading of request bodies, the
// check of a request against the dialect's OpenAPI document, replies, limits
// and time-outs, the address of the client, and the one log line per request.
//
// It does not own what an error looks like on the wire (each dialect's
// [ErrorFunc] does), who may call (it knows no key, token or session), or any
// rule of the domain.
//
// # The life of a request
//
//	net/http ─► Mux.Handler ─► path cleaned, route found ─► Handler ─► reply
//	                │                    │                     │
//	                │                    └──── error ──────────┴─► ErrorFunc of the prefix
//	                └─ request id, client address, recovery from panics, the log line
//
// A handler is "decode, call, reply". What [Operation.Decode] refuses is an
// [*Invalid], which names fields and constraints but never holds a value that
// the request carried: it may have been a password.
package httpx
