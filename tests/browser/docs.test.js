// The pages that document the API: all of it is shown, requests can be tried out, error codes are found, and nothing is
// asked of anybody else.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Fixture } from './fixture.js';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

describe('the documentation', () => {
  let fixture, operations;

  before(async () => {
    fixture = await Fixture.start({});
    const { paths } = await fixture.call('GET', '/openapi.json');
    operations = Object.values(paths).flatMap((item) => METHODS.filter((method) => item[method]).map((m) => item[m]));
  });

  after(() => fixture?.stop());

  for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    test(`/docs shows every operation, on a ${device}`, async (t) => {
      const { page, objections } = await open(t, '/docs', viewport);
      await page.locator('.opblock').nth(operations.length - 1).waitFor();
      assert.equal(await page.locator('.opblock').count(), operations.length);
      assert.ok(await fitsInto(page), 'it is wider than the window');
      assert.deepEqual(objections, []);
    });

    test(`/redoc shows every operation, on a ${device}`, async (t) => {
      const { page, objections } = await open(t, '/redoc', viewport);
      await page.locator('[data-section-id*="/operation/"]').nth(operations.length - 1).waitFor();
      assert.equal(await page.locator('[data-section-id*="/operation/"]').count(), operations.length);
      assert.ok(await fitsInto(page), 'it is wider than the window');
      assert.deepEqual(objections, []);
    });
  }

  test('/redoc finds an operation by its words', async (t) => {
    const { page, objections } = await open(t, '/redoc', DESKTOP);
    const { summary } = operations.find(({ operationId }) => operationId === 'get-profile');
    await page.getByRole('textbox', { name: 'Search' }).fill(summary);
    await page.locator('[data-role="search:results"]').getByText(summary).waitFor();
    assert.deepEqual(objections, []);
  });

  test('a request is tried out', async (t) => {
    const { page, objections } = await open(t, '/docs', DESKTOP);
    assert.equal(await tryOut(page, 'service', 'ping'), '200');
    assert.deepEqual(objections, []);
  });

  test('a request is tried out with an access token, which is forgotten with the page', async (t) => {
    const { token, email } = await fixture.signUp();
    const { page, objections } = await open(t, '/docs', DESKTOP);
    await page.getByRole('button', { name: 'Authorize' }).click();
    const dialog = page.locator('.dialog-ux');
    await dialog.getByLabel('auth-bearer-value').fill(token);
    await dialog.getByLabel('Apply credentials').first().click();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    assert.equal(await tryOut(page, 'accounts', 'get-profile'), '200');
    await page.locator('#operations-accounts-get-profile .live-responses-table', { hasText: email }).waitFor();
    assert.deepEqual(objections, []);

    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.ok(!kept.includes(token), kept);
    await page.goto(new URL('/docs', page.url()).href);
    // A 401 is an error on the console, so objections are no longer asked for.
    assert.equal(await tryOut(page, 'accounts', 'get-profile'), '401');
  });

  test('e-mail and password are enough to try out a request', async (t) => {
    const { email, password } = await fixture.signUp();
    const { page, objections } = await open(t, '/docs', DESKTOP);
    await page.getByRole('button', { name: 'Authorize' }).click();
    const dialog = page.locator('.dialog-ux');
    await dialog.locator('#oauth_username').fill(email);
    await dialog.locator('#oauth_password').fill(password);
    await dialog.getByLabel('Apply given OAuth2 credentials').click();
    await dialog.getByLabel('Remove authorization').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    assert.equal(await tryOut(page, 'accounts', 'get-profile'), '200');
    assert.deepEqual(objections, []);
  });

  test('the type of a problem leads to its code', async (t) => {
    const answer = await fetch(new URL('/nowhere', fixture.stack.apiUrl));
    const { type, title } = await answer.json();
    const { page, objections } = await open(t, type, PHONE);
    await page.locator('.opblock').first().waitFor();
    const code = page.locator(':target', { hasText: title });
    assert.ok(await inSight(page, code), 'it is not in sight');

    // And so does every other one, from where one is.
    await page.evaluate(() => (location.hash = '#rate_limited'));
    await page.locator('#rate_limited:target').waitFor();
    assert.ok(await inSight(page, page.locator('#rate_limited')), 'it is not in sight');
    assert.deepEqual(objections, []);
  });

  /** A page, and what is wrong with it: errors on the console, violations of its policy, requests to others. */
  async function open(t, path, viewport) {
    const page = await fixture.window(t);
    const objections = [];
    const { origin } = new URL(fixture.stack.apiUrl);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) objections.push(message.text());
    });
    page.on('pageerror', (error) => objections.push(error.stack));
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin) objections.push(request.url());
    });
    await page.setViewportSize(viewport);
    const answer = await page.goto(new URL(path, origin).href);
    const policy = answer.headers()['content-security-policy'];
    assert.match(policy, /^default-src 'none';/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    return { page, objections };
  }
});

/** Sends the request of an operation without parameters, and answers the status that the page shows. */
async function tryOut(page, tag, id) {
  const operation = page.locator(`#operations-${tag}-${id}`);
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const status = operation.locator('.live-responses-table .response-col_status').last();
  return (await status.textContent()).trim();
}

async function fitsInto(page) {
  return page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
}

async function inSight(page, element) {
  const { y, height } = await element.boundingBox();
  return y >= 0 && y + height <= page.viewportSize().height;
}
