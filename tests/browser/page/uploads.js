// Uploads a file straight to S3, as `POST /media` says: by one PUT, by a form, or in parts. Copy it with media-api.js.
//
// An upload in parts survives a reload: its id is kept in `localStorage` under what the browser tells of the file.
// Given the same file again, the API is asked which parts are there, and only the others are sent. A part that fails
// is signed and sent again, a few times.

import { ApiError, pause } from './media-api.js';

const PARTS_AT_ONCE = 3;
const PARTS_SIGNED_AT_ONCE = 10;
const ATTEMPTS = 4;
const POLL_MILLISECONDS = 500;

/**
 * Uploads `file` and returns its media, which is still to be processed.
 *
 * `media` is what `POST /media` takes beyond the file's own fields: `title`, `description`, `upload_method`…
 * `onProgress` is told how many bytes S3 has. Aborting `signal` stops; an upload in parts can then be resumed.
 */
export async function upload(api, file, { media, signal, onProgress = () => {} } = {}) {
  const options = { signal, onProgress };
  const uploadId = recall(file);
  const begun = uploadId && (await listParts(api, uploadId, signal));
  if (begun) return resume(api, file, uploadId, begun, options);
  const created = await announce(api, file, media, signal);
  // Without an upload the platform has this file already.
  if (created.upload) await send(api, file, created.upload, options);
  return created.media;
}

/** Says what will be uploaded; the answer's `upload` says how. */
export function announce(api, file, media, signal) {
  const body = {
    title: file.name,
    filename: file.name,
    content_type: file.type || 'application/octet-stream',
    size_bytes: file.size,
    ...media,
  };
  // The key makes it safe to send this twice: there will be one media.
  return api.post('/media', body, { headers: { 'Idempotency-Key': crypto.randomUUID() }, signal });
}

/** Ends an upload in parts for good. What S3 has of it is removed. */
export async function cancel(api, file) {
  const uploadId = recall(file);
  if (uploadId) await api.delete(`/api/v1/${uploadId}`);
  forget(file);
}

/**
 * The media once it is processed: `ready`, or with a `failure` that says why not.
 *
 * Waits at most until the upload's deadline, when what never arrived is `expired`; abort `signal` to stop earlier.
 */
export async function processed(api, mediaId, signal) {
  for (;;) {
    const media = await api.get(`/media/${mediaId}`, { signal });
    if (!['awaiting_upload', 'completing', 'processing'].includes(media.status)) return media;
    await pause(POLL_MILLISECONDS, signal);
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

async function send(api, file, upload, options) {
  switch (upload.method) {
    case 'put':
      return sendWhole(file, { method: 'PUT', headers: upload.headers, body: file }, upload.url, options);
    case 'post':
      return sendWhole(file, { method: 'POST', body: formData(upload.fields, file) }, upload.url, options);
    case 'multipart': {
      remember(file, upload.upload_id);
      const missing = Array.from({ length: upload.part_count }, (_, index) => index + 1);
      const plan = { partSize: upload.part_size_bytes, sent: [], missing, signed: upload.parts };
      return sendParts(api, file, upload.upload_id, plan, options);
    }
    default:
      throw new Error(`This page cannot upload by ${upload.method}`);
  }
}

async function sendWhole(file, request, url, { signal, onProgress }) {
  await toS3(url, { ...request, signal });
  onProgress(file.size);
}

function formData(fields, file) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  // S3 reads no field after the file.
  form.append('file', file);
  return form;
}

/** What S3 has of an upload, or nothing if it has ended: completed, aborted, or past its deadline. */
async function listParts(api, uploadId, signal) {
  try {
    return await api.get(`/api/v1/${uploadId}/parts`, { signal });
  } catch (error) {
    if (error instanceof ApiError && [404, 409, 410].includes(error.status)) return undefined;
    throw error;
  }
}

async function resume(api, file, uploadId, { parts, missing }, options) {
  const { signal } = options;
  const wanted = missing.slice(0, PARTS_SIGNED_AT_ONCE);
  const { parts: signed } = wanted.length
    ? await api.post(`/api/v1/${uploadId}/parts`, { part_numbers: wanted }, { signal })
    : { parts: [] };
  // All parts but the last are as long as the first, which is either there or the first that is missing.
  const partSize = [...parts, ...signed].find((part) => part.part_number === 1).size_bytes;
  return sendParts(api, file, uploadId, { partSize, sent: parts, missing, signed }, options);
}

async function sendParts(api, file, uploadId, { partSize, sent, missing, signed }, { signal, onProgress }) {
  const etags = new Map(sent.map((part) => [part.part_number, part.etag]));
  const urls = new Map(signed.map((part) => [part.part_number, part.url]));
  let sentBytes = sent.reduce((sum, part) => sum + part.size_bytes, 0);
  onProgress(sentBytes);

  const waiting = [...missing];
  const failed = new AbortController();
  const either = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])]);
  const sendWaiting = async () => {
    while (waiting.length > 0) {
      const partNumber = waiting.shift();
      const bytes = file.slice((partNumber - 1) * partSize, partNumber * partSize);
      const place = { path: `/api/v1/${uploadId}/part/${partNumber}`, url: urls.get(partNumber) };
      const etag = await sendPart(api, place, bytes, either);
      if (!etag) throw new Error("The bucket's CORS rules hide the ETag");
      etags.set(partNumber, etag);
      onProgress((sentBytes += bytes.size));
    }
  };
  try {
    await Promise.all(Array.from({ length: PARTS_AT_ONCE }, sendWaiting));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  return complete(api, file, uploadId, etags, signal);
}

/** Sends a part and returns its ETag, if that can be read. */
async function sendPart(api, { path, url }, bytes, signal) {
  for (let attempt = 1; ; attempt++) {
    try {
      // A URL that failed once may have expired.
      const target = attempt === 1 && url ? url : (await api.get(path, { signal })).url;
      const { headers } = await toS3(target, { method: 'PUT', body: bytes, signal });
      return headers.get('etag');
    } catch (error) {
      if (signal.aborted || error instanceof ApiError || attempt === ATTEMPTS) throw error;
      await pause(250 * 2 ** attempt, signal);
    }
  }
}

async function complete(api, file, uploadId, etags, signal) {
  const parts = [...etags]
    .sort(([one], [other]) => one - other)
    .map(([part_number, etag]) => ({ part_number, etag }));
  const { media } = await api.post(`/api/v1/${uploadId}/complete`, { parts }, { signal });
  forget(file);
  return media;
}

async function toS3(url, request) {
  const response = await fetch(url, request);
  if (response.ok) return response;
  const code = /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1] ?? '';
  throw new Error(`S3 answered ${response.status} ${code}`);
}

const key = (file) => `upload:${file.name}:${file.size}:${file.lastModified}`;
const recall = (file) => localStorage.getItem(key(file));
const remember = (file, uploadId) => localStorage.setItem(key(file), uploadId);
const forget = (file) => localStorage.removeItem(key(file));
