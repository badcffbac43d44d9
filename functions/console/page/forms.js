// Forms that say what is wrong with them where it is wrong.

import { ApiError } from './media-api.js';
import { element, failure, replace } from './elements.js';

let made = 0;

/**
 * A labelled input, with room for a hint and for what is wrong. `type` may be `textarea`, or `select` with `options`, each
 * as `[value, label]`.
 */
export function field({ name, label, hint, type = 'text', value = '', options = [], ...attributes }) {
  const id = `field-${(made += 1)}`;
  const shared = { id, name, 'aria-describedby': `${id}-hint ${id}-error`, ...attributes };
  const input = inputOf(type, shared, value, options);
  return element(
    'div',
    { class: 'field' },
    element('label', { for: id }, label),
    input,
    element('p', { class: 'hint', id: `${id}-hint` }, hint),
    element('p', { class: 'wrong', id: `${id}-error` }),
  );
}

function inputOf(type, attributes, value, options) {
  if (type === 'select') {
    const option = ([of, text]) => element('option', { value: of, selected: of === value }, text);
    return element('select', attributes, options.map(option));
  }
  if (type === 'textarea') return element('textarea', { rows: 4, ...attributes }, value);
  return element('input', { type, value, ...attributes });
}

/** A box to tick. */
export function checkbox({ name, label, checked, ...attributes }) {
  const input = element('input', { type: 'checkbox', name, checked, ...attributes });
  return element('label', { class: 'choice' }, input, element('span', {}, label));
}

/** One of several, each as `[value, label]`. */
export function choices({ name, legend, options, value }) {
  const choice = ([of, label]) => {
    const input = element('input', { type: 'radio', name, value: of, checked: of === value, required: true });
    return element('label', { class: 'choice' }, input, element('span', {}, label));
  };
  return element('fieldset', {}, element('legend', {}, legend), options.map(choice));
}

/** The same for a password. */
export function passwordField({ autocomplete, ...options }) {
  return field({ type: 'password', required: true, autocomplete, maxlength: 1024, ...options });
}

/**
 * A form whose `submit` gets the values by their names. While it works, the button is disabled. Wrong fields that the API
 * tells of are marked, and the first has the focus; what belongs to no field is said above the button.
 */
export function form({ submit, action, tone = 'primary', ...attributes }, ...children) {
  const problem = element('div', { class: 'problem' });
  const send = element('button', { class: tone }, action);
  const made = element('form', attributes, children, problem, send);
  made.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    send.disabled = true;
    clear(made, problem);
    try {
      await submit(Object.fromEntries(new FormData(made)), made);
    } catch (error) {
      if (error.name !== 'AbortError') show(made, problem, error);
    } finally {
      send.disabled = false;
    }
  });
  return made;
}

function clear(form, problem) {
  replace(problem);
  for (const wrong of form.querySelectorAll('.wrong')) replace(wrong);
  for (const input of form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
}

function show(form, problem, error) {
  const wrong = error instanceof ApiError ? error.errors : [];
  // A pointer leads to a field, or to something in it: `/tags/3`.
  const placed = wrong.map(({ pointer, detail }) => ({ input: named(form, pointer.split('/')[1]), pointer, detail }));
  for (const { input, detail } of placed.filter(({ input }) => input)) {
    input.setAttribute('aria-invalid', 'true');
    document.getElementById(`${input.id}-error`).append(`${sentence(detail)} `);
  }
  const others = placed.filter(({ input }) => !input).map(({ pointer, detail }) => `${pointer} ${detail}`);
  if (others.length || !placed.length) {
    const shown = failure(error);
    shown.append(...others.map((other) => element('span', { class: 'other' }, other)));
    replace(problem, shown);
  }
  form.querySelector('[aria-invalid]')?.focus();
}

function named(form, name) {
  const input = name && form.elements.namedItem(name);
  return input?.id ? input : undefined;
}

/** `must be shorter` as a sentence of its own. */
function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
