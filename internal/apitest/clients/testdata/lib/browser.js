// Chromium, watched: a tab that asks another origin for anything, logs an error or breaks a policy fails its test.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { app, base } from './server.js';

let browser;

// launched is the one browser of a file of tests. Each tab of it has a profile of its own.
async function launched() {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync',
    ],
  });
  return browser;
}

after(() => browser?.close());

// withTab opens a tab in a fresh profile, hands its page to use, and then wants to have seen nothing untoward.
//   options  of Playwright's newContext: javaScriptEnabled, colorScheme, viewport …
//   origins  that the page may ask, beside the server and its application
//   errors   patterns of messages on the console that the test means to bring about
export async function withTab(use, { origins = [], errors = [], ...options } = {}) {
  const context = await (await launched()).newContext(options);
  const trouble = [];
  const allowed = new Set([base, app, ...origins]);
  context.on('request', (r) => {
    const { origin, protocol } = new URL(r.url());
    if (!allowed.has(origin) && protocol !== 'data:') trouble.push(`asked ${r.url()}`);
  });
  context.on('weberror', (e) => trouble.push(`threw ${e.error()}`));
  context.on('console', (m) => {
    const { url } = m.location();
    // That a page came with the status of a refusal is no error of the page.
    const refusal = m.text().startsWith('Failed to load resource: the server responded with a status of 4') && isPage(url);
    if (url.endsWith('/favicon.ico')) return; // which a browser asks for unasked
    if (['error', 'warning'].includes(m.type()) && !refusal && !errors.some((e) => e.test(m.text()))) trouble.push(`${m.text()} (${url})`);
  });
  try {
    await use(await context.newPage(), context);
  } finally {
    await context.close();
  }
  assert.deepEqual(trouble, []);
}

const isPage = (url) => ['/cis/oidc/auth', '/cis/oidc/login'].includes(new URL(url).pathname);

// virtualAuthenticator gives a page a platform authenticator with a user who is verified at once (WebAuthn §11). Its keys need a page at
// localhost: an IP address is no RP ID. Returns a session of the DevTools protocol and the authenticator's id.
export async function virtualAuthenticator(page, options = {}) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true, ...options,
    },
  });
  return { session, authenticatorId };
}

// logIn fills the login page.
export async function logIn(page, identifier, password) {
  await page.getByLabel('E-mail address, phone number or username').fill(identifier);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

// enterCode fills the page of the second factor.
export async function enterCode(page, code) {
  await page.getByLabel('Code').fill(code);
  await page.getByRole('button', { name: 'Go on' }).click();
}

// returned waits until the page is back at the application and returns the address. A navigation that a later one breaks off, as when a
// button is pressed twice, is not the one that is waited for.
export async function returned(page, to = `${app}/cb`) {
  for (;;) {
    try {
      await page.waitForURL((url) => url.href.startsWith(to));
      return new URL(page.url());
    } catch (error) {
      if (!error.message.includes('ERR_ABORTED')) throw error;
    }
  }
}
