// The web app that makes a browser a device, with Chromium's virtual authenticator in the place of a finger: docs/device.md.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { assertAccessible, shot } from './lib/pages.js';
import { virtualAuthenticator, withTab } from './lib/browser.js';
import { advance, base, reset, send } from './lib/server.js';
import { confirm, evidence, login, stepUp, ticket } from './lib/device.js';

beforeEach(reset);

// An IP address is no relying party: the app is at localhost, and the links lead there.
const site = base.replace('127.0.0.1', 'localhost');
const url = `${site}/authenticator`;
const phone = { viewport: { width: 390, height: 844 } };
const windows = /pubKeyCredParams is missing/; // RS256, which some Windows machines have alone; docs/decisions/0015-browser-devices.md
const tab = (use, { errors = [], ...options } = {}) => withTab(use, { origins: [site], ...phone, errors: [windows, ...errors], ...options });
const refusals = [/the server responded with a status of 4/];
const offline = [/ERR_INTERNET_DISCONNECTED/];

const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor();
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();
const said = (page, text) => page.getByText(text).waitFor();

// bound binds the browser of a page to Ada, and returns its virtual authenticator.
async function bound(page) {
  const authenticator = await virtualAuthenticator(page);
  await page.goto((await ticket()).link);
  await page.getByLabel('Name of this device').fill('Ada\'s browser');
  await press(page, 'Bind this device');
  await heading(page, 'Requests');
  await said(page, 'Nothing waits for your answer.');
  return authenticator;
}

// opened opens the only request that waits.
async function opened(page) {
  await page.locator('.card').click();
  await page.getByRole('button', { name: 'Approve', exact: true }).waitFor();
}


// inApp runs a function of the app's own modules in the page.
const inApp = (page, module, act) => page.evaluate(`import('/authenticator/${module}.js').then(${act})`);

// hooked lets a test stand between the page and the server: hooks.answer changes what is sent as an answer, hooks.configuration what is told.
const hooked = (page) => page.addInitScript(() => {
  globalThis.hooks = {};
  const real = globalThis.fetch;
  globalThis.fetch = async (url, options) => {
    const path = new URL(url, location).pathname;
    if (path.endsWith('/answer')) await globalThis.hooks.hold;
    if (path.endsWith('/answer') && globalThis.hooks.answer) options.body = JSON.stringify(globalThis.hooks.answer(JSON.parse(options.body)));
    if (path.endsWith('/requests/events') && globalThis.hooks.noStreams) return new Response('', { status: 502 });
    const reply = await real(url, options);
    if (!path.endsWith('/configuration')) return reply;
    return Response.json({ ...await reply.json(), ...globalThis.hooks.configuration });
  };
});

test('a browser is bound by a link, whose ticket leaves the address at once', () => tab(async (page) => {
  await virtualAuthenticator(page);
  const { link } = await ticket();
  assert.ok(link.startsWith(`${url}#`), link);
  await page.goto(link);
  await heading(page, 'Bind this device');
  assert.equal(page.url(), url);
  await press(page, 'Bind this device');
  await heading(page, 'Requests');
  await said(page, 'This device now approves for Demo programme.');
  await page.getByRole('link', { name: 'This device', exact: true }).click();
  await said(page, 'Ada Lovelace');
  const secret = link.split('#')[1];
  assert.ok(!(await page.content()).includes(secret), 'the ticket is nowhere in the page');
  await page.goBack();
  await page.goBack();
  assert.ok(!page.url().includes(secret), 'and not in the history');
}));

test('neither key can be read out, and the one that signs unasked approves nothing', () => tab(async (page) => {
  await bound(page);
  const kept = await inApp(page, 'store', `async ({ readDevice }) => {
    const { key } = await readDevice();
    const formats = ['jwk', 'pkcs8', 'raw'].map((format) => crypto.subtle.exportKey(format, key).then(() => format, () => undefined));
    return { extractable: key.extractable, type: key.type, out: (await Promise.all(formats)).filter(Boolean) };
  }`);
  assert.deepEqual(kept, { extractable: false, type: 'private', out: [] });
  await stepUp();
  await opened(page);
  await page.evaluate(() => {
    const real = fetch;
    globalThis.fetch = (to, options) => {
      if (options?.body) options.body = JSON.stringify({ answer: JSON.parse(options.body).answer });
      return real(to, options);
    };
  });
  await press(page, 'Approve');
  await said(page, 'The server did not take the answer.');
}, { errors: refusals }));

