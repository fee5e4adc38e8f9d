// What tests of pages share: an authorization request as an application writes it, and an accessibility check.
import assert from 'node:assert/strict';
import axe from 'axe-core';
import { callback, issuer, secrets, send } from './server.js';

export const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'; // RFC 7636, appendix B

// request is the address of an authorization request: the usual one with some parameters set otherwise.
export function request(params = {}) {
  return `${issuer}/auth?${new URLSearchParams({
    client_id: 'web', redirect_uri: callback, response_type: 'code', scope: 'openid', state: 's', nonce: 'n',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', ...params,
  })}`;
}

// redeem exchanges a code and returns the answer.
export function redeem(code, client = 'web') {
  return send('POST', '/oidc/token', {
    form: {
      grant_type: 'authorization_code', client_id: client, client_secret: secrets[client], code, redirect_uri: callback,
      code_verifier: verifier,
    },
  });
}

// assertAccessible holds a page against WCAG 2.2, levels A and AA, as far as a machine can.
export async function assertAccessible(page, what) {
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'] },
    rules: { 'target-size': { enabled: true } },
  }));
  assert.ok(passes.length > 10, `${what}: ${passes.length} rules looked at the page`);
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.failureSummary).join('; ')}`), [], what);
}

// shot keeps a picture of a page in the folder that SHOTS names, for people to look at.
export async function shot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true });
}
