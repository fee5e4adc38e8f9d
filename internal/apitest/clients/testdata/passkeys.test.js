// Passkeys in a real browser, with Chromium's virtual authenticator: what it makes of our options, and what we make of its results
// (contract/cis §1.11, WebAuthn §5.1).
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { virtualAuthenticator, withTab } from './lib/browser.js';
import { decode } from './lib/claims.js';
import { app, clientToken, password, reset, send } from './lib/server.js';

beforeEach(reset);

// An IP address is no relying party, so the application is at localhost.
const shop = app.replace('127.0.0.1', 'localhost');
const tab = (use, options) => withTab(use, { origins: [shop], ...options });

// ok makes a call that must succeed.
async function ok(path, json, bearer) {
  const { status, body } = await send('POST', `/cis/v1/auth/${path}`, { json, bearer });
  assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  return body;
}

const startCreate = (more) => ok('webauthn/register/start', { client_id: 'web', username: 'charles@example.com', display_name: 'Charles', ...more });
const startGet = (more) => ok('webauthn/authenticate/start', { client_id: 'web', ...more });

// create and get answer options in the page. The browser reads the options by itself and writes the result by itself: the flat form.
const create = (page, started) => page.evaluate(async (options) => {
  const credential = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  return credential.toJSON();
}, started.credential_creation_options);

const get = (page, started) => page.evaluate(async (options) => {
  const credential = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return credential.toJSON();
}, started.credential_request_options);

// byHand answers options as a page does without the browser's help, in the form of the contract.
const byHand = (page, started) => page.evaluate(async ({ webauthn_session_id, credential_request_options: options }) => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
  const { id, rawId, response, type, authenticatorAttachment } = await navigator.credentials.get({
    publicKey: {
      ...options, challenge: bytes(options.challenge), allowCredentials: options.allowCredentials.map((c) => ({ ...c, id: bytes(c.id) })),
    },
  });
  return btoa(JSON.stringify({
    webauthn_session_id,
    public_key_credential: {
      id, rawId: text(rawId), type, authenticatorAttachment,
      response: {
        clientDataJSON: text(response.clientDataJSON), authenticatorData: text(response.authenticatorData),
        signature: text(response.signature), userHandle: text(response.userHandle),
      },
    },
  }));
}, started);

const flat = (started, credential) => Buffer.from(JSON.stringify({ webauthn_session_id: started.webauthn_session_id, ...credential }))
  .toString('base64');

// bound registers a passkey of charles' and returns what the server says of it.
async function bound(page, bearer, more) {
  const started = await startCreate(more);
  return ok('webauthn/register', { webauthn_encoded_result: flat(started, await create(page, started)) }, bearer);
}

async function byPassword() {
  return ok('password/authenticate', { username: 'charles', password }, await clientToken());
}

async function byPasskey(result, more) {
  return send('POST', '/cis/v1/auth/webauthn/authenticate', { json: { webauthn_encoded_result: result, ...more }, bearer: await clientToken() });
}

test('a passkey is bound, and logs in by name, without one, and beside a password', () => tab(async (page) => {
  await page.goto(shop);
  await virtualAuthenticator(page);
  const first = await byPassword();
  const passkey = await bound(page, first.access_token);
  assert.equal(passkey.user_id, '1002');
  assert.equal(passkey.authenticator_attachment, 'platform');

  const named = await startGet({ username: 'charles@example.com' });
  assert.deepEqual(named.credential_request_options.allowCredentials.map((c) => c.id), [passkey.credential_id]);
  let { status, body } = await byPasskey(flat(named, await get(page, named)));
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(decode(body.id_token).amr, ['webauthn']);
  assert.equal(decode(body.id_token).sub, '1002');

  const anybody = await startGet();
  ({ status, body } = await byPasskey(await byHand(page, anybody)));
  assert.equal(status, 200, JSON.stringify(body));

  const second = await startGet({ username: 'charles' });
  ({ status, body } = await byPasskey(flat(second, await get(page, second)), { session_id: first.session_id }));
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(decode(body.id_token).amr, ['pwd', 'webauthn', 'mfa']);
}));