test('a link is used once', () => tab(async (page) => {
  const { link } = await ticket();
  await tab(async (other) => {
    await virtualAuthenticator(other);
    await other.goto(link);
    await press(other, 'Bind this device');
    await heading(other, 'Requests');
  });
  await virtualAuthenticator(page);
  await page.goto(link);
  await press(page, 'Bind this device');
  await said(page, 'This link was used, or is older than five minutes.');
  await page.getByLabel('Link').fill((await ticket()).link);
  await press(page, 'Go on');
  await press(page, 'Bind this device');
  await heading(page, 'Requests');
}, { errors: refusals }));

test('a link is pasted; that of another server is not taken', () => tab(async (page) => {
  await virtualAuthenticator(page);
  await page.goto(url);
  for (const foreign of ['https://evil.example/authenticator#abc', `${site}/other#abc`, `${url}#`, `${url}#<b>`, 'abc', 'javascript:alert(1)']) {
    await page.getByLabel('Link').fill(foreign);
    await press(page, 'Go on');
    await said(page, 'This is not the link of a device for localhost');
  }
  await page.getByLabel('Link').fill((await ticket()).link);
  await press(page, 'Go on');
  await press(page, 'Bind this device');
  await heading(page, 'Requests');
}));

// painted puts a QR code on a canvas of the page, as `pixels` for a reader.
const painted = (page, svg) => page.evaluate((text) => {
  const side = Number(/viewBox="0 0 (\d+) /.exec(text)[1]);
  const paths = [...text.matchAll(/fill="(#\w+)" d="([^"]+)"/g)];
  const canvas = Object.assign(document.createElement('canvas'), { width: 8 * side, height: 8 * side });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.scale(8, 8);
  globalThis.paint = () => {
    for (const [, fill, path] of paths) {
      context.fillStyle = fill;
      context.fill(new Path2D(path));
    }
    return canvas;
  };
  globalThis.paint();
  globalThis.pixels = () => context.getImageData(0, 0, canvas.width, canvas.height);
}, svg);
const reader = fileURLToPath(import.meta.resolve('jsqr'));

test('the QR code of the sandbox is read by others, and scanned by the camera', () => tab(async (page, context) => {
  await page.addInitScript({ path: reader });
  const shop = await context.newPage();
  await shop.goto(`${base}/sandbox/devices`);
  await shop.getByRole('article').filter({ hasText: 'Ada Lovelace' }).getByRole('button', { name: 'Bind a device' }).click();
  const link = await shop.getByRole('link', { name: 'Open the authenticator here' }).getAttribute('href');
  const svg = await shop.locator('svg').evaluate((drawing) => drawing.outerHTML);
  await assertAccessible(shop, 'ticket');
  await shot(shop, 'sandbox-ticket');
  await shop.close();

  await page.goto(url);
  await painted(page, svg);
  assert.equal(await page.evaluate(() => {
    const { data, width, height } = globalThis.pixels();
    return globalThis.jsQR(data, width, height)?.data;
  }), link);

  // Chromium reads codes by itself on some systems only, and has no camera here.
  await page.addInitScript(() => {
    globalThis.BarcodeDetector = class {
      async detect(video) {
        const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
        const context = canvas.getContext('2d');
        context.drawImage(video, 0, 0);
        const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
        const code = globalThis.jsQR(data, width, height);
        return code ? [{ rawValue: code.data }] : [];
      }
    };
    navigator.mediaDevices.getUserMedia = async () => {
      const canvas = globalThis.paint();
      setInterval(globalThis.paint, 50); // a stream has a frame for each change
      globalThis.camera = canvas.captureStream();
      return globalThis.camera;
    };
  });
  await page.reload();
  await painted(page, svg);
  await virtualAuthenticator(page);
  await press(page, 'Scan the QR code');
  await press(page, 'Bind this device');
  await heading(page, 'Requests');
  assert.ok(await page.evaluate(() => globalThis.camera.getTracks().every((track) => track.readyState === 'ended')), 'the camera is off');

  const asks = await context.newPage();
  await asks.goto(`${base}/sandbox/devices`);
  await asks.getByRole('button', { name: 'Log in by device' }).click();
  const number = await asks.locator('.number').innerText();
  await page.bringToFront();
  await opened(page);
  await page.getByLabel('Number on the other screen').fill(number);
  await press(page, 'Approve');
  await said(page, 'Approved.');
}));

test('without a camera the link is pasted', () => tab(async (page) => {
  await page.addInitScript(() => {
    globalThis.BarcodeDetector = class {};
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); };
  });
  await page.goto(url);
  await press(page, 'Scan the QR code');
  await said(page, 'The camera cannot be used.');
  await page.getByLabel('Link').waitFor();
}));

