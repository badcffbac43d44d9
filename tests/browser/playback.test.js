// Playing back on a page of another origin: the redirect, ranges and CORS, as a browser's player has them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Fixture } from './fixture.js';
import { Site } from './site.js';
import { spreadMp4, spreadWebm } from './spread.js';

/** Behind the gap of both files, and behind what a player reads from their beginnings. */
const FAR_BYTES = 50_000_000;

for (const [place, parameters] of [
  ['from S3', {}],
  ['from the CDN', { CdnEnabled: 'true' }],
]) {
  describe(`playing back ${place}`, () => {
    let fixture, user, stranger, files;

    before(async () => {
      fixture = await Fixture.start({}, parameters);
      stranger = await Site.start();
      user = await fixture.signUp();
      files = [
        { name: 'film.mp4', type: 'video/mp4', bytes: await spreadMp4() },
        { name: 'film.webm', type: 'video/webm', bytes: await spreadWebm() },
      ];
      for (const file of files) {
        const media = await fixture.upload(user, file.name, file.type, file.bytes);
        file.seconds = media.duration_seconds;
        file.urls = await fixture.call('GET', `/media/${media.id}/stream-url`, { user });
      }
    });

    after(async () => {
      await stranger?.stop();
      await fixture?.stop();
    });

    ['H.264 and AAC in MP4', 'VP9 and Opus in WebM'].forEach((what, number) => {
      test(`${what}, on any page`, (t) => plays(t, stranger, files[number], null));
      test(`${what}, with CORS`, (t) => plays(t, fixture.site, files[number], 'anonymous'));
    });

    test('ranges, read by a script', async (t) => {
      const [{ bytes, urls }] = files;
      // The API answers scripts of the pages that it allows; the signed URL itself is the capability.
      for (const [site, url] of [
        [fixture.site, urls.stream_url],
        [stranger, urls.signed_url],
      ]) {
        const page = await fixture.window(t);
        await page.goto(`${site.origin}/player.html`);
        const answer = await page.evaluate(fetchRange, { url, range: 'bytes=59999000-59999999' });
        assert.deepEqual(
          { ...answer, body: undefined },
          { status: 206, contentRange: `bytes 59999000-59999999/${bytes.length}`, body: undefined },
        );
        assert.deepEqual(answer.body, [...bytes.subarray(59_999_000, 60_000_000)]);
      }
    });

    /** The player shows the file, jumps nearly to its end, and plays what is there. */
    async function plays(t, site, { urls, seconds }, crossOrigin) {
      const page = await fixture.window(t);
      const answers = [];
      page.on('response', (response) => {
        if (response.request().resourceType() === 'media') answers.push(response);
      });
      await page.goto(`${site.origin}/player.html`);
      const played = await page.evaluate(playToTheEnd, { url: urls.stream_url, crossOrigin });
      assert.ok(Math.abs(played.duration - seconds) < 0.1, `${played.duration} s long`);
      assert.ok(played.before > 0 && played.before < played.sought, `played up to ${played.before} s`);
      assert.ok(Math.abs(played.sought - (seconds - 0.5)) < 0.1, `jumped to ${played.sought} s`);
      assert.ok(Math.abs(played.end - seconds) < 0.1, `ended at ${played.end} s`);
      assert.ok(played.width > 0, 'there is no picture');

      const redirects = answers.filter((response) => response.status() === 302);
      const ranges = answers.filter((response) => response.status() === 206);
      assert.ok(redirects.length > 0 && redirects.length + ranges.length === answers.length, statuses(answers));
      assert.ok(redirects.every((response) => response.url().startsWith(fixture.stack.apiUrl)));
      const starts = ranges.map((response) => Number(/^bytes (\d+)-/.exec(response.headers()['content-range'])[1]));
      assert.ok(starts.includes(0) && starts.some((start) => start > FAR_BYTES), `ranges from ${starts}`);
    }
  });
}

function statuses(answers) {
  return `answered ${answers.map((response) => response.status())}`;
}

/** Runs in the page. */
async function playToTheEnd({ url, crossOrigin }) {
  const video = document.querySelector('video');
  const happens = (name) =>
    new Promise((resolve, reject) => {
      video.addEventListener(name, resolve, { once: true });
      video.addEventListener('error', () => reject(new Error(`${name}: ${video.error?.message}`)), { once: true });
    });
  video.crossOrigin = crossOrigin;
  video.src = url;
  await happens('loadedmetadata');
  const { duration, videoWidth: width } = video;
  const moves = happens('timeupdate');
  await video.play();
  while (video.currentTime === 0) await moves.then(() => happens('timeupdate'));
  const before = video.currentTime;
  const seeks = happens('seeked');
  video.currentTime = duration - 0.5;
  await seeks;
  const sought = video.currentTime;
  if (!video.ended) await happens('ended');
  return { duration, width, before, sought, end: video.currentTime };
}

/** Runs in the page. */
async function fetchRange({ url, range }) {
  const response = await fetch(url, { headers: { Range: range } });
  const body = [...new Uint8Array(await response.arrayBuffer())];
  return { status: response.status, contentRange: response.headers.get('content-range'), body };
}
