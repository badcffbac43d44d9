// One account, for admins: what it may do, another password, and its end.

import { announce, badge, element, link, replace } from './elements.js';
import { checkbox, choices, field, form } from './forms.js';
import { words } from './format.js';
import { confirmed } from './dialog.js';
import { newPasswordField } from './log-in-view.js';
import { ROLES } from './users-view.js';

export async function userView({ api, given, signal, session }) {
  const user = await api.get(`/users/${given[0]}`, { signal });
  const isOneself = user.id === session.user.id;
  const section = (id, heading, ...content) =>
    element(
      'section',
      { class: 'card', 'aria-labelledby': `${id}-heading` },
      element('h2', { id: `${id}-heading` }, heading),
      content,
    );
  const badges = element('div', { class: 'badges' });
  const showBadges = ({ role, disabled }) => replace(badges, badge(words(role)), disabled && badge('Disabled', 'bad'));
  showBadges(user);
  return [
    element('p', { class: 'crumbs' }, link('/users', {}, 'Users')),
    element('div', { class: 'heading' }, element('h1', {}, user.email), badges),
    isOneself && element('p', {}, 'This is your own account.'),
    element(
      'div',
      { class: 'narrow' },
      section('account', 'Account', changeForm(api, user, showBadges)),
      section('password', 'Temporary password', ...temporaryPassword(api, user)),
      section('delete', 'Delete', deletion(api, user, isOneself)),
    ),
  ];
}

/** `saved` is told what the account has become. */
function changeForm(api, user, saved) {
  let shown = user;
  const submit = async ({ display_name, role, disabled }) => {
    const wanted = { display_name: display_name || null, role, disabled: disabled === 'on' };
    // What was left alone is not sent: another admin may have changed it meanwhile.
    const changes = Object.entries(wanted).filter(([name, value]) => value !== shown[name]);
    if (changes.length) shown = await api.patch(`/users/${user.id}`, Object.fromEntries(changes));
    saved(shown);
    announce('Saved.');
  };
  return form(
    { submit, action: 'Save' },
    field({ name: 'display_name', label: 'Name', value: user.display_name ?? '', maxlength: 100, autocomplete: 'off' }),
    field({ name: 'role', label: 'Role', type: 'select', options: ROLES, value: user.role }),
    checkbox({ name: 'disabled', label: 'Disabled: cannot log in', checked: user.disabled }),
  );
}

function temporaryPassword(api, user) {
  const submit = async ({ password }, made) => {
    await api.post(`/users/${user.id}/password`, { password });
    made.reset();
    announce('The password is set. It has to be changed at the next log-in.');
  };
  const text = 'For somebody who forgot theirs. It ends all their sessions, and has to be changed at the next log-in.';
  return [
    element('p', {}, text),
    form({ submit, action: 'Set password' }, newPasswordField({ name: 'password', label: 'Password' })),
  ];
}

function deletion(api, user, isOneself) {
  const submit = async ({ media }) => {
    const what = media === 'keep' ? 'Its media become yours.' : 'Its media are deleted, too.';
    const question = { title: `Delete ${user.email}?`, text: `${what} This cannot be undone.`, action: 'Delete' };
    if (!(await confirmed(question))) return;
    await api.delete(`/users/${user.id}`, { query: { media } });
    announce(`${user.email} is deleted.`);
    location.hash = '/users';
  };
  const remove = ['delete', 'Delete their media'];
  // Who is deleted cannot be given them.
  const options = isOneself ? [remove] : [remove, ['keep', 'Keep their media: they become yours']];
  return form(
    { submit, action: 'Delete account', tone: 'danger' },
    choices({ name: 'media', legend: 'What becomes of the media', options, value: isOneself ? 'delete' : 'keep' }),
  );
}
