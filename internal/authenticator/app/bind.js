// The screens that bind this browser: by the link of a ticket, opened, scanned or pasted.
import { bind, bindToken, configuration, Refusal } from './api.js';
import { createPasskey, makeKey } from './keys.js';
import { keepDevice, tellOthers } from './store.js';
import { alarm, busily, h } from './ui.js';
import { reason } from './reason.js';
import { scan, scans } from './scan.js';
import { t } from './text.js';

// bindScreen binds by a ticket, or asks for one; said is why the one that there was is not good.
export const bindScreen = (app, said) => (app.ticket ? ticketScreen(app) : linkScreen(app, said));

// ticketScreen asks for a name and makes the keys.
function ticketScreen(app) {
  const name = h('input', { id: 'name', required: true, maxlength: 64, autocomplete: 'off', value: ownName() });
  const trouble = h('div');
  const form = h('form', { onsubmit: submit },
    h('label', { for: 'name' }, t('bind.name')),
    h('p', { class: 'hint', id: 'name-hint' }, t('bind.name.hint')), name,
    h('button', {}, t('bind.go')));
  name.setAttribute('aria-describedby', 'name-hint');

  async function submit(event) {
    event.preventDefault();
    trouble.replaceChildren();
    try {
      await busily(form, () => bindHere(app, name.value.trim()));
    } catch (error) {
      if (error instanceof Refusal && error.code === 'ticket_invalid') {
        app.ticket = undefined;
        return app.show({ said: reason(error) });
      }
      if (error instanceof Refusal) app.config = await configuration().catch(() => app.config); // for the next try: its clock may have moved
      return trouble.replaceChildren(alarm(reason(error)));
    }
    app.ticket = undefined;
    tellOthers();
    await app.reload('/');
    app.notice(t('bind.done', { service: app.device.service }));
  }
  return { title: t('bind.title'), body: [h('p', {}, t('bind.text')), trouble, form] };
}

async function bindHere(app, name) {
  const { issuer, passkeys } = app.config; // no call comes before the passkey: browsers want it soon after the press of the button
  const { id, jwk, key } = await makeKey();
  const proof = await bindToken({ id, key }, issuer, app.ticket, name);
  const passkey = await createPasskey(passkeys, proof, { service: 'Countersign', name });
  const bound = await bind({ key: jwk, proof, passkey });
  await keepDevice({
    id, key, issuer, passkeys, passkey: passkey.id, name: bound.name, user: bound.user, user_name: bound.user_name, tenant: bound.tenant,
    service: bound.service, certificate: bound.certificate, bound_at: Date.parse(bound.bound_at) / 1000,
  });
  navigator.storage?.persist?.(); // the browser decides; a key that it drops is bound anew
}

// ownName proposes what the user would call this browser.
function ownName() {
  const brand = navigator.userAgentData?.brands.map((b) => b.brand).find((b) => !/not.?a.?brand|chromium/i.test(b));
  const system = navigator.userAgentData?.platform ?? /iPhone|iPad|Android|Mac|Windows|Linux/.exec(navigator.userAgent)?.[0];
  return [brand ?? t('bind.browser'), system].filter(Boolean).join(', ');
}

// linkScreen takes the link from a camera or the clipboard.
function linkScreen(app, said) {
  const trouble = h('div', {}, said && alarm(said));
  const link = h('input', { id: 'link', type: 'url', inputmode: 'url', required: true, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off' });
  const camera = h('div');
  let stop = () => {};

  function take(text) {
    const ticket = ticketOf(text);
    if (!ticket) {
      trouble.replaceChildren(alarm(t('link.foreign', { address: location.host })));
      link.setAttribute('aria-invalid', 'true');
      return;
    }
    app.ticket = ticket;
    app.show();
  }
  async function look() {
    trouble.replaceChildren();
    try {
      stop = await scan(camera, take);
    } catch {
      trouble.replaceChildren(alarm(t('scan.denied')));
    }
  }
  const form = h('form', { novalidate: true, onsubmit: (event) => { event.preventDefault(); take(link.value.trim()); } },
    h('label', { for: 'link' }, t('link.label')), link, h('button', { class: scans() && 'quiet' }, t('link.go')));
  return {
    title: t('link.title'),
    body: [
      h('p', {}, t('link.text')), trouble,
      scans() && h('button', { onclick: look }, t('scan.go')), camera,
      form,
    ],
    leave: () => stop(),
  };
}

// ticketOf is the ticket of a link to this server; of any other there is none here.
function ticketOf(text) {
  const url = URL.parse?.(text) ?? parse(text);
  const ours = url?.origin === location.origin && url.pathname.replace(/\/$/, '') === location.pathname.replace(/\/$/, '');
  return ours && /^#[A-Za-z0-9_-]+$/.test(url.hash) ? url.hash.slice(1) : undefined;
}

function parse(text) {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
