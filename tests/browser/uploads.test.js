// Uploading from a page of another origin: CORS, exposed and signed headers, as a browser insists on them.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Fixture, statusIs } from './fixture.js';
import { Site } from './site.js';
import { partNumber, partsSentBy, slowUploads } from './traffic.js';
import { BYTES_PER_SECOND, wav } from './wav.js';

const MEBIBYTE = 1024 * 1024;
const PART_SIZE_BYTES = 5 * MEBIBYTE;
const SMALL = wav(300_000);
const LARGE = wav(30_000_000);
const PART_COUNT = 6;

describe('uploading from a browser', () => {
  let fixture, user, directory, small, large;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'browser-'));
    [small, large] = ['small.wav', 'large.wav'].map((name) => join(directory, name));
    await Promise.all([writeFile(small, SMALL), writeFile(large, LARGE)]);
    fixture = await Fixture.start({ partSizeBytes: PART_SIZE_BYTES });
    user = await fixture.signUp();
  });

  after(async () => {
    await fixture?.stop();
    await rm(directory, { recursive: true });
  });

  test('by one PUT', async (t) => {
    const page = await fixture.open(t, user);
    await submit(page, small, 'put');
    await assertReady(page, SMALL);
  });

  test('by a form that a script sends', async (t) => {
    const page = await fixture.open(t, user);
    await submit(page, small, 'post');
    await assertReady(page, SMALL);
  });

  test('by a form that the browser sends', async (t) => {
    const page = await fixture.open(t, user);
    await page.locator('#plain').getByLabel('File').setInputFiles(small);
    await page.getByRole('button', { name: 'Send' }).click();
    await assertReady(page, SMALL);
  });

  test('in parts, of which one gets lost', async (t) => {
    const page = await fixture.open(t, user);
    await page.evaluate(loseFirstPut);
    const sent = partsSentBy(page);
    const completion = page.waitForRequest((request) => request.url().endsWith('/complete'));
    await submit(page, large, 'multipart');
    await assertReady(page, LARGE);

    const { parts } = (await completion).postDataJSON();
    // What S3 told the browser is what the script could read.
    const answered = await Promise.all(
      sent.map(async (response) => ({ part_number: partNumber(response), etag: await response.headerValue('etag') })),
    );
    assert.deepEqual(parts, answered.sort((one, other) => one.part_number - other.part_number));
    assert.equal(parts.length, PART_COUNT);
  });

  test('in parts, resumed after the page was reloaded', async (t) => {
    const page = await fixture.open(t, user);
    const slow = await slowUploads(page);
    await submit(page, large, 'multipart');
    await somePartsAreSent(page);
    await page.reload();

    await slow.detach();
    const sent = partsSentBy(page);
    const listing = page.waitForResponse(isListing);
    await submit(page, large, 'multipart');
    const { parts, missing } = await (await listing).json();
    await assertReady(page, LARGE);
    assert.ok(parts.length > 0 && missing.length > 0, `${parts.length} parts there, ${missing.length} missing`);
    assert.deepEqual(sent.map(partNumber).sort((one, other) => one - other), missing);
    assert.deepEqual(await rememberedUploads(page), []);
  });

  test('in parts, cancelled', async (t) => {
    const page = await fixture.open(t, user);
    await slowUploads(page);
    await submit(page, large, 'multipart');
    await somePartsAreSent(page);
    const [uploadId] = await rememberedUploads(page);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await statusIs(page, 'cancelled');
    assert.deepEqual(await rememberedUploads(page), []);
    await assert.rejects(fixture.call('GET', `/api/v1/${uploadId}/parts`, { user }), /: 40[49] /);
  });

  test('by one PUT that gets lost: it is tried again as the same media', async (t) => {
    const page = await fixture.open(t, user);
    await page.evaluate(loseFirstPut);
    const announced = [];
    page.on('response', (response) => response.url().endsWith('/media') && announced.push(response.json()));
    await submit(page, small, 'put');
    await assert.rejects(statusIs(page, 'ready'), /could not be reached/);
    await page.getByRole('button', { name: 'Upload' }).click();
    await assertReady(page, SMALL);
    const [first, again] = (await Promise.all(announced)).map(({ media }) => media.id);
    assert.equal(again, first);
  });

  test('what is refused says why, and under which request', async (t) => {
    const page = await fixture.open(t, user);
    await submit(page, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('notes') }, 'put');
    await assert.rejects(statusIs(page, 'ready'), /failed: .*content_type.*; request \S+/);
  });

  test('not from an origin that the deployment does not allow', async (t) => {
    const stranger = await Site.start();
    t.after(() => stranger.stop());
    const page = await fixture.open(t, user);
    await page.goto(stranger.origin);
    const created = await announceSmall();
    const refused = { name: 'TypeError', message: 'Failed to fetch' };
    const [api, s3] = await page.evaluate(fetchBoth, { apiUrl: fixture.stack.apiUrl, upload: created.upload });
    assert.deepEqual([api, s3], [refused, refused]);
    const media = await fixture.call('GET', `/media/${created.media.id}`, { user });
    assert.equal(media.status, 'awaiting_upload');
  });

  /** The media that the page shows is ready, and holds exactly these bytes. */
  async function assertReady(page, bytes) {
    await statusIs(page, 'ready');
    const mediaId = await page.locator('#media-id').textContent();
    const media = await fixture.call('GET', `/media/${mediaId}`, { user });
    assert.equal(media.size_bytes, bytes.length);
    assert.ok(Math.abs(media.duration_seconds - bytes.length / BYTES_PER_SECOND) < 0.01);
    assert.ok(bytes.equals(await fixture.download(user, mediaId)), 'the bytes differ');
  }

  function announceSmall() {
    const body = { title: 'T', filename: 'small.wav', content_type: 'audio/wav', size_bytes: SMALL.length };
    return fixture.call('POST', '/media', { user, body });
  }
});

async function submit(page, file, method) {
  const form = page.locator('#upload');
  await form.getByLabel('File').setInputFiles(file);
  await form.getByLabel('Method').selectOption(method);
  await form.getByRole('button', { name: 'Upload' }).click();
}

async function somePartsAreSent(page) {
  const isUnderWay = () => document.querySelector('progress').dataset.partsSent > 0;
  await Promise.race([page.waitForFunction(isUnderWay), statusIs(page, 'processing')]);
}

function isListing(response) {
  return response.request().method() === 'GET' && response.url().endsWith('/parts');
}

function rememberedUploads(page) {
  return page.evaluate(() => Object.values(localStorage).map((text) => JSON.parse(text).uploadId));
}

/** Runs in the page. Playwright could stop a request by itself, but then answers preflights, too, in place of S3. */
function loseFirstPut() {
  const { send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.send = function () {
    XMLHttpRequest.prototype.send = send;
    this.dispatchEvent(new ProgressEvent('error'));
  };
}

/** Runs in the page: what becomes of a call of the API, and of an upload. */
function fetchBoth({ apiUrl, upload }) {
  const calls = [
    fetch(`${apiUrl}/version`),
    fetch(upload.url, { method: 'PUT', headers: upload.headers, body: 'x' }),
  ];
  const outcome = (call) => call.then(({ status }) => status, ({ name, message }) => ({ name, message }));
  return Promise.all(calls.map(outcome));
}
