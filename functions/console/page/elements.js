// Makes elements. Text is always text: nothing here, or in the rest of the console, parses HTML.

/**
 * An element with attributes and children.
 *
 * Of the attributes, functions under `onclick` and the like are listeners, `true` is an attribute without a value, and
 * `undefined`, `null` and `false` are none. Of the children, those are left out too, and lists are flattened.
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/** Puts these in the place of what an element had. */
export function replace(parent, ...children) {
  parent.replaceChildren(...present(children));
}

/** A link to a view. */
export function link(to, attributes, ...children) {
  return element('a', { href: `#${to}`, ...attributes }, ...children);
}

export function button(text, attributes) {
  return element('button', { type: 'button', ...attributes }, text);
}

/** What a state is, in a word and a colour. */
export function badge(text, tone) {
  return element('span', { class: `badge ${tone ?? ''}` }, text);
}

/** A list of names and values. What has no value is left out. */
export function definitions(all) {
  const entry = ([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value));
  return element('dl', {}, all.filter(([, value]) => value || value === 0).map(entry));
}

/** Says something without a place of its own: read out, shown for a while. */
export function announce(text) {
  const notices = document.getElementById('notices');
  const notice = element('p', {}, text);
  notices.append(notice);
  setTimeout(() => notice.remove(), 6000);
}

/** What failed, where nothing else can be shown. */
export function failure(error) {
  const request = error.requestId && element('small', {}, ` Request ${error.requestId}`);
  return element('p', { class: 'alert', role: 'alert' }, error.message, request);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...present(children));
  return made;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false);
}
