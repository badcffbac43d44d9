// Uppy as npm has it, on a page of another origin. How often a part was sent is what S3 says, not the page.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Fixture, statusIs } from './fixture.js';
import { bundle } from './uppy/bundle.js';
import { wav } from './wav.js';

const MEBIBYTE = 1024 * 1024;
const PART_SIZE_BYTES = 5 * MEBIBYTE;
const SMALL = wav(300_000);
const LARGE = wav(30_000_000);
const PART_NUMBERS = [1, 2, 3, 4, 5, 6];

const NO_LIMITS = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
const SLOW = { ...NO_LIMITS, uploadThroughput: 4 * MEBIBYTE };
const OFFLINE = { ...NO_LIMITS, offline: true };

describe('Uppy', () => {
  let fixture, user, directory, small, large;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'uppy-'));
    [small, large] = ['small sound.wav', 'large sound.wav'].map((name) => join(directory, name));
    await Promise.all([writeFile(small, SMALL), writeFile(large, LARGE)]);
    fixture = await Fixture.start({ partSizeBytes: PART_SIZE_BYTES, multipartFromBytes: LARGE.length });
    fixture.site.scripts['uppy-6.js'] = await bundle(6);
    user = await fixture.signUp();
  });

  after(async () => {
    await fixture?.stop();
    await rm(directory, { recursive: true });
  });

  for (const setUp of ['sign-request-6']) {
    describe(setUp, () => {
      test('sends a small file', async (t) => {
        const { page } = await open(t, setUp);
        await upload(page, small);
        await assertReady(page, SMALL);
      });

      test('goes on when a lost connection is back', async (t) => {
        const { page, network } = await open(t, setUp);
        await assertResumes(page, network, {
          async interrupt() {
            await network(OFFLINE);
            await page.waitForFunction(() => !navigator.onLine);
          },
          async resume() {
            await network(NO_LIMITS);
            // Version 6 waits for the connection only between two parts; what it was sending fails.
            const end = page.locator('#status', { hasText: /^(uploaded|failed)/ });
            await end.waitFor();
            if ((await end.textContent()) !== 'uploaded') await press(page, 'Retry');
          },
        });
      });

      test('goes on after a pause', async (t) => {
        const { page, network } = await open(t, setUp);
        await assertResumes(page, network, {
          interrupt: () => press(page, 'Pause'),
          async resume() {
            await network(NO_LIMITS);
            await press(page, 'Resume');
          },
        });
      });

      test('cancels', async (t) => {
        const { page, network } = await open(t, setUp);
        await network(SLOW);
        await upload(page, large);
        await partsAreSent(page);
        const aborted = page.waitForResponse((response) => response.request().method() === 'DELETE');
        await press(page, 'Cancel');
        assert.ok((await aborted).ok());
        const { media_id, status } = await latestMedia();
        assert.equal(status, 'expired', media_id);
      });

      test('says what is refused', async (t) => {
        const { page } = await open(t, setUp);
        await upload(page, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('notes') });
        assert.match(await failure(page), /content_type/);
      });
    });
  }

  test('sign-request-6 goes on when the answer to completing got lost', async (t) => {
    const { page } = await open(t, 'sign-request-6');
    await page.evaluate(loseAnswerOf, '/complete');
    await upload(page, large);
    await failure(page);
    await press(page, 'Retry');
    await assertReady(page, LARGE);
  });

  test('sign-request-6 goes on when the answer to the whole file got lost', async (t) => {
    const { page } = await open(t, 'sign-request-6');
    await page.evaluate(loseAnswerOfPut);
    await upload(page, small);
    await failure(page);
    const { id } = await latestMedia();
    await fixture.ready(user, id);
    await press(page, 'Retry');
    await assertReady(page, SMALL);
    assert.equal((await latestMedia()).id, id);
  });

  test('sign-request-6 begins anew what has ended while it was paused', async (t) => {
    const { page, network } = await open(t, 'sign-request-6');
    await network(SLOW);
    const announced = page.waitForResponse(isAnnouncement);
    await upload(page, large);
    await partsAreSent(page);
    await press(page, 'Pause');
    const { media } = await endUpload(await announced);
    await network(NO_LIMITS);
    await press(page, 'Resume');
    assert.match(await failure(page), /has ended/);
    await press(page, 'Retry');
    await assertReady(page, LARGE);
    assert.notEqual((await latestMedia()).id, media.id);
  });

  for (const size of ['small', 'large']) {
    test(`sign-request-6 begins anew what has ended before the page knew of it: a ${size} file`, async (t) => {
      const { page } = await open(t, 'sign-request-6');
      await page.evaluate(loseAnswerOf, '/media');
      const announced = page.waitForResponse(isAnnouncement);
      await upload(page, { small, large }[size]);
      await failure(page);
      const { media } = await endUpload(await announced);
      await press(page, 'Retry');
      await page.locator('#status', { hasText: /has ended/ }).waitFor();
      await press(page, 'Retry');
      await assertReady(page, { small: SMALL, large: LARGE }[size]);
      assert.notEqual((await latestMedia()).id, media.id);
    });
  }

  /** Ends the upload that an announcement was answered with, as its deadline would. */
  async function endUpload(response) {
    const announced = await response.json();
    await fixture.call('DELETE', `/api/v1/${announced.upload.upload_id}`, { user });
    return announced;
  }

  /** A page with Uppy and the access token of `user`, and what limits its network. */
  async function open(t, setUp) {
    const page = await fixture.window(t);
    await page.addInitScript((token) => sessionStorage.setItem('access_token', token), user.token);
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    await page.goto(`${fixture.site.origin}/uppy.html?set-up=${setUp}`);
    await statusIs(page, 'set up');
    return { page, network: (conditions) => session.send('Network.emulateNetworkConditions', conditions) };
  }

  /** Uploads the large file, of which some parts are sent when it is interrupted; S3 gets none of these again. */
  async function assertResumes(page, network, { interrupt, resume }) {
    const answeredBefore = fixture.stack.s3Answers.length;
    await network(SLOW);
    await upload(page, large);
    await partsAreSent(page);
    await interrupt();
    const sent = await partsSent(page);
    assert.ok(sent.length < PART_NUMBERS.length, `all parts were sent before the interruption: ${sent}`);
    await resume();
    await assertReady(page, LARGE);

    const puts = fixture.stack.s3Answers.slice(answeredBefore).filter(({ operation }) => operation === 'UploadPart');
    const times = (partNumber) => puts.filter((put) => Number(put.partNumber) === partNumber).length;
    for (const partNumber of PART_NUMBERS) assert.ok(times(partNumber) > 0, `part ${partNumber} got to S3`);
    for (const partNumber of sent) assert.equal(times(partNumber), 1, `part ${partNumber} was sent once`);
  }

  /** Uppy is done, the media is ready, and it holds exactly these bytes. */
  async function assertReady(page, bytes) {
    await statusIs(page, 'uploaded');
    const { id } = await latestMedia();
    const media = await fixture.ready(user, id);
    assert.equal(media.size_bytes, bytes.length);
    assert.equal(media.content_type, 'audio/wav');
    assert.ok(bytes.equals(await fixture.download(user, id)), 'the bytes differ');
  }

  async function latestMedia() {
    const { items } = await fixture.call('GET', '/media?owner=me&limit=1', { user });
    return items[0];
  }
});

