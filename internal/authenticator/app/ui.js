// Elements, made without markup: whatever a server or a user says is text.

// h makes an element. A property that starts with on is a listener, one that is false or undefined is left out; children are elements and text.
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== false));
  return element;
}

// alarm is an error that is said at once.
export const alarm = (text) => h('p', { class: 'error', role: 'alert' }, text);

// facts is a list of terms, each with a value; terms without one are left out.
export const facts = (entries) => h('dl', {}, entries.filter(([, value]) => value)
  .flatMap(([term, value]) => [h('dt', {}, term), h('dd', {}, value)]));

// busily disables the buttons of a part of the page while something is done.
export async function busily(part, work) {
  const buttons = [...part.querySelectorAll('button')].filter((button) => !button.disabled);
  part.setAttribute('aria-busy', 'true');
  for (const button of buttons) button.disabled = true;
  try {
    return await work();
  } finally {
    part.removeAttribute('aria-busy');
    for (const button of buttons) button.disabled = false;
  }
}
