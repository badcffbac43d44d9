// Uploads in parts that have begun, so that they can be resumed after a reload. Copy it with uploads.js.
//
// They are kept in `localStorage` under what the browser tells of their file: name, size, and when it was last changed. A
// page cannot open a file again by itself; given the same file by its user, it finds here which upload that was.

export class RememberedUploads {
  #prefix;

  /** Those of one user, as others may use the same browser. */
  constructor(userId = '') {
    this.#prefix = `upload:${userId}:`;
  }

  /** `{ uploadId, mediaId, filename, sizeBytes }` of the upload of this file, if there is one. */
  recall(file) {
    return read(this.#key(file));
  }

  remember(file, uploadId, mediaId) {
    const upload = { uploadId, mediaId, filename: file.name, sizeBytes: file.size };
    try {
      localStorage.setItem(this.#key(file), JSON.stringify(upload));
    } catch {
      // There is no room, or the browser allows none: the upload goes on, and only cannot be resumed after a reload.
    }
  }

  forget(file) {
    remove(this.#key(file));
  }

  /** Forgets an upload whose file is not at hand. */
  forgetId(uploadId) {
    for (const [key, upload] of this.#entries()) if (upload.uploadId === uploadId) remove(key);
  }

  /** All of them. */
  all() {
    return this.#entries().map(([, upload]) => upload);
  }

  #entries() {
    const keys = keysThere().filter((key) => key.startsWith(this.#prefix));
    return keys.map((key) => [key, read(key)]).filter(([, upload]) => upload);
  }

  #key({ name, size, lastModified }) {
    return `${this.#prefix}${name}:${size}:${lastModified}`;
  }
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? undefined;
  } catch {
    // Another page of this origin has written it, or the browser allows none.
    return undefined;
  }
}

function remove(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // The browser allows none, so it is not there.
  }
}

function keysThere() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}
