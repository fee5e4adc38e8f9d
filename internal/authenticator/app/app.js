// The app: what it knows, which screen is shown, and what leads from one to the next.
import { configuration, call, Refusal } from './api.js';
import { bindScreen } from './bind.js';
import { answerScreen, historyScreen } from './history.js';
import { deviceScreen, unbindScreen } from './device.js';
import { movedScreen, refusedScreen, unsupportedScreen, waitScreen } from './trouble.js';
import { onOthers, readDevice } from './store.js';
import { renew } from './push.js';
import { requestScreen, requestsScreen } from './requests.js';
import { h } from './ui.js';
import { loadWords, t } from './text.js';
import { watch } from './watch.js';

// app is what the screens share.
const app = {
  device: undefined, // that is bound, as store.js keeps it
  config: undefined, // of the server; undefined: it was never reached
  ticket: undefined, // of the link that was opened
  requests: undefined, // that wait; undefined: not known yet
  live: 'connecting', // or on, or lost
  status: 'active', // of the device, or blocked, or gone
  broken: false, // the browser keeps nothing for us
  show, go, notice, reload,
};

const main = document.getElementById('main');
const nav = document.getElementById('nav');
const noticeBox = document.getElementById('notice');

let shown; // the screen: {title, body, update?, leave?}
let turns = 0; // of screens
let unwatch;

// notice says something that is not an error, once.
function notice(text = '') {
  noticeBox.textContent = text;
}

// takeTicket takes the ticket of a link out of the address, before anything else can see it there.
function takeTicket() {
  const fragment = location.hash.slice(1);
  if (!fragment || fragment.startsWith('/')) return;
  app.ticket = fragment;
  history.replaceState(null, '', location.pathname + location.search);
}

// go leads to a screen of the app.
function go(path) {
  if (location.hash === `#${path}`) return show();
  location.hash = path;
}

function screen(said) {
  const [, name, id] = location.hash.split('/');
  const { passkeys } = app.config ?? app.device ?? {};
  if (app.broken) return unsupportedScreen(app);
  if (!app.config && !app.device) return waitScreen(app);
  if (passkeys && passkeys.origin !== location.origin) return movedScreen(app, passkeys);
  if (!passkeys || !isSecureContext || !window.PublicKeyCredential) return unsupportedScreen(app);
  if (!app.device) return bindScreen(app, said);
  if (app.status === 'gone') return refusedScreen(app);
  switch (name) {
    case 'request': return requestScreen(app, id);
    case 'history': return id ? answerScreen(app, id) : historyScreen(app);
    case 'device': return deviceScreen(app);
    case 'unbind': return unbindScreen(app);
    default: return requestsScreen(app);
  }
}

// show draws the present screen anew and moves the focus to its heading, for those who read by ear.
async function show({ said } = {}) {
  const turn = ++turns;
  shown?.leave?.();
  shown = undefined;
  const next = await screen(said);
  if (turn !== turns) return next.leave?.(); // another has come in between
  shown = next;
  document.title = `${next.title} · Countersign`;
  const heading = h('h1', { tabindex: '-1' }, next.title);
  main.replaceChildren(heading, ...[next.body].flat().filter(Boolean));
  drawNav();
  heading.focus();
}

// update lets the present screen follow what was heard.
function update() {
  shown?.update?.();
}

function drawNav() {
  const bound = app.device && app.status !== 'gone';
  const here = location.hash.split('/')[1] ?? '';
  const link = (path, name) => h('a', { href: `#/${path}`, 'aria-current': here === path && 'page' }, name);
  nav.hidden = !bound;
  nav.setAttribute('aria-label', t('nav.label'));
  nav.replaceChildren(link('', t('nav.requests')), link('history', t('nav.history')), link('device', t('nav.device')));
}

function start() {
  unwatch?.();
  unwatch = app.device && watch(app.device, {
    requests(list) {
      Object.assign(app, { requests: list, live: 'on' });
      update();
    },
    lost() {
      app.live = 'lost';
      update();
    },
    refused() {
      app.status = 'gone';
      show();
    },
  });
}

// learn asks the server what the app has to know; without one it goes on with what it knows.
async function learn() {
  try {
    app.config = await configuration();
    if (!app.device) return;
    app.status = (await call(app.device, 'GET', 'device')).status;
    await renew(app.config, app.device);
  } catch (error) {
    if (app.device && error instanceof Refusal && error.status === 401) app.status = 'gone';
  }
}

// reload begins anew with what is kept.
async function reload(path) {
  app.device = await readDevice();
  Object.assign(app, { requests: undefined, live: 'connecting', status: 'active' });
  await learn();
  start();
  if (path !== undefined && location.hash !== `#${path}`) history.replaceState(null, '', `#${path}`);
  await show();
}

// install keeps the app for when there is no network. Browsers with Trusted Types take the address of a script from a policy alone.
async function install() {
  if (!navigator.serviceWorker) return;
  const worker = new URL('sw.js', import.meta.url).href;
  const policy = window.trustedTypes?.createPolicy('countersign', { createScriptURL: (url) => (url === worker ? url : '') });
  const scope = new URL('../authenticator', import.meta.url).href;
  await navigator.serviceWorker.register(policy ? policy.createScriptURL(worker) : worker, { scope }).catch(() => {}); // then it is online only
}

takeTicket();
addEventListener('hashchange', () => {
  takeTicket();
  notice();
  show();
});
addEventListener('online', () => {
  if (!app.config) reload();
});
onOthers(() => reload());
await loadWords();
try {
  app.device = await readDevice();
} catch {
  app.broken = true;
}
install();
if (app.device) {
  await show();
  start();
  await learn();
  if (app.status !== 'active' || !app.config) await show();
} else {
  await learn();
  await show();
}
