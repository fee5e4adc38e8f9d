// What the vendor's public samples do, step by step and in their order, told anew: the calls they make, the statuses they take for success,
// and the fields they read (contract/cis §5.1–5.4, 5.8). Whoever runs such a back end against us changes nothing but the base URL.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { returned, withTab } from './lib/browser.js';
import { decode, verify } from './lib/claims.js';
import { callback, clientToken, inbox, reset, send, sentCode } from './lib/server.js';

const chosen = 'TestP@ssw0rd'; // the password of the vendor's walkthroughs (§3)

before(reset);

// backend posts as the samples do: with a new client token each time, and always reading JSON, errors included.
async function backend(path, json, method = 'POST') {
  const reply = await send(method, `/cis/v1${path}`, { bearer: await clientToken(), json });
  if (reply.status !== 204) assert.equal(typeof reply.body, 'object', `${method} ${path}: ${reply.status} without JSON: ${reply.body}`);
  return reply;
}

// tokens checks what every …/authenticate answers (§1.1) and returns it.
function tokens({ status, body }, { session = true } = {}) {
  assert.equal(status, 200, JSON.stringify(body));
  for (const name of ['access_token', 'id_token', 'refresh_token']) assert.equal(typeof body[name], 'string', name);
  assert.equal(body.token_type, 'Bearer');
  assert.equal(body.expires_in, 3600);
  assert.equal(typeof body.session_id, session ? 'string' : 'undefined');
  return body;
}

const shown = ({ status, body }) => { // the samples show message whatever the status
  assert.ok(status >= 400);
  assert.ok(typeof body.message === 'string' || Array.isArray(body.message), JSON.stringify(body));
  return body.message;
};

test('§5.1 a back end signs a user up, logs in, shows the ID token, and logs out', async () => {
  const signedUp = await backend('/users', { username: 'emmy', credentials: { password: chosen, force_replace: false } });
  assert.equal(signedUp.status, 201);
  assert.equal(typeof signedUp.body.result.user_id, 'string');

  const login = (password) => backend('/auth/password/authenticate', {
    username: 'emmy', password, claims: { id_token: { username: null } },
  });
  const set = tokens(await login(chosen));
  const claims = decode(set.id_token);
  assert.equal(claims.username, 'emmy');
  assert.equal(claims.sub, signedUp.body.result.user_id);

  const logout = await backend('/auth/session/logout', { session_id: set.session_id });
  assert.equal(logout.status, 204);
  assert.equal(logout.body, '');
  assert.equal(shown(await backend('/auth/session/authenticate', { session_id: set.session_id })), 'Session not found');

  assert.equal(shown(await login('Wr0ng-password!')), 'Invalid username or password');
  shown(await backend('/users', { username: 'emmy', credentials: { password: chosen, force_replace: false } })); // taken
  shown(await backend('/users', { username: 'emil', credentials: { password: 'weak', force_replace: false } }));
});

test('§5.2 a back end asks for a second factor until amr has mfa', async () => {
  const bearer = await clientToken(); // which this sample keeps for 3,590 s
  const call = (method, path, json) => send(method, `/cis/v1${path}`, { bearer, json });
  const phone = '+35699222222';
  assert.equal((await call('POST', '/users', {
    username: 'sofia', phone_number: phone, credentials: { password: chosen, force_replace: false },
  })).status, 201);

  const first = tokens(await call('POST', '/auth/password/authenticate', { username: 'sofia', password: chosen }));
  assert.equal(decode(first.id_token).amr.includes('mfa'), false);

  const { status, body } = await call('GET', '/users/username/sofia');
  assert.equal(status, 200);
  assert.equal(body.result.phone_number.value, phone);
  const who = { identifier: body.result.phone_number.value, identifier_type: 'phone_number' };
  const sent = await call('POST', '/auth/otp/send', { channel: 'sms', ...who });
  assert.equal(sent.status, 200);
  assert.equal(typeof sent.body.message, 'string');

  shown(await call('POST', '/auth/otp/authenticate', { passcode: '000000', ...who, session_id: first.session_id }));
  const second = tokens(await call('POST', '/auth/otp/authenticate', {
    passcode: await sentCode(phone), ...who, session_id: first.session_id,
  }));
  assert.equal(second.session_id, first.session_id);
  assert.ok(decode(second.id_token).amr.includes('mfa'));
  assert.equal(decode(second.id_token).sub, decode(first.id_token).sub);
});

test('§5.3 a back end logs in by a link, verifies the token, refreshes it, and authenticates by the session', async () => {
  const email = 'emmy@example.com';
  assert.equal((await backend('/users', { email })).status, 201);
  assert.equal((await backend('/auth/link/email/send', { email, redirect_uri: callback })).status, 200);
  const link = new URL((await inbox(email)).find((m) => m.link).link);
  assert.equal(link.origin + link.pathname, callback);
  const set = tokens(await backend('/auth/link/email/authenticate', { code: link.searchParams.get('code') }));
  const { claims } = await verify(set.access_token);
  assert.equal(claims.sub, decode(set.id_token).sub);
  shown(await backend('/auth/link/email/authenticate', { code: link.searchParams.get('code') })); // once

  const refreshed = tokens(await backend('/auth/token/refresh', { refresh_token: set.refresh_token }), { session: false });
  assert.notEqual(refreshed.refresh_token, set.refresh_token);
  await verify(refreshed.access_token);

  const again = tokens(await backend('/auth/session/authenticate', { session_id: set.session_id }));
  assert.equal(again.session_id, set.session_id);
  await verify(again.access_token);

  assert.equal((await backend('/auth/session/logout', { session_id: set.session_id })).status, 204);
  for (const token of [refreshed.refresh_token, again.refresh_token]) shown(await backend('/auth/token/refresh', { refresh_token: token }));
});

