// openid-client, the library of most Node.js applications, takes users through the authorization code flow in a browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oidc from 'openid-client';
import { enterCode, logIn, returned, withTab } from './lib/browser.js';
import { app, callback, clientKey, issuer, password, secrets, sentCode } from './lib/server.js';

const discover = (client, authentication, metadata = {}) =>
  oidc.discovery(new URL(issuer), client, metadata, authentication, { execute: [oidc.allowInsecureRequests] });

// authorization is a request with everything that the library checks afterwards.
async function authorization(config, params = {}) {
  const checks = {
    pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(),
    idTokenExpected: true,
  };
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: callback, scope: 'openid', state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256', ...params,
  });
  return { url: url.href, checks };
}

for (const [name, authentication] of [
  ['client_secret_basic', oidc.ClientSecretBasic], ['client_secret_post', oidc.ClientSecretPost],
]) {
  test(`a user logs in by password: ${name}`, () => withTab(async (page) => {
    const config = await discover('web', authentication(secrets.web));
    assert.ok(config.serverMetadata().token_endpoint_auth_methods_supported.includes(name));
    const { url, checks } = await authorization(config, { max_age: '300' });
    await page.goto(url);
    await logIn(page, 'charles@example.com', password);
    const tokens = await oidc.authorizationCodeGrant(config, await returned(page), { ...checks, maxAge: 300 });
    const claims = tokens.claims();
    assert.equal(claims.sub, '1002');
    assert.deepEqual(claims.amr, ['pwd']);
    assert.equal(claims.acr, 'pwd');
    assert.equal(tokens.token_type, 'bearer'); // which the library writes in lower case
    assert.equal(tokens.refresh_token, undefined);
  }));
}

test('a user proves two factors, allows access while away, and the client refreshes', () => withTab(async (page) => {
  const config = await discover('mfa', oidc.ClientSecretPost(secrets.mfa));
  const { url, checks } = await authorization(config, { scope: 'openid email phone offline_access', prompt: 'consent' });
  await page.goto(url);
  await logIn(page, 'ada', password);
  await enterCode(page, await sentCode('+35699111111'));
  await page.getByRole('button', { name: 'Allow' }).click();
  const first = await oidc.authorizationCodeGrant(config, await returned(page), checks);
  assert.equal(first.claims().sub, '1001');
  assert.deepEqual(first.claims().amr, ['pwd', 'sms', 'mfa']);
  assert.equal(first.claims().acr, 'mfa');

  const second = await oidc.refreshTokenGrant(config, first.refresh_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal(second.claims().sub, '1001');
  assert.equal(second.claims().auth_time, first.claims().auth_time);
  // Who comes with the first one after the second was used has stolen one of them: both are worth nothing.
  const third = await oidc.refreshTokenGrant(config, second.refresh_token);
  for (const token of [first.refresh_token, third.refresh_token]) {
    await assert.rejects(oidc.refreshTokenGrant(config, token), { error: 'invalid_grant' });
  }
}));

test('the code is good once, for its verifier alone', () => withTab(async (page) => {
  const config = await discover('web', oidc.ClientSecretPost(secrets.web));
  const { url, checks } = await authorization(config);
  await page.goto(url);
  await logIn(page, 'charles', password);
  const back = await returned(page);
  await assert.rejects(
    oidc.authorizationCodeGrant(config, back, { ...checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }), { error: 'invalid_grant' });
  await oidc.authorizationCodeGrant(config, back, checks);
  await assert.rejects(oidc.authorizationCodeGrant(config, back, checks), { error: 'invalid_grant' });
}));

test('the library is told of a refusal', () => withTab(async (page) => {
  const config = await discover('web', oidc.ClientSecretPost(secrets.web));
  const { url, checks } = await authorization(config);
  await page.goto(url);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await assert.rejects(oidc.authorizationCodeGrant(config, await returned(page), checks), { error: 'access_denied' });
}));

test('a client is given a token of its own, and a wrong secret none', async () => {
  const config = await discover('web', oidc.ClientSecretBasic(secrets.web));
  const tokens = await oidc.clientCredentialsGrant(config);
  assert.ok(tokens.access_token);
  assert.equal(tokens.expires_in, 3600);
  const wrong = await discover('web', oidc.ClientSecretBasic('another'));
  await assert.rejects(oidc.clientCredentialsGrant(wrong), (e) => e.status === 401);
});

test('the library logs the user out, and the session is over', () => withTab(async (page) => {
  const config = await discover('web', oidc.ClientSecretPost(secrets.web));
  const { url, checks } = await authorization(config);
  await page.goto(url);
  await logIn(page, 'charles', password);
  const tokens = await oidc.authorizationCodeGrant(config, await returned(page), checks);
  const end = oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: `${app}/bye`, state: 'done' });
  await page.goto(end.href);
  const left = await returned(page, `${app}/bye`);
  assert.equal(left.searchParams.get('state'), 'done');
  const silent = await authorization(config, { prompt: 'none' });
  await page.goto(silent.url);
  await assert.rejects(oidc.authorizationCodeGrant(config, await returned(page), silent.checks), { error: 'login_required' });
}));

