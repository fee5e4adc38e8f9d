// Checks evidence of a device's approval without Countersign's code: node docs/evidence/check.mjs EVIDENCE.json KEYS.json
// It uses Node's own cryptography and nothing else. docs/evidence.md says what is checked and why.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const fail = (why) => {
  console.error("the evidence does not hold: " + why);
  process.exit(1);
};
const need = (condition, why) => condition || fail(why);
const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const part = (text) => JSON.parse(Buffer.from(text, "base64url").toString("utf8"));

// RFC 7638: the members that a key must have, in lexicographic order.
const members = { EC: ["crv", "kty", "x", "y"], OKP: ["crv", "kty", "x"] };
const thumbprint = (jwk) => {
  need(members[jwk.kty], "a key of a kind that is not taken");
  const text = JSON.stringify(Object.fromEntries(members[jwk.kty].map((name) => [name, jwk[name]])));
  return createHash("sha256").update(text).digest("base64url");
};

// The one algorithm that a key is for.
const algorithm = (jwk) => (jwk.kty === "EC" && jwk.crv === "P-256" ? "ES256" : jwk.kty === "OKP" && jwk.crv === "Ed25519" ? "EdDSA" : undefined);
// JWTs write a signature of ES256 as two numbers, passkeys in DER.
const signed = (text, jwk, signature, dsaEncoding) =>
  verify(algorithm(jwk) === "ES256" ? "sha256" : null, text, { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding }, signature);

// Returns the claims of a JWT that the key has signed, with the algorithm that the key fixes.
const open = (jwt, jwk, typ, what) => {
  const [head, body, signature, ...rest] = jwt.split(".");
  need(signature && rest.length === 0, what + " is no JWT");
  const header = part(head);
  need(algorithm(jwk) && header.alg === algorithm(jwk) && header.typ === typ, what + " is of another kind");
  need(signed(Buffer.from(head + "." + body), jwk, Buffer.from(signature, "base64url"), "ieee-p1363"), what + " is signed by another key");
  return part(body);
};

// Checks that a passkey has signed the hash of what the device's key signed, at its own site, its user verified (WebAuthn, 7.2).
const present = 0x01, verified = 0x04;
const assert = (passkey, assertion, answer) => {
  const [client, data, signature] = ["clientDataJSON", "authenticatorData", "signature"].map((name) => Buffer.from(assertion[name], "base64url"));
  const said = JSON.parse(client.toString("utf8"));
  const challenge = createHash("sha256").update(answer.slice(0, answer.lastIndexOf("."))).digest("base64url");
  need(said.type === "webauthn.get" && said.challenge === challenge && !said.crossOrigin, "the passkey signed another answer");
  const origin = new URL(said.origin);
  need(origin.hostname === passkey.rp_id && (origin.protocol === "https:" || passkey.rp_id === "localhost"), "the passkey was used on another site");
  need(data.length >= 37 && createHash("sha256").update(passkey.rp_id).digest().equals(data.subarray(0, 32)), "the passkey is another site's");
  need((data[32] & present) && (data[32] & verified), "the passkey has not verified its user");
  const key = JSON.parse(passkey.key);
  need(algorithm(key), "the passkey is of another kind");
  const over = Buffer.concat([data, createHash("sha256").update(client).digest()]);
  need(signed(over, key, signature, "der"), "the answer is signed by another passkey");
};

const [evidence, keys] = process.argv.slice(2).map(read);
need(evidence?.version === 1 && Array.isArray(keys?.keys), "want evidence of version 1 and a key set");

// Our key signed the certificate …
const kid = part(evidence.certificate.split(".")[0]).kid;
const ours = keys.keys.find((key) => key.kid === kid && key.kty === "EC");
need(ours, "no key of the set has signed the certificate");
const certificate = open(evidence.certificate, ours, "countersign-device+jwt", "the certificate");
need(certificate.iss === evidence.issuer && certificate.aud === evidence.issuer, "the certificate is another issuer's");

// … the certificate holds the device's key …
const device = JSON.parse(certificate.key);
need(thumbprint(device) === evidence.device && certificate.device === evidence.device, "the certificate is another device's");

// … and that key signed the answer.
const answer = open(evidence.answer, device, "countersign-answer+jwt", "the answer");
need(answer.iss === evidence.device && answer.aud === evidence.issuer, "the answer is for another issuer");
need(answer.sub === evidence.user && answer.sub === certificate.sub, "the device signed for another user");
need(answer.tid === evidence.tenant && answer.tid === certificate.tid, "the device signed for another tenant");
need(answer.challenge === evidence.challenge, "the device signed another challenge");
need(answer.decision === evidence.decision, "the device signed another decision");

// … and so did its passkey, if it has one and approved.
const passkey = certificate.passkey;
need(!passkey || evidence.assertion || answer.decision !== "approve", "the device approves with a passkey, and that has signed nothing");
need(passkey || !evidence.assertion, "the device has no passkey");
if (evidence.assertion) assert(passkey, evidence.assertion, evidence.answer);

const at = Date.parse(evidence.answeredAt) / 1000;
need(at >= answer.iat - 1 && at <= answer.exp + 1, "the answer was given at another time");

console.log(`The evidence holds: user ${answer.sub} of ${answer.tid} said ${answer.decision} to challenge ${answer.challenge} (${answer.purpose})`);
for (const line of answer.shown) console.log("shown: " + line);
