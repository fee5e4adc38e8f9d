package auth

import "crypto/ecdh"

// PushService says who wakes a device.
type PushService string

const (
	PushWeb  PushService = "web"  // a browser's own push service (RFC 8030)
	PushFCM  PushService = "fcm"  // Firebase Cloud Messaging
	PushAPNs PushService = "apns" // Apple Push Notification service
	PushApp  PushService = "app"  // the operator's own sender, told by a signed request
)

// PushAddress is where a device is woken. Whoever knows it can disturb its owner and nothing else: a push is only a wake-up.
type PushAddress struct {
	Service PushService
	Token   string // PushWeb: the subscription's endpoint; else what the service calls a token
	Key     []byte // PushWeb: the subscription's P-256 key, 65 bytes uncompressed (RFC 8291 §2.1)
	Secret  []byte // PushWeb: the subscription's authentication secret, 16 bytes (RFC 8291 §2.1)
}

// IsZero reports whether there is no address.
func (a PushAddress) IsZero() bool { return a.Service == "" }

// maxPushToken bounds a token or an endpoint, in bytes.
const maxPushToken = 2048

// sound reports whether an address can be one of its service, so that a device learns at once that it is not.
func (a PushAddress) sound() bool {
	if a.Token == "" || len(a.Token) > maxPushToken {
		return false
	}
	switch a.Service {
	case PushWeb:
		_, err := ecdh.P256().NewPublicKey(a.Key)
		return err == nil && len(a.Secret) == 16
	case PushFCM, PushAPNs, PushApp:
		return len(a.Key) == 0 && len(a.Secret) == 0
	}
	return false
}
