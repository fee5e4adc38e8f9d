// The screens of what was answered on this device, with the evidence of each answer.
import { facts, h } from './ui.js';
import { moment, t } from './text.js';
import { readAnswer, readHistory } from './store.js';

// titled is what was decided, and about what.
const titled = ({ decision, request }) => `${t(`decision.${decision}`)}: ${t(`subject.${request.purpose}`, { service: request.service })}`;

export async function historyScreen() {
  const all = await readHistory();
  return {
    title: t('history.title'),
    body: all.length === 0 ? h('p', {}, t('history.none')) : h('ul', { class: 'cards' }, all.map((entry) => h('li', {},
      h('a', { class: 'card', href: `#/history/${entry.challenge}` },
        h('strong', {}, titled(entry)),
        entry.request.shown.map((line) => h('span', {}, line)),
        h('span', { class: 'note' }, moment(entry.answered_at)))))),
  };
}

export async function answerScreen(app, id) {
  const entry = await readAnswer(id);
  if (!entry) return { title: t('history.title'), body: h('p', {}, t('history.absent')) };
  const { request, evidence } = entry;
  const text = JSON.stringify(evidence, null, 2);
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  return {
    title: titled(entry),
    body: [
      request.shown.length > 0 && h('ul', { class: 'shown' }, request.shown.map((line) => h('li', {}, line))),
      facts([
        [t('request.service'), request.service],
        [t('history.at'), moment(entry.answered_at)],
        [t('history.challenge'), h('code', {}, entry.challenge)],
        [t('history.digest'), request.digest && h('code', {}, request.digest)],
      ]),
      h('h2', {}, t('evidence.title')),
      h('p', {}, t('evidence.text')),
      h('details', {}, h('summary', {}, t('history.certificate')), h('code', {}, evidence.certificate)),
      h('p', {}, h('a', { href: url, download: `evidence-${entry.challenge}.json` }, t('evidence.save'))),
      h('p', {}, h('a', { href: '#/history' }, t('history.back'))),
    ],
    leave: () => URL.revokeObjectURL(url),
  };
}