test('a login is approved with the number of the other screen', () => tab(async (page) => {
  await bound(page);
  const { challenge, number, collect } = await login();
  await opened(page);
  await heading(page, 'Log in on another screen?');
  await press(page, 'Approve');
  await said(page, 'Enter the two digits that the other screen shows.');
  await page.getByLabel('Number on the other screen').fill(number);
  await press(page, 'Approve');
  await said(page, 'Approved.');
  const { status, token } = await collect();
  assert.equal(status, 'VERIFIED');
  assert.ok(token);
  await page.getByRole('link', { name: 'History' }).click();
  await said(page, 'Approved: Log-in on another screen');
  const { answer, assertion } = await evidence(challenge);
  const claims = JSON.parse(Buffer.from(answer.split('.')[1], 'base64url'));
  assert.equal(claims.number, number);
  assert.equal(claims.uv, 'webauthn');
  assert.equal(JSON.parse(Buffer.from(assertion.clientDataJSON, 'base64url')).origin, site);
}));

test('a wrong number ends the request', () => tab(async (page) => {
  await bound(page);
  const { number, collect } = await login();
  await opened(page);
  await page.getByLabel('Number on the other screen').fill(number === '42' ? '24' : '42');
  await press(page, 'Approve');
  await said(page, 'That was another number.');
  assert.equal((await collect()).status, 'DECLINED');
}, { errors: refusals }));

test('a payment is approved as it is shown, and its evidence holds without us', (t) => tab(async (page) => {
  await bound(page);
  const { challenge, status } = await confirm();
  await opened(page);
  await said(page, 'EUR 12.34, to Charles Babbage');
  await press(page, 'Approve');
  await said(page, 'Approved.');
  assert.equal(await status(), 'CHALLENGE_COMPLETED');
  await page.getByRole('link', { name: 'History' }).click();
  await page.locator('.card').click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Save the evidence' }).click()]);
  const mine = await download.path();
  const saved = JSON.parse(await readFile(mine));
  const kept = await evidence(challenge);
  for (const name of ['answer', 'certificate', 'device', 'user', 'decision']) assert.equal(saved[name], kept[name], name);
  assert.deepEqual(saved.assertion, kept.assertion);
  const keys = `${mine}.keys`;
  await writeFile(keys, JSON.stringify((await send('GET', '/cis/oidc/jwks')).body));
  const { stdout } = await promisify(execFile)(process.execPath, ['../../../../docs/evidence/check.mjs', mine, keys]);
  assert.match(stdout, /^The evidence holds: user 1001 of demo said approve/);
}));

test('an amount that changes is not approved', () => tab(async (page) => {
  await bound(page);
  const { status, change } = await confirm();
  await opened(page);
  await change(9234);
  await press(page, 'Approve');
  await page.getByText(/answered elsewhere, or what it was for has changed|did not take the answer/).waitFor();
  assert.notEqual(await status(), 'CHALLENGE_COMPLETED');
}, { errors: refusals }));

