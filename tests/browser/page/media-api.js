// The platform's HTTP API as a page calls it. No build step and no dependency: copy it.
//
// An answer that is not a success throws an `ApiError` with what the problem (RFC 9457) says. A call is sent again,
// a few times, where the API asks for that by `Retry-After`.

const ATTEMPTS = 5;
const TRY_AGAIN = new Set([202, 429, 503]);

/** What the API refused. `code` is stable, `message` is for people, `errors` names each wrong field. */
export class ApiError extends Error {
  constructor(status, requestId, { code, title, detail, errors = [] }) {
    super(detail ?? title ?? `The API answered ${status}`);
    Object.assign(this, { name: 'ApiError', status, requestId, code, errors });
  }
}

export class MediaApi {
  #url;
  #accessToken;

  /** `accessToken` is asked before each call, as a token lives shorter than a long upload. */
  constructor(url, accessToken) {
    this.#url = url;
    this.#accessToken = accessToken;
  }

  get(path, options) {
    return this.#call('GET', path, options);
  }

  post(path, body, options) {
    return this.#call('POST', path, { ...options, body });
  }

  delete(path, options) {
    return this.#call('DELETE', path, options);
  }

  async #call(method, path, { body, headers, signal } = {}) {
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(new URL(path, this.#url), {
        method,
        headers: { ...this.#headers(body), ...headers },
        body: body && JSON.stringify(body),
        signal,
      });
      if (!TRY_AGAIN.has(response.status)) return answer(response);
      if (attempt === ATTEMPTS) throw await refusal(response);
      await pause(1000 * (Number(response.headers.get('retry-after')) || attempt), signal);
    }
  }

  #headers(body) {
    const token = this.#accessToken();
    return {
      ...(body && { 'Content-Type': 'application/json' }),
      ...(token && { Authorization: `Bearer ${token}` }),
    };
  }
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

async function answer(response) {
  if (!response.ok) throw await refusal(response);
  return response.status === 204 ? undefined : response.json();
}

async function refusal(response) {
  // What API Gateway answers by itself is no problem document, and may be no JSON.
  const problem = await response.json().catch(() => ({}));
  return new ApiError(response.status, response.headers.get('x-request-id'), problem);
}