test('a result is good once', () => tab(async (page) => {
  await page.goto(shop);
  await virtualAuthenticator(page);
  await bound(page, (await byPassword()).access_token);
  const started = await startGet();
  const result = flat(started, await get(page, started));
  const answers = await Promise.all(Array.from({ length: 20 }, () => byPasskey(result)));
  assert.equal(answers.filter((a) => a.status === 200).length, 1);
  assert.deepEqual(answers.find((a) => a.status !== 200).body, {
    error_code: 'webauthn_encoded_result', message: 'Invalid webauthn encoded result',
  });
}));

test('a security key, and one that is left out because the user has it', () => tab(async (page) => {
  await page.goto(shop);
  await virtualAuthenticator(page, { transport: 'usb' });
  const passkey = await bound(page, (await byPassword()).access_token);
  assert.equal(passkey.authenticator_attachment, 'cross-platform');
  await assert.rejects(create(page, await startCreate({ limit_single_credential_to_device: true })), /InvalidStateError/);
}));

test('the browser takes the ids of a name that has none, and finds no key', () => tab(async (page) => {
  await page.goto(shop);
  await virtualAuthenticator(page);
  await bound(page, (await byPassword()).access_token);
  const started = await startGet({ username: 'nobody@example.com', timeout: 30 });
  assert.ok(started.credential_request_options.allowCredentials.length > 0);
  await assert.rejects(get(page, started), /NotAllowedError/);
}));

test('a user who is not verified is refused, by the browser and by us', () => tab(async (page) => {
  await page.goto(shop);
  const { session, authenticatorId } = await virtualAuthenticator(page);
  await bound(page, (await byPassword()).access_token);
  await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await assert.rejects(get(page, await startGet()), /NotAllowedError/);
  const started = await startGet();
  const lax = { credential_request_options: { ...started.credential_request_options, userVerification: 'discouraged' } };
  const { status, body } = await byPasskey(flat(started, await get(page, lax)));
  assert.equal(status, 400);
  assert.equal(body.error_code, 'webauthn_encoded_result');
}));

test('a page of another host gets no passkey of ours, and one that made its own cannot use it here', () => withTab(async (page) => {
  await page.goto(app.replace('127.0.0.1', 'evil.localhost'));
  await virtualAuthenticator(page);
  const started = await startCreate();
  await assert.rejects(create(page, started), /SecurityError/);
  const own = { ...started.credential_creation_options, rp: { id: 'evil.localhost', name: 'Evil' } };
  const result = flat(started, await create(page, { credential_creation_options: own }));
  const { status, body } = await send('POST', '/cis/v1/auth/webauthn/register', {
    json: { webauthn_encoded_result: result }, bearer: (await byPassword()).access_token,
  });
  assert.equal(status, 400);
  assert.equal(body.error_code, 'webauthn_encoded_result');
}, { origins: [app.replace('127.0.0.1', 'evil.localhost')] }));

test('a key that was copied is locked when both have signed', () => tab(async (page) => {
  await page.goto(shop);
  const { session, authenticatorId } = await virtualAuthenticator(page);
  await bound(page, (await byPassword()).access_token);
  const { credentials: [copy] } = await session.send('WebAuthn.getCredentials', { authenticatorId });
  for (let i = 0; i < 2; i++) {
    const started = await startGet();
    assert.equal((await byPasskey(flat(started, await get(page, started)))).status, 200);
  }
  await session.send('WebAuthn.removeCredential', { authenticatorId, credentialId: copy.credentialId });
  await session.send('WebAuthn.addCredential', { authenticatorId, credential: copy });
  const copied = await startGet();
  assert.equal((await byPasskey(flat(copied, await get(page, copied)))).status, 400);
  const again = await startGet();
  const { status, body } = await byPasskey(flat(again, await get(page, again)));
  assert.equal(status, 403);
  assert.equal(body.error_code, 'auth_locked');
}));
