// What a back end does with a user's device: tickets, step-ups, logins and payments that the device is asked for.
import assert from 'node:assert/strict';
import { password, send } from './server.js';

const headers = { 'api-key': 'sk_demo' };

// as makes a call of the back end, with a user's token, and wants it to succeed.
export async function as(bearer, method, path, json) {
  const { status, body } = await send(method, path, { bearer, json, headers });
  assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

// session begins a session of Ada's and returns its token.
export async function session() {
  return (await as(undefined, 'POST', '/multi/login_with_password', { email: 'ada@example.com', password: { value: password } })).token;
}

// raised begins one that is stepped up by a code.
export async function raised() {
  const token = await session();
  await as(token, 'POST', '/multi/stepup/challenges/otp/SMS');
  await as(token, 'POST', '/multi/stepup/challenges/otp/SMS/verify', { verificationCode: '123456' });
  return token;
}

// ticket is for one device of Ada's.
export const ticket = async () => as(await raised(), 'POST', '/device/v1/tickets');

// stepUp asks her devices to step up a new session, and returns the challenge.
export const stepUp = async () => (await as(await session(), 'POST', '/multi/stepup/challenges/push/BIOMETRIC')).id;

// login begins a login by device: the challenge, and the number that the user carries over.
export async function login() {
  const { challengeId, number } = await as(undefined, 'POST', '/multi/login_via_biometrics', { email: 'ada@example.com' });
  return { challenge: challengeId, number, collect: () => as(undefined, 'GET', `/multi/login_via_biometrics/${challengeId}`) };
}

// confirm asks for the approval of a payment.
export async function confirm(id = '7001', amount = 1234, payee = 'Charles Babbage') {
  const token = await raised();
  const path = `/multi/challenges/resources/sends/${id}`;
  const register = (value) => as(token, 'PUT', path, {
    identity: { type: 'CONSUMER', id: '1001' }, amount: { currency: 'EUR', amount: value }, payee: { name: payee },
  });
  await register(amount);
  const asked = await as(token, 'POST', '/multi/challenges/push/BIOMETRIC', { resourceType: 'sends', resourceIds: [id] });
  return { challenge: asked.scaChallengeId, status: async () => (await as(token, 'GET', path)).status, change: register };
}

// evidence is what is kept of the answer to a challenge.
export const evidence = (challenge) => as(undefined, 'GET', `/multi/challenges/${challenge}/evidence`);