test('a client proves itself by a key and pushes its request: private_key_jwt, PAR', () => withTab(async (page) => {
  const key = await crypto.subtle.importKey('jwk', clientKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  const config = await discover('key', oidc.PrivateKeyJwt({ key, kid: clientKey.kid }));
  const params = {
    redirect_uri: callback, scope: 'openid', state: oidc.randomState(), code_challenge_method: 'S256',
    code_challenge: await oidc.calculatePKCECodeChallenge('v'.repeat(43)),
  };
  const pushed = await oidc.buildAuthorizationUrlWithPAR(config, params);
  assert.deepEqual([...pushed.searchParams.keys()].sort(), ['client_id', 'request_uri']);
  await page.goto(pushed.href);
  await logIn(page, 'charles', password);
  const tokens = await oidc.authorizationCodeGrant(config, await returned(page), {
    pkceCodeVerifier: 'v'.repeat(43), expectedState: params.state, idTokenExpected: true,
  });
  assert.equal(tokens.claims().sub, '1002');
  assert.equal(tokens.claims().aud, 'key');

  // A key of somebody else's proves nothing.
  const { privateKey: another } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  const wrong = await discover('key', oidc.PrivateKeyJwt({ key: another, kid: clientKey.kid }));
  await assert.rejects(oidc.clientCredentialsGrant(wrong), (e) => e.status === 401);
}));

test('the library asks who the user is and what a token is worth, and takes tokens back', () => withTab(async (page) => {
  const config = await discover('mfa', oidc.ClientSecretPost(secrets.mfa));
  const { url, checks } = await authorization(config, { scope: 'openid email phone offline_access', prompt: 'consent' });
  await page.goto(url);
  await logIn(page, 'ada', password);
  await enterCode(page, await sentCode('+35699111111'));
  await page.getByRole('button', { name: 'Allow' }).click();
  const tokens = await oidc.authorizationCodeGrant(config, await returned(page), checks);
  const { sub } = tokens.claims();

  const info = await oidc.fetchUserInfo(config, tokens.access_token, sub);
  assert.equal(info.email, 'ada@example.com');
  assert.equal(info.phone_number, '+35699111111');
  await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, '1002')); // who the ID token did not speak of

  for (const token of [tokens.access_token, tokens.refresh_token]) {
    const said = await oidc.tokenIntrospection(config, token);
    assert.equal(said.active, true);
    assert.equal(said.sub, sub);
    assert.equal(said.client_id, 'mfa');
  }
  // What is another client's is none of this one's business.
  const other = await discover('web', oidc.ClientSecretPost(secrets.web));
  await oidc.tokenRevocation(other, tokens.refresh_token).catch(() => {});
  const kept = await oidc.refreshTokenGrant(config, tokens.refresh_token);

  await oidc.tokenRevocation(config, kept.refresh_token);
  for (const token of [kept.refresh_token, kept.access_token]) {
    assert.deepEqual(await oidc.tokenIntrospection(config, token), { active: false });
  }
  await assert.rejects(oidc.refreshTokenGrant(config, kept.refresh_token), { error: 'invalid_grant' });
  await assert.rejects(oidc.fetchUserInfo(config, kept.access_token, sub));
  assert.deepEqual(await oidc.tokenIntrospection(config, 'made up'), { active: false });
}));
