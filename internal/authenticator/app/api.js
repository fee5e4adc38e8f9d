// The calls of /device/v1, each with a token that the device's key signs for it.
import { sign } from './keys.js';

const base = new URL('../device/v1/', import.meta.url);

// Refusal is an answer of the server that says no, by a code.
export class Refusal extends Error {
  constructor(status, code, detail) {
    super(`${code}: ${detail}`);
    Object.assign(this, { status, code });
  }
}

// Unreachable means that no answer came: no network, or no server.
export class Unreachable extends Error {}

let ahead = 0; // of our clock, the server's; in seconds

// now is the server's time, in Unix seconds.
export const now = () => Date.now() / 1000 + ahead;

// heard sets the clock by what the server said.
export function heard(seconds) {
  ahead = seconds - Date.now() / 1000;
}

async function ask(method, path, { token, json, signal, accept = 'application/json' } = {}) {
  let reply;
  try {
    reply = await fetch(new URL(path, base), {
      method, signal, cache: 'no-store', redirect: 'error', credentials: 'omit',
      headers: { Accept: accept, ...(token && { Authorization: `Bearer ${token}` }), ...(json && { 'Content-Type': 'application/json' }) },
      body: json && JSON.stringify(json),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable('no answer', { cause: error });
  }
  if (reply.ok) return reply;
  const { code, detail } = await reply.json().catch(() => ({}));
  throw new Refusal(reply.status, code ?? `http_${reply.status}`, detail ?? '');
}

async function read(reply) {
  if (reply.status === 204) return undefined;
  try {
    return await reply.json();
  } catch (error) {
    throw new Unreachable('half an answer', { cause: error });
  }
}

// configuration is what the server says to everybody; it sets our clock.
export async function configuration() {
  const told = await read(await ask('GET', 'configuration'));
  heard(told.now);
  return told;
}

const tokenFor = 60; // seconds
const proofFor = 300; // seconds, in which the user has to find their finger

const claims = (issuer, seconds = tokenFor) => ({ aud: issuer, iat: Math.floor(now()), exp: Math.floor(now()) + seconds });

// bindToken proves that the device has its key.
export const bindToken = (key, issuer, ticket, name) => sign(key, 'countersign-bind+jwt', { ...claims(issuer, proofFor), ticket, name });

export const bind = async (json) => read(await ask('POST', 'devices', { json }));

// open makes a call of the device's own and returns the reply. A token that is refused is made once more by the server's clock.
export async function open(device, method, path, options = {}) {
  const token = () => sign(device, 'countersign-call+jwt', claims(device.issuer));
  try {
    return await ask(method, path, { ...options, token: await token() });
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401) throw error;
    await configuration();
    return ask(method, path, { ...options, token: await token() });
  }
}

// call is open for one answer.
export const call = async (device, method, path, options) => read(await open(device, method, path, options));