test('no, and "this was not me", need no finger', () => tab(async (page) => {
  const { session, authenticatorId } = await bound(page);
  await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  for (const [button, outcome, decision] of [['Deny', 'Denied. Nothing happens.', 'deny'], ['This was not me', 'your service knows', 'report']]) {
    const challenge = await stepUp();
    await opened(page);
    await press(page, button);
    await said(page, outcome);
    assert.equal((await evidence(challenge)).decision, decision);
    await page.getByRole('link', { name: 'Back to the requests' }).click();
    await said(page, 'Nothing waits for your answer.');
  }
}));

test('a user who does not show a finger approves nothing, and may try again', () => tab(async (page) => {
  const { session, authenticatorId } = await bound(page);
  const challenge = await stepUp();
  await opened(page);
  await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await press(page, 'Approve');
  await said(page, 'Nothing was sent.');
  await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
  await press(page, 'Approve');
  await said(page, 'Approved.');
  assert.equal((await evidence(challenge)).decision, 'approve');
}));

test('a request whose time is over says so', () => tab(async (page) => {
  await bound(page);
  await stepUp();
  await opened(page);
  await advance('3m');
  await said(page, 'Too late: the time for this request is over.');
  await page.getByRole('link', { name: 'Back to the requests' }).click();
  await said(page, 'Nothing waits for your answer.');
}));

test('of two tabs the second learns that the request was answered elsewhere', () => tab(async (page, context) => {
  await bound(page);
  await stepUp();
  await opened(page);
  const other = await context.newPage();
  await other.goto(url);
  await opened(other);
  await press(other, 'Deny');
  await said(other, 'Denied. Nothing happens.');
  await said(page, 'This request was answered elsewhere');
}));

test('two tabs that answer at once: one of them counts', () => tab(async (page, context) => {
  await hooked(page);
  await bound(page);
  await stepUp();
  const other = await context.newPage();
  await hooked(other);
  await other.goto(url);
  for (const [one, button] of [[page, 'Deny'], [other, 'This was not me']]) {
    await one.evaluate(() => { globalThis.hooks.hold = new Promise((go) => { globalThis.hooks.release = go; }); });
    await opened(one);
    await press(one, button);
  }
  await Promise.all([page, other].map((one) => one.evaluate(() => globalThis.hooks.release())));
  await Promise.all([page, other].map((one) => one.getByText(/^Denied|answered elsewhere/).waitFor()));
  const texts = await Promise.all([page, other].map((one) => one.locator('main').innerText()));
  assert.equal(texts.filter((text) => text.includes('Denied')).length, 1, texts.join('; '));
}, { errors: refusals }));