for (const [channel, kind, address, amr] of [
  ['sms', 'phone_number', '+35699333333', 'sms'], ['email', 'email', 'olga@example.com', 'eotp'],
]) {
  test(`§5.4 a back end logs a user in by a code: ${channel}`, async () => {
    assert.equal((await backend('/users', { [kind]: address })).status, 201);
    const who = { identifier: address, identifier_type: kind };
    assert.equal((await backend('/auth/otp/send', { channel, ...who })).status, 200);
    shown(await backend('/auth/otp/authenticate', { passcode: '000000', ...who }));
    const passcode = await sentCode(address);
    const set = tokens(await backend('/auth/otp/authenticate', { passcode, ...who }));
    const { claims } = await verify(set.access_token);
    assert.equal(claims.sub, decode(set.id_token).sub);
    assert.deepEqual(decode(set.id_token).amr, [amr]);
    shown(await backend('/auth/otp/authenticate', { passcode, ...who })); // once
    const { body } = await backend(`/users/${claims.sub}`, undefined, 'GET');
    assert.equal(body.result[kind][`${kind}_verified`], true); // by the code
  });
}

test('§5.8 an SDK sends headers and fields that nobody knows', async () => {
  const { status, body } = await send('POST', '/cis/v1/auth/password/authenticate', {
    bearer: await clientToken(),
    headers: { 'X-Request-ID': 'a1b2', 'X-Nobody-Knows': '1', 'User-Agent': 'Dart/3.3 (dart:io)' },
    json: {
      username: 'charles@example.com', username_type: 'email', password: 'Pa55word!', resource: null, org_id: null, session_id: null,
      claims: { id_token: { email: null, nobody: { essential: true } }, userinfo: {} },
      client_attributes: { user_agent: 'Dart', ip_address: '203.0.113.7', nobody: 1 }, nobody: [1, { knows: 2 }],
    },
  });
  assert.equal(decode(tokens({ status, body }).id_token).email, 'charles@example.com');
  const refused = await send('POST', '/oidc/token', {
    headers: { 'X-Request-ID': 'a1b3' }, form: { grant_type: 'client_credentials', client_id: 'web', client_secret: 'wrong', nobody: '1' },
  });
  assert.equal(refused.status, 401);
  assert.equal(refused.body.error, 'invalid_client');
  assert.equal(typeof refused.body.error_description, 'string');
});

test('§5.5 a front end logs a user in on a page of its own and sends the browser with what it gets', () => withTab(async (page) => {
  assert.equal((await backend('/users', { username: 'freda', credentials: { password: chosen, force_replace: false } })).status, 201);
  const login = (password) => backend('/auth/password/login', { username: 'freda', password, client_id: 'web', redirect_uri: callback });
  shown(await login('Wr0ng-password!'));
  const { status, body } = await login(chosen);
  assert.equal(status, 200, JSON.stringify(body));
  await page.goto(body.result.url);
  const back = await returned(page);

  const set = await send('POST', '/oidc/token', {
    form: {
      grant_type: 'authorization_code', client_id: 'web', client_secret: 'web-secret', code: back.searchParams.get('code'),
      redirect_uri: callback,
    },
  });
  assert.equal(set.status, 200, JSON.stringify(set.body));
  const { sub } = decode(set.body.id_token);
  const user = await backend(`/users/${sub}`, undefined, 'GET');
  assert.equal(user.body.result.username, 'freda');
  const out = await send('POST', '/cis/v1/auth/logout', { bearer: set.body.access_token });
  assert.equal(out.status, 200);
  assert.equal(typeof out.body.sessions_count, 'number');

  // The address was good once.
  await page.goto(body.result.url);
  assert.equal((await returned(page)).searchParams.get('error'), 'login_required');
}));

// What Swift decodes: a number that is no Int64, or a Boolean that is not there, is an error.
const int64 = (n) => assert.ok(Number.isSafeInteger(n), `${n} is no Int64`);
const bool = (b) => assert.equal(typeof b, 'boolean');

test('§5.6 an app signs a user up, gets tokens by the password grant, and binds an app for codes', async () => {
  const created = await send('POST', '/cis/v1/users', {
    bearer: await clientToken(), json: { email: 'irma@example.com', credentials: { password: chosen, force_replace: false } },
  });
  assert.equal(created.status, 201);
  const { result } = created.body;
  int64(result.created_at);
  int64(result.updated_at);
  assert.equal(result.email.value, 'irma@example.com');
  bool(result.email.email_verified);
  bool(result.password_information.expired);
  bool(result.password_information.temporary);
  int64(result.password_information.updated_at);

  // The slash at the end is the sample's own.
  const set = await send('POST', '/oidc/token/', {
    form: {
      client_id: 'web', client_secret: 'web-secret', grant_type: 'password', username: 'irma@example.com', username_type: 'email',
      password: chosen,
    },
  });
  assert.equal(set.status, 200, JSON.stringify(set.body));
  for (const name of ['access_token', 'refresh_token', 'token_type']) assert.equal(typeof set.body[name], 'string', name);
  int64(set.body.expires_in);

  const bound = await send('POST', '/cis/v1/users/me/totp', {
    bearer: set.body.access_token, json: { label: 'Irma', allow_override: true },
  });
  assert.equal(bound.status, 201, JSON.stringify(bound.body));
  assert.match(bound.body.uri, /^otpauth:\/\/totp\//);
  assert.equal(new URL(bound.body.uri).searchParams.get('secret'), bound.body.secret);
});
