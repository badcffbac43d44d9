// Uploads in parts that have begun, so that they can be resumed after a reload. Copy it with uploads.js.
//
// They are kept in `localStorage` under what the browser tells of their file: name, size, and when it was last changed. A
// page cannot open a file again by itself; given the same file by its user, it finds here which upload that was.

/** After a day an upload has ended, unless the deployment's `UploadDeadlineSeconds` says otherwise; after a week, anyway. */
const DAY_MILLISECONDS = 24 * 60 * 60 * 1000;

export class RememberedUploads {
  #prefix;

  /** Those of one user, as others may use the same browser. */
  constructor(userId = '') {
    this.#prefix = `upload:${userId}:`;
  }

  /** `{ uploadId, mediaId, filename, sizeBytes, announcedAt }` of the upload of this file, if there is one. */
  recall(file) {
    return read(this.#key(file));
  }

  remember(file, uploadId, mediaId) {
    const upload = { uploadId, mediaId, filename: file.name, sizeBytes: file.size, announcedAt: Date.now() };
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

  /** Those of the last day. Older ones are recalled if their file is given, and forgotten after a week. */
  all() {
    const days = ({ announcedAt }) => (Date.now() - announcedAt) / DAY_MILLISECONDS;
    for (const [key, upload] of this.#entries()) if (!(days(upload) < 7)) remove(key);
    return this.#entries().map(([, upload]) => upload).filter((upload) => days(upload) < 1);
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
