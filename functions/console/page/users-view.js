// Accounts, for admins: who there is, and a new one.

import { announce, badge, button, element, failure, link, replace } from './elements.js';
import { field, form } from './forms.js';
import { date, words } from './format.js';
import { newPasswordField } from './log-in-view.js';

const PAGE = 50;
export const ROLES = [
  ['viewer', 'Viewer: watches'],
  ['operator', 'Operator: uploads, too'],
  ['admin', 'Admin: manages everything'],
];

export async function usersView({ api, signal }) {
  const rows = element('ul', { class: 'rows' });
  const problem = element('div', {});
  const more = button('Show more', { hidden: true, onclick: () => add() });
  let cursor;
  const add = async () => {
    // One page at a time, each once.
    more.disabled = true;
    try {
      const page = await api.get('/users', { query: { limit: PAGE, cursor }, signal });
      replace(problem);
      rows.append(...page.items.map(row));
      cursor = page.next_cursor;
      more.hidden = !cursor;
    } catch (error) {
      if (!signal.aborted) replace(problem, failure(error));
    } finally {
      more.disabled = false;
    }
  };
  await add();
  const created = (user) => {
    rows.prepend(row(user));
    announce(`${user.email} can log in now.`);
  };
  return [
    element('h1', {}, 'Users'),
    element(
      'div',
      { class: 'columns' },
      element('section', { 'aria-label': 'Accounts' }, problem, rows, more),
      element('section', { class: 'card', 'aria-labelledby': 'new-heading' }, newUser(api, created)),
    ),
  ];
}

function row({ id, email, display_name, role, disabled, created_at }) {
  return element(
    'li',
    {},
    link(
      `/users/${id}`,
      { class: 'row' },
      element(
        'span',
        { class: 'what' },
        element('strong', {}, email),
        element('small', {}, [display_name, `since ${date(created_at)}`].filter(Boolean).join(' · ')),
      ),
      element('span', { class: 'badges' }, disabled && badge('Disabled', 'bad'), badge(words(role))),
    ),
  );
}

function newUser(api, created) {
  const submit = async ({ email, password, display_name, role }, made) => {
    const body = { email, password, role, ...(display_name && { display_name }) };
    created(await api.post('/users', body, { headers: { 'Idempotency-Key': crypto.randomUUID() } }));
    made.reset();
  };
  return [
    element('h2', { id: 'new-heading' }, 'New user'),
    form(
      { submit, action: 'Create user' },
      field({ name: 'email', label: 'E-mail', type: 'email', required: true, autocomplete: 'off' }),
      field({ name: 'display_name', label: 'Name', hint: 'Optional.', maxlength: 100, autocomplete: 'off' }),
      newPasswordField({ name: 'password', label: 'Password' }),
      field({ name: 'role', label: 'Role', type: 'select', options: ROLES, value: 'operator' }),
    ),
  ];
}
