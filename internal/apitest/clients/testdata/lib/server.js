// The server under test and the application beside it, as the Go test has started them, and calls that several tests make.
import assert from 'node:assert/strict';

function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this by  go test ./internal/apitest/clients -run TestClients/NAME -v`);
  return value;
}

export const base = given('COUNTERSIGN_URL');
export const app = given('APP_URL');
export const callback = `${app}/cb`;
export const issuer = `${base}/cis/oidc`;
export const clientKey = JSON.parse(given('CLIENT_KEY')); // of the client `key`, private
export const password = 'Pa55word!';

export const secrets = { web: 'web-secret', mfa: 'mfa-secret', rsa: 'rsa-secret', native: 'native-secret' };

// send makes a call and returns its status, headers and body: as JSON where it is, otherwise as text.
export async function send(method, path, { bearer, json, form, headers = {} } = {}) {
  const reply = await fetch(new URL(path, base), {
    method,
    redirect: 'manual',
    headers: {
      ...(bearer && { Authorization: `Bearer ${bearer}` }),
      ...(json && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    body: json ? JSON.stringify(json) : form && new URLSearchParams(form),
  });
  const text = await reply.text();
  const typed = /^application\/(\w+\+)?json/.test(reply.headers.get('Content-Type') ?? '');
  return { status: reply.status, headers: reply.headers, body: typed ? JSON.parse(text) : text };
}

// clientToken is what a back end calls with (contract/cis §0.2).
export async function clientToken(client = 'web') {
  const { status, body } = await send('POST', '/oidc/token', {
    form: { grant_type: 'client_credentials', client_id: client, client_secret: secrets[client] },
  });
  assert.equal(status, 200, JSON.stringify(body));
  return body.access_token;
}

// inbox is what was sent to an address, newest first.
export async function inbox(to) {
  const { status, body } = await send('GET', `/sandbox/inbox?to=${encodeURIComponent(to)}`);
  assert.equal(status, 200);
  return body;
}

// sentCode is the newest code that was sent to an address.
export async function sentCode(to) {
  const code = (await inbox(to)).find((m) => m.code)?.code;
  assert.ok(code, `no code was sent to ${to}`);
  return code;
}

// advance moves the server's clock on, for example by '30m'.
export async function advance(by) {
  const { status } = await send('POST', '/sandbox/clock', { json: { advance: by } });
  assert.equal(status, 200);
}

// reset takes the server back to its seed.
export async function reset() {
  const { status, body } = await send('POST', '/sandbox/reset');
  assert.equal(status, 200, JSON.stringify(body));
}
