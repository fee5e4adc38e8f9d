// Tokens, read and verified as the vendor's samples do it (contract/cis §5.3): by the key of the set that the header names, with no issuer
// and no audience.
import assert from 'node:assert/strict';
import jwt from 'jsonwebtoken';
import jwkToPem from 'jwk-to-pem';
import { send } from './server.js';

// decode reads the claims without a look at the signature, as clients do with an ID token that they got over a connection of their own.
export function decode(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

// verify returns the header and the claims of a token that is ours, and throws for any other.
export async function verify(token, options = {}) {
  const { status, body } = await send('GET', '/cis/oidc/jwks');
  assert.equal(status, 200);
  const { header } = jwt.decode(token, { complete: true });
  const key = body.keys.find((k) => k.kid === header.kid);
  assert.ok(key, `no key ${header.kid}`);
  return { header, key, claims: jwt.verify(token, jwkToPem(key), options) };
}
