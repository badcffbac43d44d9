// The console, used from the first visit on: by somebody who signs up and uploads, and by an admin.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Console } from './console.js';
import { Fixture } from './fixture.js';
import { partNumber, partsSentBy, slowUploads } from './traffic.js';
import { wav } from './wav.js';

const PASSWORD = 'correct horse battery staple';
const LARGE = wav(30_000_000);
const PART_COUNT = 6;

describe('the console', () => {
  let fixture, admin, directory, large;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'console-'));
    large = join(directory, 'large.wav');
    await writeFile(large, LARGE);
    fixture = await Fixture.start({});
    admin = fixture.stack.admin;
  });

  after(async () => {
    await fixture?.stop();
    await rm(directory, { recursive: true });
  });

  test('from signing up to deleting what was uploaded', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    const email = emailAddress();
    await opened.press('Sign up');
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Name').fill('Ada');
    await page.getByLabel('Password').fill(PASSWORD);
    await opened.press('Sign up');
    await opened.heading('Library');

    await uploadInterruptedByReload(opened);
    await page.getByRole('link', { name: 'Open' }).click();
    await opened.heading('large');
    await assertPlays(page);

    const user = await loggedIn(email, PASSWORD);
    const mediaId = page.url().split('/').at(-1);
    const bytes = await fixture.download(user, mediaId);
    assert.ok(LARGE.equals(bytes), 'the bytes differ');
    await page.getByText('pcm_s16le').waitFor();

    await viewTwice(mediaId);
    await page.reload();
    await page.getByText('2 views by 1 viewer in all').waitFor();
    const chart = page.getByRole('img', { name: /^2 views from .*, most on .* with 2 views\.$/ });
    assert.equal(await chart.locator('.bar').count(), 30);
    await page.getByText('Show as a table').click();
    await page.getByRole('row', { name: `${new Date().toISOString().slice(0, 10)} 2 1` }).waitFor();

    await page.getByLabel('Title').fill('A walk in the rain');
    await page.getByLabel('Tags').fill('rain, walk');
    await page.getByLabel('Who may see it').selectOption('private');
    await opened.press('Save');
    await opened.heading('A walk in the rain');
    const media = await fixture.call('GET', `/media/${mediaId}`, { user });
    assert.deepEqual([media.tags, media.visibility], [['rain', 'walk'], 'private']);

    await opened.go('/', 'Library');
    await page.getByLabel('Search titles').fill('walk rai');
    await page.getByText('1 title', { exact: true }).waitFor();
    await page.getByLabel('Search titles').fill('sunshine');
    await page.getByText('Nothing is like that.').waitFor();
    await page.getByLabel('Search titles').fill('');
    await page.getByRole('link', { name: 'A walk in the rain' }).click();

    await opened.press('Delete media');
    await page.keyboard.press('Escape');
    await opened.press('Delete media');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await opened.told('Deleted.');
    await opened.heading('Library');
    await assert.rejects(fixture.call('GET', `/media/${mediaId}`, { user }), /: 404 /);
    opened.assertClean();
  });

  test('an upload is paused, resumed, and another cancelled', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    const user = await fixture.signUp();
    await opened.logIn(user);
    await opened.go('/uploads', 'Uploads');
    const slow = await slowUploads(page);
    await page.getByLabel('Choose files').setInputFiles(large);
    await somePartsAreSent(page);
    await opened.press('Pause large.wav');
    await page.getByText('Paused').waitFor();
    await slow.detach();
    const sent = partsSentBy(page);
    const listing = page.waitForResponse((response) => response.url().endsWith('/parts'));
    await opened.press('Resume large.wav');
    const { missing } = await (await listing).json();
    await page.getByText('Ready').waitFor();
    assert.ok(missing.length < PART_COUNT);
    assert.deepEqual(sent.map(partNumber).sort((one, other) => one - other), missing);

    await slowUploads(page);
    await page.getByLabel('Choose files').setInputFiles(large);
    await somePartsAreSent(page);
    await opened.press('Cancel large.wav');
    await page.getByText('Cancelled').waitFor();
    await page.waitForFunction(() => localStorage.length === 0);
    opened.assertClean();
  });

  test('what has arrived is not sent again when only the question after it fails', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    const user = await fixture.signUp();
    await opened.logIn(user);
    await opened.go('/uploads', 'Uploads');
    await page.evaluate(failFirstPoll);
    await page.getByLabel('Choose files').setInputFiles({ name: 'short.wav', mimeType: 'audio/wav', buffer: wav(40_000) });
    await opened.press('Try again short.wav');
    await page.getByText('Ready').waitFor();
    const { items } = await fixture.call('GET', '/media?owner=me', { user });
    assert.equal(items.length, 1);
    opened.assertClean();
  });

  test('files are dropped on any view', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    await opened.logIn(await fixture.signUp());
    await page.evaluate(dropFile, { name: 'short.wav', type: 'audio/wav', bytes: [...wav(40_000)] });
    await opened.heading('Uploads');
    await page.getByText('Ready').waitFor();
    opened.assertClean();
  });

  test('what somebody else has changed is shown before it can be overwritten', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    const user = await fixture.signUp();
    const { id } = await fixture.upload(user, 'short.wav', 'audio/wav', wav(40_000));
    await opened.logIn(user);
    await opened.go(`/media/${id}`, 'short.wav');
    await fixture.call('PATCH', `/media/${id}`, { user, body: { title: 'Sunshine' } });
    await page.getByLabel('Title').fill('Rain');
    await opened.refused(async () => {
      await opened.press('Save');
      await page.getByRole('alert').getByText(/has been changed meanwhile/).waitFor();
    });
    await opened.heading('Sunshine');
    assert.equal(await page.getByLabel('Title').inputValue(), 'Rain');
    await opened.press('Save');
    await opened.heading('Rain');
    assert.equal((await fixture.call('GET', `/media/${id}`, { user })).title, 'Rain');
    opened.assertClean();
  });

  test('leaving is no loss once all has arrived', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    await opened.logIn(await fixture.signUp());
    await opened.go('/uploads', 'Uploads');
    // Processing takes longer than it does here.
    await page.route(/\/media\/[0-9a-f-]{36}$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), status: 'processing' } });
    });
    await page.getByLabel('Choose files').setInputFiles({ name: 'short.wav', mimeType: 'audio/wav', buffer: wav(40_000) });
    await page.getByText('Processing').waitFor();
    const warnings = [];
    page.on('dialog', (dialog) => {
      warnings.push(dialog.type());
      return dialog.accept();
    });
    await page.reload();
    await opened.heading('Uploads');
    assert.deepEqual(warnings, []);
    opened.assertClean();
  });

  test('an upload is offered to be resumed for a day', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    const user = await fixture.signUp();
    const { id } = await fixture.call('GET', '/users/me', { user });
    await page.evaluate(rememberUploads, { userId: id, ages: { fresh: 23, stale: 25, old: 8 * 24 } });
    await opened.logIn(user);
    await opened.go('/uploads', 'Uploads');
    await page.getByText('fresh.wav').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Discard' }).count(), 1);
    // A deployment may give it longer, but no more than a week.
    assert.equal(await page.evaluate(() => localStorage.length), 2);
    opened.assertClean();
  });

  test('what is refused is said where it is wrong', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    await opened.press('Sign up');
    await page.getByLabel('E-mail').fill(emailAddress());
    await page.getByLabel('Password').fill('passwordpassword');
    await opened.refused(async () => {
      await opened.press('Sign up');
      await page.getByText(/^Is too easy to guess/).waitFor();
    });
    const password = page.getByLabel('Password');
    assert.equal(await password.getAttribute('aria-invalid'), 'true');
    assert.ok(await password.evaluate((input) => input === document.activeElement));

    await opened.press('Log in');
    await page.getByLabel('E-mail').fill(admin.email);
    await page.getByLabel('Password').fill('not the password');
    await opened.refused(async () => {
      await opened.press('Log in');
      await page.getByRole('alert').getByText(/Request \S+/).waitFor();
    });
    opened.assertClean();
  });

  test('everything works from the keyboard', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    const user = await fixture.signUp();
    const media = await fixture.upload(user, 'short.wav', 'audio/wav', wav(40_000));
    const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.name);
    const tab = async (times) => {
      for (let count = 0; count < times; count += 1) await page.keyboard.press('Tab');
    };
    await tab(1);
    assert.equal(await focused(), 'Skip to the content');
    await tab(1);
    assert.equal(await focused(), 'email');
    await page.keyboard.type(user.email);
    await tab(1);
    await page.keyboard.type(user.password);
    await page.keyboard.press('Enter');
    await opened.heading('Library');
    // Another view is told by the focus, which goes on from there.
    assert.equal(await focused(), 'Library');

    await opened.go(`/media/${media.id}`, 'short.wav');
    assert.equal(await focused(), 'short.wav');
    const remove = page.getByRole('button', { name: 'Delete media' });
    await remove.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    assert.equal(await focused(), 'Cancel');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.equal(await focused(), 'Delete media');

    await page.locator('.skip').focus();
    await page.keyboard.press('Enter');
    assert.ok(await page.evaluate(() => document.activeElement.id === 'main' && location.hash.startsWith('#/media/')));
    opened.assertClean();
  });

  test('an admin manages users', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    await opened.logIn(admin);
    await page.getByRole('link', { name: 'Users' }).click();
    await opened.heading('Users');
    const email = emailAddress();
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByLabel('Role').selectOption('viewer');
    await opened.press('Create user');
    await opened.told(`${email} can log in now.`);

    await page.getByRole('link', { name: email }).click();
    await opened.heading(email);
    await page.getByLabel('Role').selectOption('operator');
    await page.getByLabel('Name').fill('Grace');
    await opened.press('Save');
    await opened.told('Saved.');
    const temporary = `temporary ${randomUUID()}`;
    await page.getByRole('textbox', { name: 'Password' }).fill(temporary);
    await opened.press('Set password');
    await opened.told(/The password is set/);

    await changesThePassword(t, email, temporary);

    await page.getByLabel('Disabled').check();
    await opened.press('Save');
    await page.locator('#notices').getByText('Saved.').first().waitFor();
    await assert.rejects(loggedIn(email, PASSWORD), /account_disabled/);
    await page.getByLabel('Delete their media').check();
    await opened.press('Delete account');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await opened.heading('Users');
    assert.equal(await page.getByRole('link', { name: email }).count(), 0);
    opened.assertClean();
  });

  test('the session outlives a reload, and no token is where it could be stolen from', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    const user = await fixture.signUp();
    await opened.logIn(user);
    await page.reload();
    await opened.heading('Library');
    const kept = await page.evaluate(() => [Object.keys(sessionStorage), Object.keys(localStorage), document.cookie]);
    assert.deepEqual(kept, [['refresh_token'], [], '']);

    // A token that has ended is not sent: another one is asked for first.
    const refresh = page.waitForRequest((request) => request.url().endsWith('/auth/refresh'));
    await page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 30 * 60 * 1000;
    });
    await opened.go('/account', 'Account');
    await opened.go('/', 'Library');
    await refresh;

    await opened.go('/account', 'Account');
    await opened.press('Log out');
    await opened.heading('Log in');
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    opened.assertClean();
  });

  test('a tab that is duplicated and the one it was made from share their session', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    await opened.logIn(await fixture.signUp());
    const token = (tab) => tab.evaluate(() => sessionStorage.getItem('refresh_token'));
    const copied = await token(page);
    const other = await page.context().newPage();
    await other.goto(`${fixture.stack.apiUrl}/ping`);
    await other.evaluate((copy) => sessionStorage.setItem('refresh_token', copy), copied);
    await other.goto(`${fixture.stack.apiUrl}/console`);
    await other.getByRole('heading', { level: 1, name: 'Library' }).waitFor();
    // The copy is used up, and its use again would end the session of both.
    assert.notEqual(await token(other), copied);
    await page.waitForFunction((copy) => sessionStorage.getItem('refresh_token') !== copy, copied);
    assert.equal(await token(page), await token(other));
    opened.assertClean();
  });

  test('a session that has ended leads to the log-in', async (t) => {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    const user = await fixture.signUp();
    await opened.logIn(user);
    const { id } = await fixture.call('GET', '/users/me', { user });
    const operator = await loggedIn(admin.email, admin.password);
    await fixture.call('PATCH', `/users/${id}`, { user: operator, body: { disabled: true } });
    await opened.refused(async () => {
      await page.reload();
      await opened.heading('Log in');
    });
    await opened.told('Your session has ended. Log in again.');
  });

  test('only what the policy names can be reached, and nothing can frame the page', async (t) => {
    const opened = await Console.open(fixture, t);
    const answer = await fetch(`${fixture.stack.apiUrl}/console`);
    const policy = answer.headers.get('content-security-policy');
    assert.match(policy, /frame-ancestors 'none'/);
    assert.ok(policy.includes(`connect-src 'self' ${fixture.stack.awsUrl};`), policy);
    assert.ok(!/unsafe|\*|https:(?!\/\/)/.test(policy), policy);
    // Another page of this machine, which would answer, but is not named.
    const violations = await opened.page.evaluate(violatePolicy, `${fixture.site.origin}/config.json`);
    assert.deepEqual(violations, ['connect-src', 'require-trusted-types-for', 'style-src-elem']);
  });

  /** Sends a file slowly, reloads the page when some parts are there, and gives it the file again. */
  async function uploadInterruptedByReload(opened) {
    const { page } = opened;
    await opened.go('/uploads', 'Uploads');
    const slow = await slowUploads(page);
    await page.getByLabel('Choose files').setInputFiles(large);
    await somePartsAreSent(page);
    page.once('dialog', (dialog) => dialog.accept());
    await page.reload();
    await slow.detach();
    await page.getByRole('heading', { name: 'To be resumed' }).waitFor();

    const sent = partsSentBy(page);
    const listing = page.waitForResponse((response) => response.url().endsWith('/parts'));
    await page.getByLabel('Choose files').setInputFiles(large);
    const { parts, missing } = await (await listing).json();
    await page.getByText('Ready').waitFor();
    assert.ok(parts.length > 0 && missing.length > 0, `${parts.length} parts there, ${missing.length} missing`);
    assert.deepEqual(sent.map(partNumber).sort((one, other) => one - other), missing);
    assert.equal(await page.getByRole('heading', { name: 'To be resumed' }).count(), 0);
    assert.equal(await page.evaluate(() => localStorage.length), 0);
  }

  async function viewTwice(mediaId) {
    const user = await fixture.signUp();
    // It is private from the edit on only.
    for (let count = 0; count < 2; count += 1) {
      const body = { view_id: randomUUID() };
      await fixture.call('POST', `/media/${mediaId}/view`, { user, body });
    }
  }

  /** Somebody logs in with what an admin chose, and can do nothing until they have chosen another. */
  async function changesThePassword(t, email, temporary) {
    const opened = await Console.open(fixture, t);
    const { page } = opened;
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(temporary);
    await opened.press('Log in');
    await page.getByText('An admin chose your password.').waitFor();
    await page.evaluate(dropFile, { name: 'short.wav', type: 'audio/wav', bytes: [...wav(40_000)] });
    assert.ok(!page.url().endsWith('/uploads'), 'a file was taken that cannot be sent');
    await page.getByLabel('Current password').fill(temporary);
    await page.getByLabel('New password').fill(PASSWORD);
    await opened.press('Change password');
    await opened.told(/Your password is changed/);
    await opened.heading('Library');
    await loggedIn(email, PASSWORD);
    opened.assertClean();
  }

  async function loggedIn(email, password) {
    const { access_token: token } = await fixture.call('POST', '/auth/login', { body: { email, password } });
    return { email, token };
  }
});

