// The screens of what waits: the list, and one request with the buttons that answer it.
import { now, Refusal, Unreachable } from './api.js';
import { answer } from './answer.js';
import { alarm, busily, facts, h } from './ui.js';
import { clock, left, t } from './text.js';
import { reason } from './reason.js';

const waiting = (request) => request.expires_at > now();

// asked is what a request asks, in words.
const asked = (request) => t(`purpose.${request.purpose}`, { service: request.service });

export function requestsScreen(app) {
  const body = h('div', { 'aria-live': 'polite' });
  let drawn;
  function draw() {
    const list = app.requests?.filter(waiting);
    const key = JSON.stringify([app.live, app.status, list?.map((r) => r.challenge)]);
    if (key === drawn) return;
    drawn = key;
    body.replaceChildren(...[...state(app), list?.length > 0 && cards(list), list?.length === 0 && h('p', {}, t('requests.none'))].filter(Boolean));
  }
  draw();
  const timer = setInterval(draw, 1000);
  return { title: t('requests.title'), body, update: draw, leave: () => clearInterval(timer) };
}

const cards = (list) => h('ul', { class: 'cards' }, list.map((request) => h('li', {}, h('a', { class: 'card', href: `#/request/${request.challenge}` },
  h('strong', {}, asked(request)),
  h('span', {}, request.service),
  request.shown.map((line) => h('span', {}, line)),
  h('span', { class: 'note' }, t('requests.until', { time: clock(request.expires_at) }))))));

// state says what stands in the way of an answer, if anything does.
function state(app) {
  return [
    app.status === 'blocked' && h('p', { class: 'error' }, t('state.blocked'), ' ', h('a', { href: '#/unbind' }, t('state.blocked.go'))),
    app.live === 'lost' && h('p', { class: 'error', role: 'status' }, t('state.offline')),
    app.live === 'connecting' && h('p', { class: 'note', role: 'status' }, t('state.connecting')),
  ].filter(Boolean);
}

// requestScreen shows one request until it is answered, here or elsewhere, or its time is over.
export function requestScreen(app, id) {
  const request = app.requests?.find((r) => r.challenge === id);
  if (!request) return absentScreen(app, id);
  const body = h('div');
  const leaving = new AbortController();
  const ends = h('span', { role: 'timer' });
  let stage = 'open'; // signing, or over
  let timer;

  function over(outcome, good) {
    stage = 'over';
    clearInterval(timer);
    const said = h('p', { class: good ? 'good' : 'error', role: 'status', tabindex: '-1' }, t(`outcome.${outcome}`));
    body.replaceChildren(lines(request), said, h('p', {}, h('a', { href: '#/' }, t('outcome.back'))));
    said.focus();
  }
  function tick() {
    ends.textContent = left(request.expires_at - now());
    if (stage === 'open' && !waiting(request)) over('expired');
  }
  async function decide(decision, number) {
    trouble.replaceChildren();
    stage = 'signing';
    try {
      if (!navigator.onLine) throw new Unreachable(); // before the owner is asked for nothing
      await busily(body, () => answer(app.device, request, decision, number, leaving.signal));
      app.requests = app.requests?.filter((r) => r.challenge !== id);
      over(decision, decision === 'approve');
    } catch (error) {
      if (leaving.signal.aborted) return;
      stage = 'open';
      failed(error);
    }
  }
  function failed(error) {
    const code = error instanceof Refusal && error.code;
    if (code === 'device_blocked') app.status = 'blocked';
    if (code === 'no_challenge' || code === 'not_found') return over(waiting(request) ? 'elsewhere' : 'expired');
    if (code === 'number_wrong') return over('number_wrong');
    if (!waiting(request)) return over('expired');
    trouble.replaceChildren(alarm(reason(error)));
  }
  const trouble = h('div');
  const { part, value } = numberPart(request);
  const approve = h('button', { onclick: () => { const number = value(); if (number !== undefined) decide('approve', number); } }, t('request.approve'));
  body.replaceChildren(
    lines(request), details(app, request, ends), ...state(app), trouble, part, approve,
    h('button', { class: 'quiet', onclick: () => decide('deny') }, t('request.deny')),
    h('button', { class: 'bad', onclick: () => decide('report') }, t('request.report')),
    h('p', { class: 'hint' }, t('request.report.hint')));
  tick();
  if (stage === 'open') timer = setInterval(tick, 1000);
  return {
    title: asked(request),
    body,
    update() {
      if (stage === 'open' && app.live === 'on' && !app.requests?.some((r) => r.challenge === id)) over(waiting(request) ? 'elsewhere' : 'expired');
    },
    leave() {
      leaving.abort();
      clearInterval(timer);
    },
  };
}

const lines = (request) => (request.shown.length > 0 ? h('ul', { class: 'shown' }, request.shown.map((line) => h('li', {}, line))) : '');

const details = (app, request, ends) => facts([
  [t('request.service'), request.service],
  [t('request.user'), app.device.user_name],
  [t('request.check'), request.purpose === 'confirm' && h('code', {}, request.digest.slice(0, 8))],
  [t('request.asked'), clock(request.created_at)],
  [t('request.left'), ends],
]);

// numberPart asks for the number of the other screen, where one is wanted. Its value is undefined until there is one.
function numberPart(request) {
  if (!request.number_required) return { part: '', value: () => '' };
  const wrong = h('div', { id: 'number-error' });
  const input = h('input', {
    id: 'number', class: 'number', inputmode: 'numeric', pattern: '[0-9]*', maxlength: 2, autocomplete: 'off', 'aria-describedby': 'number-hint number-error',
  });
  const part = h('div', {}, h('label', { for: 'number' }, t('number.label')), h('p', { class: 'hint', id: 'number-hint' }, t('number.hint')), wrong, input);
  return {
    part,
    value() {
      const good = /^[0-9]{2}$/.test(input.value);
      input.setAttribute('aria-invalid', String(!good));
      wrong.replaceChildren(...(good ? [] : [alarm(t('number.missing'))]));
      if (good) return input.value;
      input.focus();
      return undefined;
    },
  };
}

// absentScreen is for a request that does not wait: not any more, or it has not been heard of yet.
function absentScreen(app, id) {
  const known = app.requests !== undefined;
  return {
    title: t(known ? 'absent.title' : 'requests.title'),
    body: [...state(app), known && h('p', {}, t('absent.text')), h('p', {}, h('a', { href: '#/' }, t('outcome.back')))],
    update() {
      if (app.requests && (!known || app.requests.some((r) => r.challenge === id))) app.show();
    },
  };
}
