// Uploads a file straight to S3, as `POST /media` says: by one PUT, by a form, or in parts. Copy it with media-api.js,
// remembered-uploads.js and s3.js.
//
// An upload in parts survives whatever ends the page. Given the same file again, the API is asked which parts are there, and
// only the others are sent. A part that fails is signed and sent again, a few times.

import { ApiError, pause } from './media-api.js';
import { RememberedUploads } from './remembered-uploads.js';
import { sendToS3 } from './s3.js';

const PARTS_AT_ONCE = 3;
const PARTS_SIGNED_AT_ONCE = 10;
const ATTEMPTS = 4;
const FIRST_POLL_MILLISECONDS = 500;
const LONGEST_POLL_MILLISECONDS = 10_000;

/** States of a media that is still on its way. */
export const UNDER_WAY = ['awaiting_upload', 'completing', 'processing'];

export class Uploads {
  #api;
  #remembered;
  /** By file, what was announced and has not arrived: `{ key, uploadId }`. */
  #announced = new WeakMap();

  constructor(api, remembered = new RememberedUploads()) {
    this.#api = api;
    this.#remembered = remembered;
  }

  /**
   * Uploads `file` and returns its media, which is still to be processed.
   *
   * `media` is what `POST /media` takes beyond the file's own fields: `title`, `description`, `upload_method`…
   * `onProgress` is told `{ sentBytes, sizeBytes, parts }`, and of each part `{ partNumber, sizeBytes, sentBytes, isSent }`.
   * Aborting `signal` stops; an upload in parts goes on from there when it is called again with the same file.
   */
  async upload(file, { media, signal, onProgress = () => {} } = {}) {
    const begun = this.#remembered.recall(file);
    if (begun) {
      const listed = await this.#listParts(begun.uploadId, signal);
      if (listed) return this.#resume(file, begun.uploadId, listed, { signal, onProgress });
      this.#forget(file);
      const arrived = await this.#arrived(begun.mediaId, signal);
      if (arrived) return arrived;
    }
    const created = await this.#announceOnce(file, media, signal);
    // Without an upload the platform has this file already.
    if (created.upload) await this.#send(file, created, { signal, onProgress });
    this.#announced.delete(file);
    return created.media;
  }

  /** Says what will be uploaded; the answer's `upload` says how. */
  announce(file, media, signal, idempotencyKey = crypto.randomUUID()) {
    const body = {
      title: file.name,
      filename: file.name,
      content_type: file.type || 'application/octet-stream',
      size_bytes: file.size,
      ...media,
    };
    // The key makes it safe to send this twice: there will be one media.
    return this.#api.post('/media', body, { headers: { 'Idempotency-Key': idempotencyKey }, signal });
  }

  /** Ends an upload for good. What S3 has of it is removed. */
  async cancel(file) {
    const begun = this.#remembered.recall(file) ?? this.#announced.get(file);
    this.#announced.delete(file);
    if (begun?.uploadId) await this.cancelId(begun.uploadId);
  }

  /** The same of one whose file is not at hand. Rejects if it was completed before: then it is a media, and deleted as one. */
  async cancelId(uploadId) {
    try {
      await this.#api.delete(`/api/v1/${uploadId}`);
    } catch (error) {
      if (['not_found', 'upload_ended'].includes(error.code)) this.#remembered.forgetId(uploadId);
      if (error.code !== 'not_found') throw error;
    }
    this.#remembered.forgetId(uploadId);
  }

  /**
   * The media once it is processed: `ready`, or with a `failure` that says why not.
   *
   * It is asked for at growing intervals, at most until the upload's deadline, when what never arrived is `expired`; abort
   * `signal` to stop earlier. `onChange` is told of each state on the way.
   */
  async processed(mediaId, { signal, onChange = () => {} } = {}) {
    for (let interval = FIRST_POLL_MILLISECONDS; ; interval = Math.min(1.5 * interval, LONGEST_POLL_MILLISECONDS)) {
      const media = await this.#api.get(`/media/${mediaId}`, { signal });
      onChange(media);
      if (!UNDER_WAY.includes(media.status)) return media;
      await pause(interval, signal);
    }
  }

