// Sends bytes to S3, by what the platform has signed for them. Copy it with uploads.js.
//
// By XMLHttpRequest, as `fetch` does not tell how much of a body has been sent.

/** What S3 refused. `code` is S3's own, e.g. `EntityTooLarge`. */
export class S3Error extends Error {
  constructor(status, code) {
    super(`The storage answered ${status} ${code}`.trim());
    Object.assign(this, { name: 'S3Error', status, code });
  }
}

/**
 * Sends a body, and returns the ETag of what S3 stored.
 *
 * `onProgress` is told how many bytes are sent, again and again. Rejects with an `S3Error` if S3 refuses, with a `TypeError`
 * if it cannot be reached, and with the reason of `signal` once that aborts.
 */
export function sendToS3(url, { method, headers = {}, body, signal, onProgress = () => {} }) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => {
      const { status } = request;
      if (status >= 200 && status < 300) resolve(request.getResponseHeader('etag'));
      else reject(new S3Error(status, /<Code>(\w+)<\/Code>/.exec(request.responseText)?.[1] ?? ''));
    };
    request.onerror = () => reject(new TypeError('The storage could not be reached'));
    request.onabort = () => reject(signal.reason);
    request.onloadend = () => signal?.removeEventListener('abort', stop);
    signal?.addEventListener('abort', stop, { once: true });
    request.send(body);
  });
}
