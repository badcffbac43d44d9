// The console: who is logged in decides what there is, and the address after `#` which view of it is shown.

import { announce, element, failure, link, replace } from './elements.js';
import { Session } from './session.js';
import { Transfers } from './transfers.js';
import { accountView } from './account-view.js';
import { libraryView } from './library-view.js';
import { logInView } from './log-in-view.js';
import { mediaView } from './media-view.js';
import { uploadsView } from './uploads-view.js';
import { userView } from './user-view.js';
import { usersView } from './users-view.js';

/** What an address shows: the first that matches. A view gets what is in the parentheses. */
const VIEWS = [
  { path: /^\/?$/, view: libraryView },
  { path: /^\/media\/([^/]+)$/, view: mediaView },
  { path: /^\/uploads$/, view: uploadsView, roles: ['operator', 'admin'] },
  { path: /^\/users$/, view: usersView, roles: ['admin'] },
  { path: /^\/users\/([^/]+)$/, view: userView, roles: ['admin'] },
  { path: /^\/account$/, view: accountView },
];

const NAVIGATION = [
  { to: '/', text: 'Library' },
  { to: '/uploads', text: 'Uploads', roles: ['operator', 'admin'] },
  { to: '/users', text: 'Users', roles: ['admin'] },
  { to: '/account', text: 'Account' },
];

const bar = document.getElementById('bar');
const main = document.getElementById('main');
// The page is `console` in the API's own folder.
const session = new Session(new URL('.', location.href));
let transfers;
let shown = new AbortController();
let isFirst = true;

session.addEventListener('end', () => {
  announce('Your session has ended. Log in again.');
  leave();
});
addEventListener('hashchange', () => show());
document.querySelector('.skip').addEventListener('click', (event) => {
  // The address after `#` is which view is shown.
  event.preventDefault();
  main.focus();
});
addEventListener('beforeunload', (event) => {
  if (transfers?.isSending) event.preventDefault();
});
acceptDrops();
await start();

async function start() {
  try {
    if (await session.resume()) return enter();
  } catch (error) {
    return replace(main, failure(error));
  }
  return leave();
}

/** Somebody has logged in. */
function enter() {
  transfers = new Transfers(session.api, session.user.id);
  transfers.addEventListener('change', showCount);
  return show();
}

/** Nobody is logged in any more. */
function leave() {
  transfers?.stop();
  transfers = undefined;
  return show();
}

async function show() {
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  const [path, search] = location.hash.slice(1).split('?');
  showBar(path);
  const { view, given } = viewAt(path);
  if (!isFirst) main.setAttribute('aria-busy', 'true');
  let content;
  try {
    const query = new URLSearchParams(search);
    content = await view({ session, api: session.api, transfers, signal, query, given, enter, logOut });
  } catch (error) {
    if (signal.aborted) return;
    content = [element('h1', {}, 'This cannot be shown'), failure(error)];
  }
  if (signal.aborted) return;
  replace(main, content);
  main.removeAttribute('aria-busy');
  focusHeading();
  isFirst = false;
}

function viewAt(path) {
  if (!session.user) return { view: logInView, given: [] };
  // With a password that an admin chose, nothing can be changed but that.
  if (session.passwordChangeRequired) return { view: accountView, given: [] };
  for (const { path: pattern, view, roles } of VIEWS) {
    const found = pattern.exec(path);
    if (found && isFor(roles)) return { view, given: found.slice(1) };
  }
  return { view: () => [element('h1', {}, 'Nothing is here'), link('/', {}, 'Go to the library')], given: [] };
}

function isFor(roles) {
  return !roles || roles.includes(session.user.role);
}

/** Whoever does not see the view change is told by the focus; not at first, when the page itself is read out. */
function focusHeading() {
  const heading = main.querySelector('h1');
  document.title = `${heading?.textContent ?? 'Media'} – Media console`;
  scrollTo(0, 0);
  if (isFirst || main.contains(document.activeElement)) return;
  heading?.setAttribute('tabindex', '-1');
  heading?.focus();
}

function showBar(path) {
  bar.hidden = !session.user;
  if (!session.user) return replace(bar);
  const entry = ({ to, text }) => {
    const isHere = to === '/' ? /^\/?$|^\/media/.test(path) : path.startsWith(to);
    return element('li', {}, link(to, { 'aria-current': isHere && 'page' }, text, to === '/uploads' && count()));
  };
  const entries = NAVIGATION.filter(({ roles }) => isFor(roles)).map(entry);
  return replace(
    bar,
    link('/', { class: 'brand' }, element('span', { class: 'mark', 'aria-hidden': 'true' }), 'Media'),
    element('nav', { 'aria-label': 'Main' }, element('ul', {}, entries)),
  );
}

/** How many files are under way. */
function count() {
  const active = transfers.activeCount;
  const attributes = { class: 'count', id: 'count', hidden: !active };
  return element('span', attributes, active, element('span', { class: 'unseen' }, ' under way'));
}

function showCount() {
  document.getElementById('count')?.replaceWith(count());
}

async function logOut() {
  await session.logOut();
  location.hash = '/';
  leave();
}

/** Files may be dropped anywhere; without this the browser would open them in the page's place. */
function acceptDrops() {
  const areTaken = () => transfers && !session.passwordChangeRequired && isFor(['operator', 'admin']);
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.toggle('dropping', Boolean(areTaken()));
  });
  addEventListener('dragleave', ({ relatedTarget }) => relatedTarget || document.body.classList.remove('dropping'));
  addEventListener('drop', (event) => {
    document.body.classList.remove('dropping');
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!areTaken()) return;
    transfers.add(event.dataTransfer.files);
    location.hash = '/uploads';
  });
}
