// The collection as Postman would run it, against the local stack.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import newman from 'newman';

import { Stack } from '../browser/stack.js';
import { COLLECTION, written } from './collection.js';

const ADMIN = { email: 'admin@example.com', password: 'correct horse battery staple' };
const TESTS = fileURLToPath(new URL('..', import.meta.url));

let stack;
before(async () => {
  stack = await Stack.start({}, ADMIN);
});
after(() => stack?.stop());

test('collection.json is what its sources make', async () => {
  assert.ok((await readFile(COLLECTION, 'utf8')) === written, 'run `npm run generate --prefix tests/postman`');
});

test('the journey succeeds', () => journey());

test('the journey succeeds again where it has been made before', () => journey());

/** Sends every request; fails on any check, and on a request that was left out. */
async function journey() {
  const { collection, run } = await runCollection();
  const failures = run.failures.map(
    ({ at, source, error }) => `${source?.name}: ${error.test ?? at}: ${error.message}`,
  );
  assert.deepEqual(failures, []);
  const sent = new Set(run.executions.map(({ item }) => item.id));
  collection.forEachItem(({ id, name }) => assert.ok(sent.has(id), `${name} was not sent`));
}

function runCollection() {
  const options = {
    collection: fileURLToPath(COLLECTION),
    environment: fileURLToPath(new URL('environment.json', import.meta.url)),
    envVar: [
      { key: 'api_url', value: stack.apiUrl },
      { key: 'admin_email', value: ADMIN.email },
      { key: 'admin_password', value: ADMIN.password },
    ],
    workingDir: TESTS,
    timeoutRequest: 30_000,
  };
  return new Promise((resolve, reject) => {
    newman.run(options, (error, summary) => (error ? reject(error) : resolve(summary)));
  });
}
