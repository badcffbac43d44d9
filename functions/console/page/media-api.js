// The platform's HTTP API as a page calls it. No build step and no dependency: copy it.
//
// An answer that is not a success throws an `ApiError` with what the problem (RFC 9457) says. A call is sent again, a few
// times, where the API asks for that by `Retry-After`, if it asks for a moment only; and once with another access token, if
// the one it had was refused.

const ATTEMPTS = 5;
const LONGEST_PAUSE_SECONDS = 10;
const TRY_AGAIN = new Set([202, 429, 503]);

/** What the API refused. `code` is stable, `message` is for people, `errors` names each wrong field. */
export class ApiError extends Error {
  constructor(status, requestId, { code, title, detail, errors = [], message }) {
    // API Gateway says by itself what it refuses, as `message`.
    super(detail ?? title ?? message ?? `The API answered ${status}`);
    Object.assign(this, { name: 'ApiError', status, requestId, code, errors });
  }
}

export class MediaApi {
  #url;
  #accessToken;

  /**
   * The API at `url`, to which the paths of its routes are added.
   *
   * `accessToken` is asked for a token before each call, as a token lives shorter than a long upload; and asked again, with
   * the token that was refused, whether there is another one. It may answer by a promise, and nothing where nobody has
   * logged in.
   */
  constructor(url, accessToken = () => undefined) {
    this.#url = String(url).replace(/\/$/, '');
    this.#accessToken = accessToken;
  }

  get(path, options) {
    return this.#call('GET', path, options);
  }

  post(path, body, options) {
    return this.#call('POST', path, { ...options, body });
  }

  patch(path, body, options) {
    return this.#call('PATCH', path, { ...options, body });
  }

  delete(path, options) {
    return this.#call('DELETE', path, options);
  }

  async #call(method, path, options = {}) {
    const token = await this.#accessToken();
    let response = await this.#send(method, path, options, token);
    if (response.status === 401 && token) {
      const another = await this.#accessToken(token);
      if (another && another !== token) response = await this.#send(method, path, options, another);
    }
    if (!response.ok) throw await refusal(response);
    const text = await response.text();
    return text ? JSON.parse(text) : undefined;
  }

  async #send(method, path, { query = {}, body, headers, signal }, token) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
    const search = given.length ? `?${new URLSearchParams(given)}` : '';
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(`${this.#url}${path}${search}`, {
        method,
        headers: {
          ...(body && { 'Content-Type': 'application/json' }),
          ...(token && { Authorization: `Bearer ${token}` }),
          ...headers,
        },
        body: body && JSON.stringify(body),
        signal,
      });
      const seconds = pauseAsked(response, attempt);
      if (!seconds || attempt === ATTEMPTS) return response;
      await pause(1000 * seconds, signal);
    }
  }
}

/** After how many seconds to send a call again, if at all. What API Gateway throttles by itself, it gives no time for. */
function pauseAsked({ status, headers }, attempt) {
  if (!TRY_AGAIN.has(status)) return undefined;
  const asked = Number(headers.get('retry-after'));
  if (!asked) return status === 202 ? undefined : attempt;
  return asked <= LONGEST_PAUSE_SECONDS ? asked : undefined;
}

/** Resolves after a while; rejects as soon as `signal` aborts. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

async function refusal(response) {
  // What API Gateway answers by itself is no problem document, and may be no JSON.
  const problem = await response.json().catch(() => ({}));
  return new ApiError(response.status, response.headers.get('x-request-id'), problem);
}
