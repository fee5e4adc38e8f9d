// Words in the user's language, and times as their locale writes them.

const offered = ['en', 'de', 'fr'];

let words = {};

// loadWords reads the words of the first of the user's languages that there are, or English.
export async function loadWords() {
  const wanted = navigator.languages.map((name) => name.toLowerCase().split('-')[0]).find((name) => offered.includes(name)) ?? 'en';
  const reply = await fetch(new URL(`locale/${wanted}.json`, import.meta.url));
  words = await reply.json();
  document.documentElement.lang = wanted;
}

// t is the text of a key, with values in the place of {names}.
export function t(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

// known reports whether there is a text.
export const known = (key) => key in words;

const moments = new Intl.DateTimeFormat(navigator.languages, { dateStyle: 'medium', timeStyle: 'short' });
const clocks = new Intl.DateTimeFormat(navigator.languages, { timeStyle: 'medium' });

// moment is a date with its time; of Unix seconds.
export const moment = (seconds) => moments.format(new Date(seconds * 1000));

// clock is a time of today; of Unix seconds.
export const clock = (seconds) => clocks.format(new Date(seconds * 1000));

// left is how long it is still: 1:05.
export function left(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
