// jsonwebtoken and jwk-to-pem, with which the vendor's samples verify tokens, verify ours: of the usual algorithm and of RS256, which those
// samples were written for (contract/cis §2.1, §5.3).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { decode, verify } from './lib/claims.js';
import { clientToken, issuer, password, send } from './lib/server.js';

async function userTokens(client) {
  const { status, body } = await send('POST', '/cis/v1/auth/password/authenticate', {
    bearer: await clientToken(client), json: { username: 'ada', password, claims: { id_token: { username: null, email: null } } },
  });
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

for (const [client, alg, kty] of [['web', 'ES256', 'EC'], ['rsa', 'RS256', 'RSA']]) {
  test(`${alg} tokens verify`, async () => {
    const tokens = await userTokens(client);
    const access = await verify(tokens.access_token);
    const id = await verify(tokens.id_token, { issuer, audience: client, algorithms: [alg] });
    const own = await verify(await clientToken(client));
    for (const { header, key } of [access, id, own]) {
      assert.equal(header.alg, alg);
      assert.equal(key.kty, kty);
      assert.equal(key.use, 'sig');
      assert.equal(key.alg, alg);
      assert.equal(key.d, undefined);
    }
    assert.equal(access.header.typ, 'at+jwt');
    assert.equal(access.claims.sub, '1001');
    assert.equal(access.claims.aud, 'userid-api');
    assert.equal(access.claims.client_id, client);
    assert.equal(access.claims.exp - access.claims.iat, 3600);
    assert.equal(id.header.typ, 'JWT');
    assert.equal(id.claims.sub, '1001');
    assert.equal(id.claims.username, 'ada');
    assert.deepEqual(id.claims.amr, ['pwd']);
    assert.equal(own.claims.sub, client);
    assert.equal(own.claims.exp - own.claims.iat, 3600); // samples keep it for 3,590 s (§5.2)
  });

  test(`${alg}: what was changed does not verify`, async () => {
    const { access_token: token } = await userTokens(client);
    const [header, , signature] = token.split('.');
    const claims = { ...decode(token), sub: '1002' };
    const changed = [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    await assert.rejects(verify(changed), { name: 'JsonWebTokenError' });
    await assert.rejects(verify(jwt.sign(claims, 'guess', { header: { kid: jwt.decode(token, { complete: true }).header.kid } })));
  });
}

test('an expired token does not verify', async () => {
  const { access_token: token } = await userTokens('web');
  await verify(token, { clockTimestamp: Date.now() / 1000 + 3590 });
  await assert.rejects(verify(token, { clockTimestamp: Date.now() / 1000 + 3700 }), { name: 'TokenExpiredError' });
});
