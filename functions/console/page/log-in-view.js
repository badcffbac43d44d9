// Logging in, and signing up where that is open.

import { button, element, replace } from './elements.js';
import { field, form, passwordField } from './forms.js';

export function logInView(context) {
  const card = element('div', { class: 'card' });
  const showing = (content) => {
    replace(card, content);
    card.querySelector('input')?.focus();
  };
  const logIn = (email) => showing(logInForm(context, email, () => showing(signUpForm(context, logIn))));
  logIn();
  return element('div', { class: 'welcome' }, element('span', { class: 'mark', 'aria-hidden': 'true' }), card);
}

function logInForm({ session, enter }, email = '', signUp) {
  const submit = async (values) => {
    await session.logIn(values.email, values.password);
    await enter();
  };
  return [
    element('h1', {}, 'Log in'),
    form(
      { submit, action: 'Log in' },
      field({ name: 'email', label: 'E-mail', type: 'email', autocomplete: 'username', required: true, value: email }),
      passwordField({ name: 'password', label: 'Password', autocomplete: 'current-password' }),
    ),
    element('p', { class: 'aside' }, 'No account yet? ', button('Sign up', { class: 'plain', onclick: signUp })),
  ];
}

function signUpForm({ session, enter }, logIn) {
  const submit = async ({ email, password, display_name }) => {
    await session.signUp({ email, password, ...(display_name && { display_name }) });
    await session.logIn(email, password);
    await enter();
  };
  return [
    element('h1', {}, 'Sign up'),
    form(
      { submit, action: 'Sign up' },
      field({ name: 'email', label: 'E-mail', type: 'email', autocomplete: 'username', required: true }),
      field({ name: 'display_name', label: 'Name', hint: 'Optional.', autocomplete: 'name', maxlength: 100 }),
      newPasswordField({ name: 'password', label: 'Password' }),
    ),
    element(
      'p',
      { class: 'aside' },
      'An account already? ',
      button('Log in', { class: 'plain', onclick: () => logIn() }),
    ),
  ];
}

/** A field for a password that is being chosen. */
export function newPasswordField(options) {
  const hint = 'At least 12 characters, not easy to guess. Several words do well.';
  return passwordField({ autocomplete: 'new-password', minlength: 12, hint, ...options });
}
