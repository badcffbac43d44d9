// A frontend's origin: the files of `page/`, the console's modules that frontends copy, a `config.json` that names the
// API, and scripts that a test has built.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

/** Where files are looked for. */
const FOLDERS = ['page', '../../functions/console/page'];
const CONTENT_TYPES = { html: 'text/html', js: 'text/javascript' };

export class Site {
  /** What `config.json` holds; may be set as long as no page was opened. */
  config = {};

  /** Scripts that are no files, by their names. */
  scripts = {};

  static async start() {
    const site = new Site();
    site.server = createServer((request, response) => site.#serve(request, response)).listen(0, 'localhost');
    await once(site.server, 'listening');
    // By name, while the API and S3 are called by number: another site, not only another port.
    site.origin = `http://localhost:${site.server.address().port}`;
    return site;
  }

  async #serve(request, response) {
    const path = new URL(request.url, 'http://localhost').pathname;
    const name = path === '/' ? 'index.html' : path.slice(1);
    if (name === 'config.json') {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(this.config));
      return;
    }
    const contentType = /^[\w-]+\.(\w+)$/.test(name) && CONTENT_TYPES[name.split('.')[1]];
    const body = contentType && (this.scripts[name] ?? (await fileNamed(name)));
    if (body) response.writeHead(200, { 'Content-Type': contentType }).end(body);
    else response.writeHead(404).end();
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** The first file of this name, if there is one. */
async function fileNamed(name) {
  for (const folder of FOLDERS) {
    const body = await readFile(new URL(`${folder}/${name}`, import.meta.url)).catch(() => undefined);
    if (body) return body;
  }
  return undefined;
}
