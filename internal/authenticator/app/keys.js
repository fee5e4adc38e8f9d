// The two keys of a device that is a browser: one that signs unasked and cannot be read out, and a passkey that asks its owner.
// docs/device.md says what each is good for.

const utf8 = new TextEncoder();

export function encode(bytes) {
  let text = '';
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function decode(text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}

const sha256 = (bytes) => crypto.subtle.digest('SHA-256', bytes);

// makeKey makes the device's key; its id is the thumbprint (RFC 7638).
export async function makeKey() {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
  const jwk = { crv, kty, x, y };
  return { id: encode(await sha256(utf8.encode(JSON.stringify(jwk)))), jwk, key: pair.privateKey };
}

// sign makes a token (RFC 7515) of a type by the device's key.
export async function sign({ id, key }, typ, claims) {
  const part = (value) => encode(utf8.encode(JSON.stringify(value)));
  const signed = `${part({ alg: 'ES256', kid: id, typ })}.${part({ iss: id, ...claims })}`;
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, utf8.encode(signed));
  return `${signed}.${encode(signature)}`;
}

// challengeOf is what a passkey signs: the hash of what the device's key signed.
const challengeOf = (token) => sha256(utf8.encode(token.slice(0, token.lastIndexOf('.'))));

// createPasskey makes the passkey that goes with a proof.
export async function createPasskey(site, proof, { service, name }) {
  const { rawId, response } = await navigator.credentials.create({
    publicKey: {
      challenge: await challengeOf(proof),
      rp: { id: site.rp_id, name: service },
      user: { id: crypto.getRandomValues(new Uint8Array(16)), name, displayName: name },
      pubKeyCredParams: site.algorithms.map((alg) => ({ type: 'public-key', alg })),
      authenticatorSelection: { authenticatorAttachment: 'platform', userVerification: 'required', residentKey: 'discouraged' },
      attestation: 'none',
      timeout: 120_000,
    },
  });
  return { id: encode(rawId), clientDataJSON: encode(response.clientDataJSON), attestationObject: encode(response.attestationObject) };
}

// assert has the owner approve: the passkey signs what the device's key signed.
export async function assert(site, id, token, timeout, signal) {
  const { response } = await navigator.credentials.get({
    publicKey: {
      challenge: await challengeOf(token), rpId: site.rp_id, allowCredentials: [{ type: 'public-key', id: decode(id) }],
      userVerification: 'required', timeout,
    },
    signal,
  });
  return {
    clientDataJSON: encode(response.clientDataJSON), authenticatorData: encode(response.authenticatorData),
    signature: encode(response.signature),
  };
}
