// What is signed when the user decides. It repeats the request as it was given, so that it is good for nothing else.
import { call, now } from './api.js';
import { assert, sign } from './keys.js';
import { keepAnswer } from './store.js';

// answer signs a decision, sends it, and keeps it with what outsiders need to check it. To approve, the owner is asked.
export async function answer(device, request, decision, number, signal) {
  const approves = decision === 'approve';
  const token = await sign(device, 'countersign-answer+jwt', {
    aud: device.issuer, sub: request.user, tid: request.tenant, sid: request.session, challenge: request.challenge, nonce: request.nonce,
    purpose: request.purpose, channel: request.channel, digest: request.digest, shown: request.shown, iat: request.created_at,
    exp: request.expires_at, decision, number: number ?? '', uv: approves ? 'webauthn' : 'none',
  });
  const json = { answer: token };
  if (approves) {
    const timeout = Math.max(1, request.expires_at - now()) * 1000;
    json.assertion = await assert(device.passkeys, device.passkey, token, timeout, signal);
  }
  const { status } = await call(device, 'POST', `requests/${request.challenge}/answer`, { json });
  await keepAnswer({
    challenge: request.challenge, request, decision, status, answered_at: now(),
    evidence: {
      version: 1, issuer: device.issuer, tenant: request.tenant, challenge: request.challenge, user: request.user, device: device.id,
      decision, answeredAt: new Date(now() * 1000).toISOString(), certificate: device.certificate, ...json,
    },
  });
  return status;
}
