// Every page that people see, in light and in dark: WCAG 2.2 AA as far as axe-core can tell, at the width of a phone and of a desk, and at
// text of twice the size.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logIn, withTab } from './lib/browser.js';
import { assertAccessible, request, shot } from './lib/pages.js';
import { base, issuer, password, reset, send } from './lib/server.js';

const headers = { 'api-key': 'sk_demo' };

// stepUp asks Ada's phone, or sends her a code.
async function stepUp(way) {
  const login = await send('POST', '/multi/login_with_password', {
    headers, json: { email: 'ada@example.com', password: { value: password } },
  });
  const asked = await send('POST', `/multi/stepup/challenges/${way}`, { bearer: login.body.token, headers });
  assert.ok(asked.status < 300, JSON.stringify(asked.body));
}

const pages = {
  'phone': async (page) => {
    await reset();
    await stepUp('push/BIOMETRIC');
    await page.goto(`${base}/sandbox/phone`);
    await page.getByRole('button', { name: 'Approve' }).first().waitFor();
  },
  'phone-answered': async (page) => {
    await page.getByRole('button', { name: 'Decline' }).first().click();
    await page.getByText('Nothing is waiting.').waitFor();
  },
  'devices': (page) => page.goto(`${base}/sandbox/devices`),
  'ticket': async (page) => {
    await page.getByRole('button', { name: 'Bind a device' }).first().click();
    await page.getByRole('link', { name: 'Open the authenticator here' }).waitFor();
  },
  'login': (page) => page.goto(request()),
  'login-wrong': async (page) => {
    await page.goto(request());
    await logIn(page, 'nobody@example.com', 'wrong');
    await page.getByRole('alert').waitFor();
  },
  'code': async (page) => {
    await page.goto(request({ client_id: 'mfa', prompt: 'login' }));
    await logIn(page, 'mary', password);
    await page.getByLabel('Code').waitFor();
  },
  'code-asked': async (page) => {
    await page.goto(request({ acr_values: 'mfa' }));
    await page.getByRole('button', { name: 'Send me a code' }).waitFor();
  },
  'consent': async (page) => {
    await page.goto(request({ prompt: 'login consent', scope: 'openid email phone offline_access' }));
    await logIn(page, 'charles', password);
    await page.getByRole('button', { name: 'Allow' }).waitFor();
  },
  'logout': async (page) => {
    await page.goto(`${issuer}/session/end`);
    await page.getByRole('button', { name: 'Stay signed in' }).waitFor();
  },
  'logged-out': async (page) => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You can close this page.').waitFor();
  },
  'refused': (page) => page.goto(request({ redirect_uri: 'https://evil.example/' })),
  'inbox': async (page) => {
    assert.equal((await send('POST', '/multi/passwords/lost_password/start', { headers, json: { email: 'ada@example.com' } })).status, 204);
    await page.goto(`${base}/sandbox/inbox`);
    await page.getByRole('heading', { name: 'EMAIL to ada@example.com' }).waitFor();
  },
  'inbox-empty': (page) => page.goto(`${base}/sandbox/inbox?to=nobody`),
};

for (const colorScheme of ['light', 'dark']) {
  for (const [name, viewport] of Object.entries({ desk: { width: 1280, height: 800 }, phone: { width: 320, height: 640 } })) {
    test(`pages in ${colorScheme} at the ${name}`, () => withTab(async (page) => {
      for (const [what, open] of Object.entries(pages)) {
        await open(page);
        await assertAccessible(page, what);
        await shot(page, `${what}-${colorScheme}-${name}`);
        const { wide, text, back } = await page.evaluate(() => ({
          wide: document.documentElement.scrollWidth - innerWidth,
          text: getComputedStyle(document.body).color, back: getComputedStyle(document.body).backgroundColor,
        }));
        assert.ok(wide <= 0, `${what}: scrolls sideways by ${wide} px (WCAG 1.4.10)`);
        const light = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, n) => sum + Number(n), 0);
        assert.equal(light(back) > light(text), colorScheme === 'light', `${what}: ${text} on ${back}`);
      }
    }, { colorScheme, viewport }));
  }
}