test('offline it opens, says so, and sends nothing; online it goes on by itself', () => tab(async (page, context) => {
  await bound(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  const challenge = await stepUp();
  await opened(page);
  await context.setOffline(true);
  await press(page, 'Approve');
  await said(page, 'No connection. Nothing was sent');
  await page.reload();
  await page.goto(url);
  await heading(page, 'Requests');
  await said(page, 'Offline.');
  await page.getByRole('link', { name: 'History' }).click();
  await said(page, 'Nothing was answered on this device yet.');
  await page.getByRole('link', { name: 'Requests', exact: true }).click();
  await context.setOffline(false);
  await opened(page);
  await press(page, 'Approve');
  await said(page, 'Approved.');
  assert.equal((await evidence(challenge)).decision, 'approve');
}, { errors: offline }));

test('it can be installed', () => tab(async (page) => {
  await page.goto(url);
  await page.evaluate(() => navigator.serviceWorker.ready);
  const session = await page.context().newCDPSession(page);
  const { errors, data } = await session.send('Page.getAppManifest');
  assert.deepEqual(errors, []);
  assert.equal(new URL(JSON.parse(data).start_url, `${url}/manifest.webmanifest`).href, url);
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
  assert.deepEqual(installabilityErrors.map((e) => e.errorId).filter((id) => id !== 'in-incognito'), []); // as every profile of a test is
}));

test('where no stream gets through it asks again and again', () => tab(async (page) => {
  await hooked(page);
  await page.addInitScript(() => { globalThis.hooks.noStreams = true; });
  await bound(page);
  await stepUp();
  await opened(page);
  await press(page, 'Deny');
  await said(page, 'Denied. Nothing happens.');
}));

test('notifications: not allowed, and turned on and off', () => tab(async (page, context) => {
  await hooked(page);
  await page.addInitScript(() => {
    globalThis.hooks.configuration = { web_push_key: 'AAAA' };
    let subscription = null;
    PushManager.prototype.getSubscription = async () => subscription;
    PushManager.prototype.subscribe = async () => {
      const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
      const keys = { p256dh: await crypto.subtle.exportKey('raw', publicKey), auth: new Uint8Array(16).fill(7).buffer };
      subscription = { endpoint: 'https://push.example/1', getKey: (name) => keys[name], unsubscribe: async () => { subscription = null; } };
      return subscription;
    };
    globalThis.granted = 'denied';
    Object.defineProperty(Notification, 'permission', { get: () => globalThis.granted });
    Notification.requestPermission = async () => globalThis.granted;
  });
  await bound(page);
  await page.getByRole('link', { name: 'This device', exact: true }).click();
  await said(page, 'Not allowed in the settings of your browser.');
  assert.equal(await page.getByRole('button').count(), 0);
  await page.evaluate(() => { globalThis.granted = 'default'; });
  await page.getByRole('link', { name: 'History' }).click();
  await page.getByRole('link', { name: 'This device', exact: true }).click();
  await press(page, 'Turn on notifications');
  await said(page, 'Off. Keep this page open');
  await page.evaluate(() => { globalThis.granted = 'granted'; });
  await press(page, 'Turn on notifications');
  await said(page, 'On. They say that something waits, and not what.');
  const known = () => inApp(page, 'api', `async ({ call }) => {
    const { readDevice } = await import('/authenticator/store.js');
    return (await call(await readDevice(), 'GET', 'device')).push;
  }`);
  assert.equal(await known(), true);
  await press(page, 'Turn off notifications');
  await said(page, 'Off. Keep this page open');
  assert.equal(await known(), false);
}));

test('five answers that do not hold block it; it is unbound, forgets all, and is bound anew', () => tab(async (page, context) => {
  await hooked(page);
  await bound(page);
  await stepUp();
  await opened(page);
  await page.evaluate(() => {
    globalThis.hooks.answer = ({ answer, assertion }) => ({ answer, assertion: { ...assertion, signature: assertion.signature.replace(/..$/, 'AA') } });
  });
  for (let i = 0; i < 5; i++) {
    await press(page, 'Approve');
    await said(page, 'The server did not take the answer.');
  }
  await press(page, 'Approve');
  await said(page, 'This device is blocked');
  await page.goto(url);
  await page.getByRole('link', { name: 'Unbind it' }).click();
  const other = await context.newPage();
  await other.goto(url);
  await press(page, 'Unbind and delete');
  await heading(page, 'Bind this device');
  await said(page, 'This device is unbound, and what it kept is deleted.');
  await heading(other, 'Bind this device'); // which the first tab has told it
  assert.equal(await inApp(page, 'store', 'async ({ readDevice, readHistory }) => JSON.stringify([await readDevice(), await readHistory()])'), '[null,[]]');
  await other.close(); // keys are made in the tab that is looked at
  await page.goto((await ticket()).link);
  await press(page, 'Bind this device');
  await heading(page, 'Requests');
}, { errors: refusals }));

test('a device that was unbound elsewhere says so', () => tab(async (page) => {
  await bound(page);
  await inApp(page, 'api', `async ({ call }) => {
    const { readDevice } = await import('/authenticator/store.js');
    await call(await readDevice(), 'DELETE', 'device');
  }`);
  await page.reload();
  await heading(page, 'This device is no longer bound');
  await press(page, 'Delete what is left and begin again');
  await heading(page, 'Bind this device');
}, { errors: refusals }));

test('at another address it leads to the right one, with the ticket', () => withTab(async (page) => {
  const { link } = await ticket();
  await page.goto(link.replace('localhost', '127.0.0.1'));
  await heading(page, 'Open this elsewhere');
  assert.equal(await page.getByRole('link').last().getAttribute('href'), link);
}, { ...phone, origins: [site] }));

test('a browser or a server that cannot, says so', () => tab(async (page) => {
  await hooked(page);
  await page.goto(url);
  for (const [cannot, text] of [
    [() => { globalThis.hooks.configuration = { passkeys: undefined }; }, 'This server has no address that keys of browsers can be made for.'],
    [() => { delete globalThis.PublicKeyCredential; }, 'This browser cannot keep a key'],
    [() => { indexedDB.open = () => { throw new DOMException('no', 'SecurityError'); }; }, 'This browser cannot keep a key'],
  ]) {
    await page.addInitScript(cannot);
    await page.reload();
    await heading(page, 'Not possible here');
    await said(page, text);
  }
}));

test('what a name or a payee says is text', () => tab(async (page) => {
  await bound(page);
  const payee = '<img src=x onerror=alert(1)><b>Bob</b>';
  await confirm('7001', 1, payee);
  await opened(page);
  await said(page, payee);
  assert.equal(await page.locator('main img, main b').count(), 0);
}));

test('it speaks the user\'s language', () => tab(async (page) => {
  await page.goto(url);
  await heading(page, 'Dieses Gerät verbinden');
  assert.equal(await page.getAttribute('html', 'lang'), 'de');
}, { locale: 'de-CH' }));

const screens = {
  'link': (page) => page.goto(url),
  'bind': async (page) => page.goto((await ticket()).link),
  'requests-none': (page) => bound(page),
  'requests': async (page) => {
    await confirm();
    await page.locator('.card').waitFor();
  },
  'payment': (page) => opened(page),
  'approved': async (page) => {
    await press(page, 'Approve');
    await said(page, 'Approved.');
  },
  'login': async (page) => {
    await page.getByRole('link', { name: 'Back to the requests' }).click();
    await login();
    await opened(page);
  },
  'login-number': async (page) => {
    await press(page, 'Approve');
    await said(page, 'Enter the two digits');
  },
  'denied': async (page) => {
    await press(page, 'Deny');
    await said(page, 'Denied.');
  },
  'absent': async (page) => {
    await page.goto(`${url}#/request/1`);
    await heading(page, 'This request no longer waits');
  },
  'history': async (page) => {
    await page.goto(`${url}#/history`);
    await page.locator('.card').first().waitFor();
  },
  'answer': async (page) => {
    await page.locator('.card').last().click();
    await page.getByRole('link', { name: 'Save the evidence' }).waitFor();
  },
  'device': async (page) => {
    await page.getByRole('link', { name: 'This device', exact: true }).click();
    await heading(page, 'This device');
  },
  'unbind': async (page) => {
    await page.getByRole('link', { name: 'Unbind this device' }).click();
    await heading(page, 'Unbind this device?');
  },
  'offline': async (page) => {
    await page.goto(`${url}#/`);
    await page.context().setOffline(true);
    await said(page, 'Offline.');
  },
  'moved': async (page) => {
    await page.context().setOffline(false);
    await page.goto(url.replace('localhost', '127.0.0.1'));
    await heading(page, 'Open this elsewhere');
  },
};

for (const colorScheme of ['light', 'dark']) {
  for (const [name, viewport] of Object.entries({ desk: { width: 1280, height: 800 }, phone: { width: 320, height: 640 } })) {
    test(`every screen in ${colorScheme} at the ${name}`, () => tab(async (page) => {
      for (const [what, open] of Object.entries(screens)) {
        await open(page);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await assertAccessible(page, what);
        await shot(page, `authenticator-${what}-${colorScheme}-${name}`);
        const { wide, text, back } = await page.evaluate(() => ({
          wide: document.documentElement.scrollWidth - innerWidth,
          text: getComputedStyle(document.body).color, back: getComputedStyle(document.body).backgroundColor,
        }));
        assert.ok(wide <= 0, `${what}: scrolls sideways by ${wide} px (WCAG 1.4.10)`);
        const light = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, n) => sum + Number(n), 0);
        assert.equal(light(back) > light(text), colorScheme === 'light', `${what}: ${text} on ${back}`);
      }
    }, { colorScheme, viewport, errors: offline }));
  }
}
