// The screens of the device itself: what it is, whether it is woken, and its end.
import { call, Refusal } from './api.js';
import { pushState, turnOff, turnOn } from './push.js';
import { alarm, busily, facts, h } from './ui.js';
import { leave } from './trouble.js';
import { moment, t } from './text.js';
import { reason } from './reason.js';

export async function deviceScreen(app) {
  const { device } = app;
  return {
    title: t('device.title'),
    body: [
      app.status === 'blocked' && h('p', { class: 'error' }, t('state.blocked')),
      facts([
        [t('device.name'), device.name],
        [t('device.user'), device.user_name],
        [t('device.service'), device.service],
        [t('device.bound'), moment(device.bound_at)],
        [t('device.id'), h('code', {}, device.id)],
      ]),
      h('h2', {}, t('push.heading')),
      await pushPart(app),
      h('h2', {}, t('unbind.heading')),
      h('p', {}, t('unbind.short')),
      h('p', {}, h('a', { href: '#/unbind' }, t('unbind.go'))),
    ],
  };
}

// pushPart says how wake-ups stand, and changes it.
async function pushPart(app) {
  const part = h('div');
  const trouble = h('div');
  async function change(work) {
    trouble.replaceChildren();
    try {
      draw(await busily(part, work));
    } catch (error) {
      trouble.replaceChildren(alarm(reason(error)));
    }
  }
  function draw(state) {
    const button = {
      off: h('button', { class: 'quiet', onclick: () => change(() => turnOn(app.config, app.device)) }, t('push.turn-on')),
      on: h('button', { class: 'quiet', onclick: () => change(() => turnOff(app.device)) }, t('push.turn-off')),
    }[state];
    part.replaceChildren(...[h('p', { role: 'status' }, t(`push.${state}`)), trouble, button].filter(Boolean));
  }
  draw(await pushState(app.config ?? {}));
  return part;
}

export function unbindScreen(app) {
  const trouble = h('div');
  const body = h('div', {},
    h('p', {}, t('unbind.text', { service: app.device.service })), trouble,
    h('button', { class: 'bad', onclick: unbind }, t('unbind.sure')),
    h('p', {}, h('a', { href: '#/device' }, t('unbind.back'))));

  async function unbind() {
    trouble.replaceChildren();
    try {
      await busily(body, () => call(app.device, 'DELETE', 'device'));
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 401) { // which it is bound no more by
        trouble.replaceChildren(alarm(reason(error)));
        return;
      }
    }
    await leave(app);
    app.notice(t('unbind.done'));
  }
  return { title: t('unbind.title'), body };
}
