package notify

// EncryptPush is encryptPush with the sender's key and the salt given, for the vectors of RFC 8291.
var EncryptPush = encryptPushWith