function emailAddress() {
  return `${randomUUID()}@example.com`;
}

async function somePartsAreSent(page) {
  await page.getByText(new RegExp(`[1-${PART_COUNT - 1}] of ${PART_COUNT} parts`)).waitFor();
}

/** What is on the page plays: its time goes on. */
async function assertPlays(page) {
  const player = page.locator('audio, video');
  await player.waitFor();
  await player.evaluate(async (media) => {
    media.muted = true;
    await media.play();
  });
  await page.waitForFunction(() => document.querySelector('audio, video').currentTime > 0.5);
}

/** Runs in the page. */
function dropFile({ name, type, bytes }) {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
  for (const event of ['dragover', 'drop']) {
    document.body.dispatchEvent(new DragEvent(event, { dataTransfer, bubbles: true }));
  }
}

/** Runs in the page. */
function failFirstPoll() {
  const { fetch } = window;
  window.fetch = (url, options) => {
    if (!/\/media\/[^/]+$/.test(url)) return fetch(url, options);
    window.fetch = fetch;
    return Promise.reject(new TypeError('Failed to fetch'));
  };
}

/** Runs in the page: as if uploads had begun so many hours ago. */
function rememberUploads({ userId, ages }) {
  for (const [name, hours] of Object.entries(ages)) {
    const announcedAt = Date.now() - hours * 60 * 60 * 1000;
    const upload = { uploadId: name, mediaId: name, filename: `${name}.wav`, sizeBytes: 1, announcedAt };
    localStorage.setItem(`upload:${userId}:${name}`, JSON.stringify(upload));
  }
}

/** Runs in the page: does what its policy forbids, and answers which directives were broken. */
async function violatePolicy(elsewhere) {
  const violated = new Set();
  const all = new Promise((resolve) => {
    addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
      violated.add(effectiveDirective);
      if (violated.size === 3) resolve();
    });
  });
  fetch(elsewhere).catch(() => {});
  const style = document.createElement('style');
  style.append('body { display: none }');
  document.body.append(style);
  try {
    document.body.innerHTML = '<p>';
  } catch {
    // Told of by an event, too.
  }
  await all;
  return [...violated].sort();
}