  /** A file that is announced again after a failure is the same media. */
  async #announceOnce(file, media, signal) {
    const { key } = this.#announced.get(file) ?? { key: crypto.randomUUID() };
    this.#announced.set(file, { key });
    const created = await this.announce(file, media, signal, key);
    this.#announced.set(file, { key, uploadId: created.upload?.upload_id });
    return created;
  }

  async #send(file, { media, upload }, options) {
    switch (upload.method) {
      case 'put':
        return sendWhole(file, upload.url, { method: 'PUT', headers: upload.headers, body: file }, options);
      case 'post':
        return sendWhole(file, upload.url, { method: 'POST', body: formData(upload.fields, file) }, options);
      case 'multipart': {
        this.#remembered.remember(file, upload.upload_id, media.id);
        const { part_size_bytes: partSize, parts: signed } = upload;
        return this.#sendParts(file, upload.upload_id, { partSize, sent: [], signed }, options);
      }
      default:
        throw new Error(`This page cannot upload by ${upload.method}`);
    }
  }

  /** What S3 has of an upload, or nothing if it has ended: completed, aborted, or past its deadline. */
  async #listParts(uploadId, signal) {
    try {
      return await this.#api.get(`/api/v1/${uploadId}/parts`, { signal });
    } catch (error) {
      if (error instanceof ApiError && [404, 409, 410].includes(error.status)) return undefined;
      throw error;
    }
  }

  /** A media whose file did arrive, although the answer that said so was lost. */
  async #arrived(mediaId, signal) {
    try {
      const media = await this.#api.get(`/media/${mediaId}`, { signal });
      return ['completing', 'processing', 'ready'].includes(media.status) ? media : undefined;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #resume(file, uploadId, { parts, missing }, options) {
    const wanted = missing.slice(0, PARTS_SIGNED_AT_ONCE);
    const { parts: signed } = wanted.length
      ? await this.#api.post(`/api/v1/${uploadId}/parts`, { part_numbers: wanted }, { signal: options.signal })
      : { parts: [] };
    // All parts but the last are as long as the first, which is either there or the first that is missing.
    const partSize = [...parts, ...signed].find((part) => part.part_number === 1).size_bytes;
    const whole = parts.filter((part) => !missing.includes(part.part_number));
    return this.#sendParts(file, uploadId, { partSize, sent: whole, signed }, options);
  }

  async #sendParts(file, uploadId, { partSize, sent, signed }, { signal, onProgress }) {
    const etags = new Map(sent.map((part) => [part.part_number, part.etag]));
    const urls = new Map(signed.map((part) => [part.part_number, part.url]));
    const parts = partsOf(file, partSize, etags);
    const tell = () => onProgress(progressOf(file, parts));
    tell();

    const waiting = parts.filter((part) => !part.isSent);
    const failed = new AbortController();
    const either = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])]);
    const sendWaiting = async () => {
      while (waiting.length > 0) {
        const part = waiting.shift();
        const start = (part.partNumber - 1) * partSize;
        const place = { path: `/api/v1/${uploadId}/part/${part.partNumber}`, url: urls.get(part.partNumber) };
        const bytes = file.slice(start, start + part.sizeBytes);
        const onSent = (sentBytes) => tell((part.sentBytes = sentBytes));
        const etag = await this.#sendPart(place, bytes, either, onSent);
        if (!etag) throw new Error("The bucket's CORS rules hide the ETag");
        etags.set(part.partNumber, etag);
        Object.assign(part, { sentBytes: part.sizeBytes, isSent: true });
        tell();
      }
    };
    try {
      await Promise.all(Array.from({ length: PARTS_AT_ONCE }, sendWaiting));
    } catch (error) {
      failed.abort(error);
      throw error;
    }
    return this.#complete(file, uploadId, etags, signal);
  }

  /** Sends a part and returns its ETag, if that can be read. */
  async #sendPart({ path, url }, bytes, signal, onProgress) {
    for (let attempt = 1; ; attempt++) {
      try {
        // A URL that failed once may have expired.
        const target = attempt === 1 && url ? url : (await this.#api.get(path, { signal })).url;
        return await sendToS3(target, { method: 'PUT', body: bytes, signal, onProgress });
      } catch (error) {
        if (signal.aborted || error instanceof ApiError || attempt === ATTEMPTS) throw error;
        onProgress(0);
        await pause(250 * 2 ** attempt, signal);
      }
    }
  }

  async #complete(file, uploadId, etags, signal) {
    const parts = [...etags]
      .sort(([one], [other]) => one - other)
      .map(([part_number, etag]) => ({ part_number, etag }));
    const { media } = await this.#api.post(`/api/v1/${uploadId}/complete`, { parts }, { signal });
    this.#forget(file);
    return media;
  }

  #forget(file) {
    this.#remembered.forget(file);
    this.#announced.delete(file);
  }
}

/** Makes an HTML form with a file input one that the browser itself can send. */
export function prepareForm(form, { url, fields }) {
  form.action = url;
  form.method = 'post';
  form.enctype = 'multipart/form-data';
  const inputs = Object.entries(fields).map(([name, value]) =>
    Object.assign(document.createElement('input'), { type: 'hidden', name, value }),
  );
  // S3 reads no field after the file.
  form.prepend(...inputs);
}

async function sendWhole(file, url, request, { signal, onProgress }) {
  const part = { partNumber: 1, sizeBytes: file.size, sentBytes: 0, isSent: false };
  const tell = () => onProgress(progressOf(file, [part]));
  // What is sent of a form is more than its file.
  const onSent = (sentBytes) => tell((part.sentBytes = Math.min(sentBytes, file.size)));
  await sendToS3(url, { ...request, signal, onProgress: onSent });
  Object.assign(part, { sentBytes: file.size, isSent: true });
  tell();
}

function formData(fields, file) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  // S3 reads no field after the file.
  form.append('file', file);
  return form;
}

function partsOf(file, partSize, etags) {
  const count = Math.ceil(file.size / partSize);
  return Array.from({ length: count }, (_, index) => {
    const sizeBytes = Math.min(partSize, file.size - index * partSize);
    const isSent = etags.has(index + 1);
    return { partNumber: index + 1, sizeBytes, sentBytes: isSent ? sizeBytes : 0, isSent };
  });
}

function progressOf(file, parts) {
  return { sentBytes: parts.reduce((sum, part) => sum + part.sentBytes, 0), sizeBytes: file.size, parts };
}
