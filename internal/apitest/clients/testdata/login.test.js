// The login page in a browser: what users do right and wrong, and what a client may ask for (OIDC Core §3.1.2.1).
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { decode } from './lib/claims.js';
import { enterCode, logIn, returned, withTab } from './lib/browser.js';
import { redeem, request } from './lib/pages.js';
import { advance, app, callback, clientToken, issuer, password, reset, send, sentCode } from './lib/server.js';

beforeEach(reset);

const says = async (page, text) => assert.match(await page.getByRole('alert').innerText(), text);

test('everything works without JavaScript', () => withTab(async (page) => {
  await page.goto(request({ client_id: 'mfa', scope: 'openid offline_access', prompt: 'consent' }));
  await logIn(page, 'ada@example.com', password);
  await enterCode(page, await sentCode('+35699111111'));
  await page.getByRole('button', { name: 'Allow' }).click();
  const { status, body } = await redeem((await returned(page)).searchParams.get('code'), 'mfa');
  assert.equal(status, 200);
  assert.equal(decode(body.id_token).acr, 'mfa');
}, { javaScriptEnabled: false }));

test('a user logs in with the keyboard alone', () => withTab(async (page) => {
  await page.goto(request());
  await page.keyboard.press('Tab');
  await page.keyboard.type('charles');
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await returned(page);
}));

test('a wrong password is said, the name stays, and the right one goes on', () => withTab(async (page) => {
  await page.goto(request());
  for (const name of ['charles', 'nobody@example.com']) {
    await logIn(page, name, 'wrong');
    await says(page, /^The name or the password is not right/);
    assert.match(await page.title(), /^Error: /);
    assert.equal(await page.getByLabel('E-mail address').inputValue(), name);
    assert.equal(await page.getByLabel('Password').inputValue(), '');
  }
  await logIn(page, 'charles', password);
  await returned(page);
}));

test('five wrong passwords lock for half an hour, whoever it is', () => withTab(async (page) => {
  await page.goto(request());
  for (const name of ['charles', 'nobody@example.com']) {
    for (let i = 0; i < 5; i++) {
      await logIn(page, name, `wrong ${i}`);
      await says(page, /not right/);
    }
    await logIn(page, name, password);
    await says(page, /too many wrong tries. Try again in (30|29) minutes/);
  }
  await advance('31m');
  await page.goto(request());
  await logIn(page, 'charles', password);
  await returned(page);
}));

test('a password that must be replaced lets nobody on', () => withTab(async (page) => {
  await page.goto(request());
  await logIn(page, 'grace@example.com', password);
  await says(page, /has to be replaced/);
}));

test('a wrong code is said; another one is sent for the asking, not at once', () => withTab(async (page) => {
  await page.goto(request({ client_id: 'mfa' }));
  await logIn(page, 'ada', password);
  await enterCode(page, '000000');
  await says(page, /This code is not right/);
  await page.getByRole('button', { name: 'Send another code' }).click();
  await says(page, /A code was sent just now/);
  await enterCode(page, await sentCode('+35699111111'));
  await returned(page);
}));

test('single sign-on: the session is enough until the client asks for more', () => withTab(async (page) => {
  const silent = async (params) => {
    await page.goto(request({ prompt: 'none', ...params }));
    return (await returned(page)).searchParams;
  };
  assert.equal((await silent()).get('error'), 'login_required');
  await page.goto(request());
  await logIn(page, 'ada', password);
  await returned(page);
  assert.ok((await silent()).get('code'));
  assert.ok((await silent({ client_id: 'rsa' })).get('code')); // another client of the tenant
  assert.ok((await silent({ max_age: '600' })).get('code'));
  assert.equal((await silent({ client_id: 'mfa' })).get('error'), 'login_required'); // one factor is not enough there
  await page.goto(request());
  await returned(page);

  await page.goto(request({ prompt: 'login' }));
  await logIn(page, 'ada', password);
  const { body } = await redeem((await returned(page)).searchParams.get('code'));
  const first = decode(body.id_token);

  await advance('11m');
  assert.equal((await silent({ max_age: '600' })).get('error'), 'login_required');
  await page.goto(request({ max_age: '600' }));
  await logIn(page, 'ada', password);
  const again = decode((await redeem((await returned(page)).searchParams.get('code'))).body.id_token);
  assert.ok(again.auth_time >= first.auth_time + 600, `${again.auth_time} after ${first.auth_time}`);

  await advance('31m');
  assert.equal((await silent()).get('error'), 'login_required');
}));

test('a second factor on top of a session asks for the code alone', () => withTab(async (page) => {
  await page.goto(request());
  await logIn(page, 'ada', password);
  await returned(page);
  await page.goto(request({ acr_values: 'mfa' }));
  await page.getByRole('button', { name: 'Send me a code' }).click();
  await enterCode(page, await sentCode('+35699111111'));
  const { body } = await redeem((await returned(page)).searchParams.get('code'));
  assert.deepEqual(decode(body.id_token).amr, ['pwd', 'sms', 'mfa']);
}));

