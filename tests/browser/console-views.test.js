// Every view of the console, on a desk and on a phone, light and dark: what axe-core finds, and whether it fits.
//
// Screenshots are for people to look at: they are left in the folder that the test tells, or `SCREENSHOTS` names.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Console } from './console.js';
import { Fixture } from './fixture.js';
import { slowUploads } from './traffic.js';
import { wav } from './wav.js';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const FOLDER = process.env.SCREENSHOTS ?? join(tmpdir(), 'console-screenshots');
const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
/** The narrowest window that everything has to fit into. */
const NARROWEST = 360;
const LARGE = { name: 'large.wav', mimeType: 'audio/wav', buffer: wav(30_000_000) };
const SMALL = { name: 'small.wav', mimeType: 'audio/wav', buffer: wav(90_000) };

describe('the views of the console', () => {
  let fixture, axe, ready, rejected;

  before(async () => {
    await mkdir(FOLDER, { recursive: true });
    axe = await readFile(AXE, 'utf8');
    fixture = await Fixture.start({});
    const user = await fixture.signUp();
    const film = await readFile(new URL('../media/v_h264_aac_faststart.mp4', import.meta.url));
    ready = await fixture.upload(user, 'film.mp4', 'video/mp4', film);
    await fixture.upload(user, 'a-rather-long-name-that-has-to-be-broken-somewhere.wav', 'audio/wav', wav(400_000));
    rejected = await rejectedMedia(user);
    await describeFilm(user);
    await viewFilm();
  });

  after(() => fixture?.stop());

  for (const colorScheme of ['light', 'dark']) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      test(`${colorScheme}, on a ${size}`, async (t) => {
        const opened = await Console.open(fixture, t, { colorScheme, viewport });
        t.diagnostic(`Screenshots are in ${FOLDER}`);
        const found = [];
        for (const [name, show] of Object.entries(views())) {
          await show(opened);
          const objections = await look(opened.page, viewport, join(FOLDER, `${name}-${size}-${colorScheme}.png`));
          found.push(...objections.map((objection) => `${name}: ${objection}`));
        }
        assert.deepEqual(found, []);
      });
    }
  }

  /** By their names, in the order in which they can be shown. */
  function views() {
    return {
      'log-in': () => {},
      'sign-up': async (opened) => {
        await opened.press('Sign up');
        await opened.page.getByLabel('E-mail').fill('ada@example.com');
        await opened.page.getByLabel('Password').fill('passwordpassword');
        await opened.refused(async () => {
          await opened.press('Sign up');
          await opened.page.getByText(/^Is too easy to guess/).waitFor();
        });
        await opened.press('Log in');
        await opened.page.getByLabel('E-mail').fill(fixture.stack.admin.email);
        await opened.press('Sign up');
      },
      library: async (opened) => {
        await opened.press('Log in');
        await opened.logIn(fixture.stack.admin);
        await opened.page.getByRole('link', { name: 'A film about rain' }).waitFor();
      },
      'nothing-found': async ({ page }) => {
        await page.getByLabel('Search titles').fill('sunshine');
        await page.getByText('Nothing is like that.').waitFor();
      },
      media: async (opened) => {
        await opened.go(`/media/${ready.id}`, 'A film about rain');
        await opened.page.getByText('3 views by 1 viewer in all').waitFor();
      },
      rejected: (opened) => opened.go(`/media/${rejected.id}`, 'notes.mp4'),
      unknown: (opened) => opened.refused(() => opened.go(`/media/${randomUUID()}`, 'This cannot be shown')),
      uploads: async (opened) => {
        const { page } = opened;
        await opened.go('/uploads', 'Uploads');
        const slow = await slowUploads(page);
        await page.getByLabel('Choose files').setInputFiles([LARGE, SMALL]);
        await page.getByText('Ready').waitFor();
        await page.getByText(/[1-5] of 6 parts/).waitFor();
        await opened.press('Pause large.wav');
        await slow.detach();
      },
      'uploads-to-be-resumed': async ({ page }) => {
        await page.reload();
        await page.getByRole('heading', { name: 'To be resumed' }).waitFor();
      },
      users: (opened) => opened.go('/users', 'Users'),
      user: async (opened) => {
        await opened.page.locator('.rows a').first().click();
        await opened.page.getByRole('heading', { name: 'Temporary password' }).waitFor();
      },
      question: async (opened) => {
        await opened.press('Delete account');
        await opened.page.getByRole('dialog').waitFor();
      },
      account: async (opened) => {
        await opened.page.keyboard.press('Escape');
        await opened.go('/account', 'Account');
      },
    };
  }

  /** What is wrong with how a view looks now, in lines. */
  async function look(page, viewport, file) {
    await page.mouse.move(0, 0);
    // A notice stays for a while, over what is below it.
    await page.evaluate(() => document.getElementById('notices').replaceChildren());
    await page.screenshot({ path: file, fullPage: true });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    const objections = violations.map(
      ({ id, impact, help, nodes }) => `${impact} ${id}: ${help}; ${nodes.map(({ html }) => html).join(' ')}`,
    );
    await page.setViewportSize({ ...viewport, width: Math.min(viewport.width, NARROWEST) });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    await page.setViewportSize(viewport);
    if (width > NARROWEST) objections.push(`it is ${width} pixels wide in ${NARROWEST}`);
    return objections;
  }

  async function rejectedMedia(user) {
    await assert.rejects(fixture.upload(user, 'notes.mp4', 'video/mp4', Buffer.from('no film')), /rejected/);
    const { items } = await fixture.call('GET', '/media?owner=me&status=rejected', { user });
    return items[0];
  }

  async function describeFilm(user) {
    const description = 'Two minutes of rain.\nFilmed from the window.';
    const body = { title: 'A film about rain', description, tags: ['rain', 'window'] };
    await fixture.call('PATCH', `/media/${ready.id}`, { user, body });
  }

  async function viewFilm() {
    const viewer = await fixture.signUp();
    for (let count = 0; count < 3; count += 1) {
      const body = { view_id: randomUUID() };
      await fixture.call('POST', `/media/${ready.id}/view`, { user: viewer, body });
    }
  }
});
