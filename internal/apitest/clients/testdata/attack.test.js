// What another site tries with a user's browser: to log the user in as somebody else, to press buttons for them, to frame our pages.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { logIn, returned, withTab } from './lib/browser.js';
import { request } from './lib/pages.js';
import { base, issuer, password, reset, send } from './lib/server.js';

// The other site is at localhost, which is a site of its own beside 127.0.0.1.
let evil;
let html = '';
const server = createServer((_, w) => {
  w.setHeader('Content-Type', 'text/html').end(`<!DOCTYPE html><link rel="icon" href="data:,">${html}`);
});
before(() => new Promise((done) => server.listen(0, '127.0.0.1', () => {
  evil = `http://localhost:${server.address().port}`;
  done();
})));
after(() => server.close());
beforeEach(reset);

const attack = (use, errors = []) => withTab(use, { origins: [evil], errors });

// posting is a page that sends a form by itself.
const posting = (action, fields) => `<form method="post" action="${action}">
${Object.entries(fields).map(([k, v]) => `<input name="${k}" value="${v}">`).join('')}</form><script>document.forms[0].submit()</script>`;

test('another site cannot log a user in as somebody else', () => attack(async (page, context) => {
  // The attacker has a form and a cookie of their own, and sends the form through the victim's browser.
  const own = await fetch(request(), { headers: { Accept: 'text/html' } });
  const form = /name="form" value="([^"]+)"/.exec(await own.text())[1];
  html = posting(`${issuer}/login`, { form, identifier: 'charles', password });
  for (const victim of ['without a form of their own', 'with one']) {
    const reply = page.waitForResponse((r) => r.url() === `${issuer}/login`);
    await page.goto(evil);
    assert.equal((await reply).status(), 400, victim);
    assert.equal((await context.cookies(base)).some((c) => c.name.includes('session')), false, victim);
    await page.goto(request());
  }
}));

test('another site that knows a form of the user\'s own cannot send it', () => attack(async (page, context) => {
  await page.goto(request());
  const form = await page.locator('input[name=form]').first().inputValue();
  html = posting(`${issuer}/login`, { form, identifier: 'charles', password });
  const reply = page.waitForResponse((r) => r.url() === `${issuer}/login`);
  await page.goto(evil);
  assert.equal((await reply).status(), 400); // its POST brings no cookie
  assert.equal((await context.cookies(base)).some((c) => c.name.includes('session')), false);
}));

test('another site gets nothing from a user who is logged in', () => attack(async (page) => {
  await page.goto(request());
  await logIn(page, 'charles', password);
  await returned(page);
  html = '<h1>Evil</h1>';
  await page.goto(evil);
  const read = ([url, method]) => fetch(url, { method, credentials: 'include' }).then(() => 'read', () => 'refused');
  for (const [path, method] of [
    ['/cis/oidc/auth', 'GET'], ['/cis/v1/users', 'GET'], ['/sandbox/inbox', 'GET'], ['/cis/oidc/login', 'POST'],
  ]) {
    assert.equal(await page.evaluate(read, [base + path, method]), 'refused', path);
  }
}, [/CORS policy/, /Failed to load resource/]));

test('another site cannot log a user out', () => attack(async (page) => {
  await page.goto(request());
  await logIn(page, 'charles', password);
  await returned(page);
  html = posting(`${issuer}/session/end`, {});
  await page.goto(evil);
  await page.waitForURL(/session\/end/);
  html = `<script>location = '${issuer}/session/end?client_id=web'</script>`;
  await page.goto(evil);
  await page.getByRole('button', { name: 'Stay signed in' }).waitFor();
  await page.goto(request({ prompt: 'none' }));
  assert.ok((await returned(page)).searchParams.get('code'));
}));

test('no page can be framed', () => attack(async (page) => {
  await page.goto(request());
  await logIn(page, 'charles', password);
  await returned(page);
  for (const url of [
    request({ prompt: 'login' }), request({ prompt: 'consent', scope: 'openid offline_access' }),
    `${base}/sandbox/inbox`, `${base}/sandbox/phone`,
  ]) {
    html = `<iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`;
    const answered = page.waitForResponse((r) => r.url() === url);
    await page.goto(evil);
    await answered;
    await page.waitForFunction(() => performance.getEntriesByType('navigation')[0].loadEventEnd > 0);
    const frame = page.frames().find((f) => f !== page.mainFrame());
    assert.match(frame.url(), /^chrome-error:/, url);
  }
}, [/frame-ancestors/, /Framing/]));

test('another site presses no button of the sandbox', () => attack(async (page) => {
  const bearer = (await send('POST', '/multi/login_with_password', {
    headers: { 'api-key': 'sk_demo' }, json: { email: 'ada@example.com', password: { value: password } },
  })).body.token;
  const asked = await send('POST', '/multi/stepup/challenges/push/BIOMETRIC', { bearer, headers: { 'api-key': 'sk_demo' } });
  assert.equal(asked.status, 200, JSON.stringify(asked.body));
  const { body: waiting } = await send('GET', '/sandbox/phone');
  const { tenant, challenge } = waiting[0];
  html = posting(`${base}/sandbox/phone/${tenant}/${challenge}`, { decision: 'approve' });
  const reply = page.waitForResponse((r) => r.url().startsWith(`${base}/sandbox/phone/`));
  await page.goto(evil);
  assert.equal((await reply).status(), 403);
  assert.equal((await send('GET', '/sandbox/phone')).body.length, 1);
  html = posting(`${base}/sandbox/reset`, {});
  const again = page.waitForResponse((r) => r.url().startsWith(`${base}/sandbox/reset`));
  await page.goto(evil);
  assert.equal((await again).status(), 403);
  assert.equal((await send('GET', '/sandbox/phone')).body.length, 1);
}, [/status of 403/, /favicon/]));
