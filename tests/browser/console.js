// The console in a browser: opened, used as people use it, and watched for what it must not do.

import assert from 'node:assert/strict';

const PATIENCE_MILLISECONDS = 30_000;

export class Console {
  #complaints = [];
  #hosts = new Set();
  #isComplaining = true;

  /** Opens it in a window of its own, which is closed at the end of the test `t`. */
  static async open(fixture, t, options) {
    const opened = new Console();
    opened.fixture = fixture;
    const context = await fixture.browser.newContext(options);
    t.after(() => context.close());
    opened.page = await context.newPage();
    opened.page.setDefaultTimeout(PATIENCE_MILLISECONDS);
    opened.#watch(t);
    await opened.page.goto(`${fixture.stack.apiUrl}/console`);
    await opened.heading('Log in');
    return opened;
  }

  #watch(t) {
    this.page.on('console', (message) => {
      if (message.type() !== 'error' || !this.#isComplaining) return;
      this.#complaints.push(message.text());
      t.diagnostic(message.text());
    });
    this.page.on('pageerror', (error) => this.#complaints.push(error.stack));
    this.page.on('request', (request) => this.#hosts.add(new URL(request.url()).origin));
  }

  /** Does what makes the browser complain on purpose: it tells of every request that is refused. */
  async refused(act) {
    this.#isComplaining = false;
    await act();
    this.#isComplaining = true;
  }

  /** Nothing was complained of: no script failed, nothing was loaded or reached that the policy forbids. */
  assertClean() {
    assert.deepEqual(this.#complaints, []);
    const { apiUrl, awsUrl } = this.fixture.stack;
    assert.deepEqual([...this.#hosts].filter((host) => ![apiUrl, awsUrl].includes(host)), []);
  }

  async logIn({ email, password }) {
    await this.page.getByLabel('E-mail').fill(email);
    await this.page.getByLabel('Password').fill(password);
    await this.press('Log in');
    await this.heading('Library');
  }

  /** A view, by its address. */
  async go(to, heading) {
    await this.page.evaluate((hash) => (location.hash = hash), to);
    await this.heading(heading);
  }

  heading(name) {
    return this.page.getByRole('heading', { level: 1, name }).waitFor();
  }

  /** Clicks a button. */
  press(name) {
    return this.page.getByRole('button', { name, exact: true }).click();
  }

  /** What was said in passing. */
  told(text) {
    return this.page.locator('#notices').getByText(text).waitFor();
  }
}
