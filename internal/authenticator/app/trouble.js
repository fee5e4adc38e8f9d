// Screens for when nothing can be done here: no server, another address, a browser that cannot, a device that is bound no more.
import { forget, tellOthers } from './store.js';
import { h } from './ui.js';
import { t } from './text.js';
import { unsubscribe } from './push.js';

export const waitScreen = (app) => ({
  title: t('wait.title'),
  body: [h('p', {}, t('wait.text')), h('button', { onclick: () => app.reload() }, t('wait.again'))],
});

// movedScreen leads to the one address whose pages may use passkeys of this server. The ticket goes along.
export function movedScreen(app, { origin }) {
  const url = `${origin}${location.pathname}${app.ticket ? `#${app.ticket}` : ''}`;
  return { title: t('moved.title'), body: [h('p', {}, t('moved.text')), h('p', {}, h('a', { href: url }, `${origin}${location.pathname}`))] };
}

// unsupportedScreen says whether it is the browser that cannot, or the server.
export const unsupportedScreen = (app) => ({
  title: t('unsupported.title'),
  body: h('p', {}, t(app.broken || !window.PublicKeyCredential || !isSecureContext ? 'unsupported.browser' : 'unsupported.server')),
});

// refusedScreen is for a device that was unbound elsewhere.
export const refusedScreen = (app) => ({
  title: t('gone.title'),
  body: [
    h('p', {}, t('gone.text')),
    h('button', { onclick: () => leave(app) }, t('gone.forget')),
  ],
});

// leave deletes all that this browser keeps.
export async function leave(app) {
  await unsubscribe().catch(() => {}); // the address leads nowhere any more
  await forget();
  tellOthers();
  await app.reload('/');
}
