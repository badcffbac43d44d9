// What every test here needs: the platform, a page of another origin in Chromium, and somebody who is logged in.

import { randomUUID } from 'node:crypto';
import { chromium } from 'playwright-core';

import { Site } from './site.js';
import { Stack } from './stack.js';

const PASSWORD = 'correct horse battery staple';
const PATIENCE_MILLISECONDS = 30_000;

export class Fixture {
  /** Starts everything. The page is told `config`, beside the API's address; the stack gets more `parameters`. */
  static async start(config, parameters) {
    const fixture = new Fixture();
    try {
      fixture.site = await Site.start();
      fixture.stack = await Stack.start({ AllowedOrigins: fixture.site.origin, ...parameters });
      fixture.site.config = { apiUrl: fixture.stack.apiUrl, ...config };
      fixture.browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        // No sandbox, as it needs privileges that CI may not have; the pages are our own. The rest keeps Chromium from
        // calling its maker.
        args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update'],
      });
    } catch (error) {
      await fixture.stop();
      throw error;
    }
    return fixture;
  }

  async stop() {
    await this.browser?.close();
    await this.stack?.stop();
    await this.site?.stop();
  }

  /** A fresh account. */
  async signUp() {
    const account = { email: `${randomUUID()}@example.com`, password: PASSWORD };
    await this.call('POST', '/auth/signup', { body: account });
    const { access_token: token } = await this.call('POST', '/auth/login', { body: account });
    return { ...account, token };
  }

  /** What the API answers to somebody, asked from here. */
  async call(method, path, { user, body } = {}) {
    const response = await fetch(new URL(path, this.stack.apiUrl), {
      method,
      headers: {
        ...(body && { 'Content-Type': 'application/json' }),
        ...(user && { Authorization: `Bearer ${user.token}` }),
      },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    const text = await response.text();
    return text ? JSON.parse(text) : undefined;
  }

  /** Uploads a file, and answers the media once it is ready. */
  async upload(user, filename, contentType, bytes) {
    const body = { title: filename, filename, content_type: contentType, size_bytes: bytes.length };
    const { media, upload } = await this.call('POST', '/media', { user, body });
    const sent = await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: bytes });
    if (!sent.ok) throw new Error(`${filename}: ${sent.status} ${await sent.text()}`);
    return this.ready(user, media.id);
  }

  /** A media, once it is ready. */
  async ready(user, mediaId) {
    const end = Date.now() + PATIENCE_MILLISECONDS;
    for (;;) {
      const now = await this.call('GET', `/media/${mediaId}`, { user });
      if (now.status === 'ready') return now;
      if (now.failure || Date.now() > end) throw new Error(`The media is ${JSON.stringify(now)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The bytes of a media, as a player gets them. */
  async download(user, mediaId) {
    const { signed_url } = await this.call('GET', `/media/${mediaId}/stream-url`, { user });
    return Buffer.from(await (await fetch(signed_url)).arrayBuffer());
  }

  /**
   * A window of its own, without a page. It is closed at the end of the test `t`. What the browser says on its console,
   * such as what CORS refused, is printed with the test.
   */
  async window(t) {
    const context = await this.browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MILLISECONDS);
    page.on('console', (message) => t.diagnostic(withoutQueries(message.text())));
    page.on('pageerror', (error) => t.diagnostic(error.stack));
    return page;
  }

  /** A page in a window of its own, where `user` has logged in. */
  async open(t, user) {
    const page = await this.window(t);
    await page.goto(this.site.origin);
    await page.getByLabel('E-mail').fill(user.email);
    await page.getByLabel('Password').fill(user.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await statusIs(page, 'logged in');
    return page;
  }
}

/** Waits until the page shows a status; fails as soon as it shows a failure instead. */
export async function statusIs(page, expected) {
  const status = page.locator('#status', { hasText: new RegExp(`^(${expected}|(failed|rejected|expired).*)$`) });
  await status.waitFor();
  const shown = await status.textContent();
  if (shown !== expected) throw new Error(`The page says "${shown}", not "${expected}"`);
}

/** A query may be a signature, and long. */
function withoutQueries(text) {
  return text.replaceAll(/\?[^'"\s]+/g, '?…');
}