async function upload(page, file) {
  await page.getByLabel('File').setInputFiles(file);
  await press(page, 'Upload');
}

async function press(page, name) {
  await page.getByRole('button', { name }).click();
}

/** Waits until Uppy has told of a part, or more. */
async function partsAreSent(page) {
  await page.locator('#parts', { hasText: /\d/ }).waitFor();
}

/** The numbers of the parts that Uppy has told of. */
async function partsSent(page) {
  return [...(await page.locator('#parts').textContent()).matchAll(/\d+/g)].map(Number);
}

/** What the page says once an upload has failed. */
async function failure(page) {
  const status = page.locator('#status', { hasText: /^failed/ });
  await status.waitFor();
  return status.textContent();
}

function isAnnouncement(response) {
  return response.request().method() === 'POST' && response.url().endsWith('/media');
}

/** Runs in the page: the answer of the API to the next request to a path that ends so. */
function loseAnswerOf(path) {
  const send = window.fetch;
  window.fetch = async (url, request) => {
    const response = await send(url, request);
    if (!String(url).endsWith(path)) return response;
    window.fetch = send;
    // Unread, it would not be complete for those who watch the page either.
    await response.text();
    throw new TypeError('Failed to fetch');
  };
}

/** Runs in the page: the answer to the first PUT looks like a refusal, so Uppy does not send it again by itself. */
function loseAnswerOfPut() {
  const { get } = Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, 'status');
  const { open } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method, ...rest) {
    if (method === 'PUT') {
      XMLHttpRequest.prototype.open = open;
      Object.defineProperty(this, 'status', { get: () => get.call(this) && 400 });
    }
    return open.call(this, method, ...rest);
  };
}
