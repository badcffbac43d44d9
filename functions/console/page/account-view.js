// The own account: who one is, another password, and logging out.

import { announce, button, definitions, element } from './elements.js';
import { form, passwordField } from './forms.js';
import { date, words } from './format.js';
import { newPasswordField } from './log-in-view.js';

export function accountView({ session, enter, logOut }) {
  const { user, passwordChangeRequired } = session;
  return [
    element('h1', {}, 'Account'),
    passwordChangeRequired &&
      element('p', { class: 'alert', role: 'alert' }, 'An admin chose your password. Change it to go on.'),
    element(
      'div',
      { class: 'narrow' },
      element(
        'section',
        { class: 'card', 'aria-label': 'Profile' },
        definitions([
          ['E-mail', user.email],
          ['Name', user.display_name],
          ['Role', words(user.role)],
          ['Since', date(user.created_at)],
        ]),
        button('Log out', { onclick: logOut }),
      ),
      element(
        'section',
        { class: 'card', 'aria-labelledby': 'password-heading' },
        element('h2', { id: 'password-heading' }, 'Change the password'),
        passwordForm(session, user, passwordChangeRequired && enter),
      ),
    ),
  ];
}

/** `then` follows a change that was required. */
function passwordForm(session, user, then) {
  const submit = async ({ current_password, new_password }, made) => {
    await session.changePassword(current_password, new_password);
    made.reset();
    announce('Your password is changed. All other sessions have ended.');
    if (then) await then();
  };
  return form(
    { submit, action: 'Change password' },
    // So that a password manager knows whose it is.
    element('input', { type: 'email', autocomplete: 'username', value: user.email, hidden: true, readonly: true }),
    passwordField({ name: 'current_password', label: 'Current password', autocomplete: 'current-password' }),
    newPasswordField({ name: 'new_password', label: 'New password' }),
  );
}
