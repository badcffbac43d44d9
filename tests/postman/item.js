// What a Postman collection is made of, in its format 2.1.0
// (https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html). Checks are written as functions of the
// answer, so that editors know them as the scripts that they become.

export const SCHEMA = 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json';

/** Without a token: it needs none, or its URL is signed. */
export const NOBODY = { type: 'noauth' };
export const ADMIN = bearer('{{admin_access_token}}');

const PROBLEM = 'application/problem+json';
const FIRST_ERROR_STATUS = 400;

export function bearer(token) {
  return { type: 'bearer', bearer: [{ key: 'token', value: token, type: 'string' }] };
}

export function folder(name, description, item) {
  return { name, description, item };
}

/**
 * A request to a route of the API, such as `GET /media/{media_id}`.
 *
 * `status` is what is expected, and `type` the media type of the answer: JSON unless it is said, `null` for none. Each
 * `check` has a name, and is given the answer's JSON if it takes something. What is in `{…}` of the route comes from the
 * variable of that name, unless `path` says otherwise. A body is one of `json`, `form` (multipart), `urlencoded`, `file`.
 */
export function request(name, route, about, expected) {
  const [method, path] = route.split(' ');
  const segments = path
    .split('/')
    .slice(1)
    .map((segment) => segment.replace(/^\{(\w+)\}$/, ':$1'));
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, key]) => key);
  const query = Object.entries(expected.query ?? {}).map(([key, value]) => ({ key, value }));
  const asked = query.map(({ key, value }) => `${key}=${value}`).join('&');
  const url = {
    raw: `{{api_url}}/${segments.join('/')}${asked && `?${asked}`}`,
    host: ['{{api_url}}'],
    path: segments,
    ...(query.length && { query }),
    ...(parameters.length && {
      variable: parameters.map((key) => ({ key, value: expected.path?.[key] ?? `{{${key}}}` })),
    }),
  };
  return item(name, method, url, about, expected);
}

/** A request to a URL that an answer gave, and that carries its own permission. */
export function signedRequest(name, method, url, about, expected) {
  return item(name, method, url, about, { type: null, ...expected, as: NOBODY });
}

/**
 * Asks for a media until `isDone` says so of it, twice a second and for a minute at most; then `check` is asked. In
 * Postman that is so in a run; a request that is sent by hand is sent once.
 */
export function wait(name, variable, about, isDone, check) {
  return request(name, 'GET /media/{media_id}', about, {
    path: { media_id: `{{${variable}}}` },
    status: 200,
    before: () => {
      if (pm.collectionVariables.get('polls')) setTimeout(() => {}, 500);
    },
    script: [
      `const isDone = ${isDone};`,
      "const polls = Number(pm.collectionVariables.get('polls') ?? 0) + 1;",
      'if (!isDone(pm.response.json()) && polls < 120) {',
      "  pm.collectionVariables.set('polls', polls);",
      '  pm.execution.setNextRequest(pm.info.requestId);',
      '} else {',
      "  pm.collectionVariables.unset('polls');",
      ...indent(scriptOf('it is as expected', check)),
      '}',
    ],
  });
}

function item(name, method, url, about, expected) {
  const { as, headers, before } = expected;
  const listed = Object.entries(headers ?? {}).map(([key, value]) => ({ key, value }));
  const events = [...(before ? [event('prerequest', bodyOf(before).lines)] : []), event('test', testsOf(expected))];
  const body = bodyOfRequest(expected);
  if (body?.mode === 'raw') listed.push({ key: 'Content-Type', value: 'application/json' });
  return {
    name,
    event: events,
    // Redirects are answers of the API, and asserted.
    protocolProfileBehavior: { followRedirects: false },
    request: {
      ...(as && { auth: as }),
      method,
      header: listed,
      ...(body && { body }),
      url,
      description: about,
    },
    response: [],
  };
}

function event(listen, exec) {
  return { listen, script: { type: 'text/javascript', exec } };
}

function bodyOfRequest({ json, form, urlencoded, file }) {
  if (json) {
    const raw = JSON.stringify(json, null, 2);
    return { mode: 'raw', raw, options: { raw: { language: 'json' } } };
  }
  if (form) return { mode: 'formdata', formdata: Object.entries(form).map(([key, value]) => formField(key, value)) };
  if (urlencoded) {
    return { mode: 'urlencoded', urlencoded: Object.entries(urlencoded).map(([key, value]) => ({ key, value })) };
  }
  return file && { mode: 'file', file: { src: file } };
}

/** A field of a form: text, or a file with its media type. */
function formField(key, value) {
  if (typeof value === 'string') return { key, value, type: 'text' };
  return { key, src: value.file, contentType: value.type, type: 'file' };
}

function testsOf({ status, type, check, script }) {
  const mediaType = type === undefined ? (status >= FIRST_ERROR_STATUS ? PROBLEM : 'application/json') : type;
  const lines = [`pm.response.to.have.status(${status});`];
  if (mediaType) {
    const pattern = `/^${mediaType.replace(/[/+.]/g, '\\$&')}(;|$)/`;
    lines.push(`pm.expect(pm.response.headers.get('Content-Type')).to.match(${pattern});`);
  }
  const name = [status, mediaType].filter(Boolean).join(', ');
  const checks = Object.entries(check ?? {}).flatMap(([name, checked]) => scriptOf(name, checked));
  return [`pm.test('${name}', () => {`, ...indent(lines), '});', ...checks, ...(script ?? [])];
}

/** A test of the answer, whose JSON has the name that the function gives it. */
function scriptOf(name, checked) {
  const { parameter, lines } = bodyOf(checked);
  const start = parameter ? [`const ${parameter} = pm.response.json();`] : [];
  return [`pm.test('${name}', () => {`, ...indent([...start, ...lines]), '});'];
}

/** The lines of an arrow function with a block, and what it calls its parameter. */
function bodyOf(written) {
  const source = written.toString();
  const [, parameter, block] = source.match(/^\((.*?)\) => \{\n([\s\S]*)\n\s*\}$/) ?? [];
  if (block === undefined) throw new Error(`expected an arrow function with a block: ${source}`);
  return { parameter, lines: dedent(block).split('\n') };
}

function indent(lines) {
  return lines.map((line) => line && `  ${line}`);
}

function dedent(block) {
  const lines = block.split('\n');
  const depth = Math.min(...lines.filter((line) => line.trim()).map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(depth)).join('\n');
}