test('state comes back as it was sent, with the issuer', () => withTab(async (page) => {
  for (const state of ['a b&c=d+e%20"<é>', 'x'.repeat(512), '{"to":"/orders?id=1#top"}']) {
    await page.goto(request({ state, prompt: 'login' }));
    await logIn(page, 'charles', password);
    const { searchParams } = await returned(page);
    assert.deepEqual(searchParams.getAll('state'), [state]);
    assert.equal(searchParams.get('iss'), issuer);
    assert.deepEqual([...searchParams.keys()].sort(), ['code', 'iss', 'state']);
  }
}));

test('the back button takes who is logged in to the application again, with another code', () => withTab(async (page) => {
  await page.goto(request());
  await logIn(page, 'charles', password);
  const first = (await returned(page)).searchParams.get('code');
  await page.goBack({ waitUntil: 'commit' });
  await page.waitForURL((url) => url.searchParams.has('code') && url.searchParams.get('code') !== first);
  const second = (await returned(page)).searchParams.get('code');
  assert.notEqual(first, second);
  assert.equal((await redeem(second)).status, 200);
}));

test('pressing twice brings the user back once, with a code that is good', () => withTab(async (page) => {
  await page.goto(request());
  await page.getByLabel('E-mail address').fill('charles');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).dblclick();
  assert.equal((await redeem((await returned(page)).searchParams.get('code'))).status, 200);
}));

test('two tabs of one browser log in one after the other', () => withTab(async (page, context) => {
  const other = await context.newPage();
  await page.goto(request({ state: 'one' }));
  await other.goto(request({ state: 'two' }));
  for (const [tab, state] of [[page, 'one'], [other, 'two']]) {
    await logIn(tab, 'charles', password);
    const { searchParams } = await returned(tab);
    assert.equal(searchParams.get('state'), state);
    assert.equal((await redeem(searchParams.get('code'))).status, 200);
  }
}));

test('a form that was left open for half an hour is not good any more', () => withTab(async (page) => {
  await page.goto(request());
  await advance('31m');
  await logIn(page, 'charles', password);
  await says(page, /begin again/);
}));

test('where a redirect URI or a client is not registered, the user is told and goes nowhere', () => withTab(async (page, context) => {
  const asked = [];
  context.on('request', (r) => asked.push(new URL(r.url()).origin));
  for (const params of [
    { redirect_uri: `${app}/other` }, { redirect_uri: `${callback}/` }, { redirect_uri: `${callback}?x=1` }, { redirect_uri: '' },
    { redirect_uri: 'https://evil.example/cb' }, { client_id: 'nobody' },
  ]) {
    const reply = await page.goto(request({ ...params, prompt: 'none' }));
    assert.equal(reply.status(), 400, JSON.stringify(params));
    await says(page, /Go back to the app/);
    assert.equal(await page.locator('form, a').count(), 0);
  }
  assert.deepEqual([...new Set(asked)], [new URL(issuer).origin]);
}));

test('the page says who asks and shows nothing as markup', () => withTab(async (page) => {
  const hint = '"><script>document.title="owned"</script><img src=x onerror=1>';
  await page.goto(request({ login_hint: hint }));
  assert.equal(await page.getByLabel('E-mail address').inputValue(), hint);
  assert.match(await page.title(), /^Sign in · Demo programme$/);
  assert.match(await page.locator('main').innerText(), /Demo programme[^]*You will go on to Shop\./);
  assert.equal(await page.locator('script, img').count(), 0);
}));

test('cookies are for the server alone, and tell nothing of the user', () => withTab(async (page, context) => {
  await page.goto(request());
  await logIn(page, 'charles', password);
  await returned(page);
  const cookies = await context.cookies(issuer);
  assert.deepEqual(cookies.map((c) => c.name).sort(), ['countersign-form', 'countersign-session-demo']);
  for (const c of cookies) {
    assert.equal(c.httpOnly, true);
    assert.equal(c.sameSite, 'Lax');
    assert.equal(c.expires, -1); // ends with the browser
    assert.doesNotMatch(c.value, /1002|charles/);
  }
  assert.equal(await page.evaluate(() => document.cookie), '');
}));

test('a session that was ended elsewhere logs nobody in', () => withTab(async (page) => {
  await page.goto(request());
  await logIn(page, 'charles', password);
  await returned(page);
  const ended = await send('PUT', '/cis/v1/users/1002/password', {
    bearer: await clientToken(), json: { password: 'N3w-Pa55word!', force_replace: false },
  });
  assert.equal(ended.status, 200, JSON.stringify(ended.body));
  await page.goto(request({ prompt: 'none' }));
  assert.equal((await returned(page)).searchParams.get('error'), 'login_required');
}));
