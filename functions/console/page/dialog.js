// Questions that something hangs on. The browser's own `<dialog>` keeps the focus, and gives it back.

import { button, element } from './elements.js';

/** Asks, and resolves with whether the answer was yes. Escape is no. */
export function confirmed({ title, text, action }) {
  const dialog = element(
    'dialog',
    { 'aria-labelledby': 'dialog-title' },
    element('h2', { id: 'dialog-title' }, title),
    element('p', {}, text),
    element(
      'div',
      { class: 'actions' },
      button('Cancel', { autofocus: true, onclick: () => dialog.close() }),
      button(action, { class: 'danger', onclick: () => dialog.close('yes') }),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
