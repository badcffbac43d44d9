// The files that are being uploaded by this page: a queue that goes on whatever view is shown.
//
// A few are sent at once. Each can be paused and resumed; large ones go in parts, so that what has been sent is not sent
// again, not even after a reload.

import { RememberedUploads } from './remembered-uploads.js';
import { Uploads } from './uploads.js';

const FILES_AT_ONCE = 2;
const MEBIBYTE = 1024 * 1024;
/** Larger files go in parts. */
const IN_PARTS_FROM_BYTES = 8 * MEBIBYTE;
/** The smallest parts that S3 takes: the least is lost where a connection breaks. */
const SMALL_PARTS_BYTES = 5 * MEBIBYTE;
/** Larger files go in parts of the size that the platform chooses. */
const SMALL_PARTS_TO_BYTES = 512 * MEBIBYTE;

/** Media types that not every system tells its browsers. */
const TYPES = {
  aac: 'audio/aac',
  flac: 'audio/flac',
  m2ts: 'video/mp2t',
  mka: 'audio/x-matroska',
  mkv: 'video/x-matroska',
  opus: 'audio/ogg',
};

/** One file. `state` is `waiting`, `uploading`, `paused`, `processing`, `done`, `failed` or `cancelled`. */
class Transfer {
  state = 'waiting';
  progress;
  media;
  error;
  stop = new AbortController();

  constructor(file) {
    this.file = file;
    this.isInParts = file.size > IN_PARTS_FROM_BYTES;
  }
}

/** Has an event `change` whose `detail` is the transfer that changed. */
export class Transfers extends EventTarget {
  #uploads;
  #remembered;
  #transfers = [];

  constructor(api, userId) {
    super();
    this.#remembered = new RememberedUploads(userId);
    this.#uploads = new Uploads(api, this.#remembered);
  }

  /** All of this page, the newest first. */
  get all() {
    return [...this.#transfers].reverse();
  }

  /** How many are not at their end. */
  get activeCount() {
    return this.#transfers.filter(({ state }) => ['waiting', 'uploading', 'processing'].includes(state)).length;
  }

  /** Whether the page has bytes that the platform does not: what has arrived is processed without it. */
  get isSending() {
    return this.#transfers.some(({ state, media }) => ['waiting', 'uploading'].includes(state) && !media);
  }

  /** Uploads that began earlier, and need their file to go on. */
  get unfinished() {
    const names = new Set(this.#transfers.map(({ file }) => `${file.name}:${file.size}`));
    return this.#remembered.all().filter(({ filename, sizeBytes }) => !names.has(`${filename}:${sizeBytes}`));
  }

  add(files) {
    for (const file of files) {
      const transfer = new Transfer(file);
      this.#transfers.push(transfer);
      this.#changed(transfer);
    }
    this.#sendNext();
  }

  pause(transfer) {
    transfer.stop.abort();
    this.#become(transfer, 'paused');
    this.#sendNext();
  }

  resume(transfer) {
    transfer.stop = new AbortController();
    transfer.error = undefined;
    this.#become(transfer, 'waiting');
    this.#sendNext();
  }

  async cancel(transfer) {
    transfer.stop.abort();
    this.#become(transfer, 'cancelled');
    this.#sendNext();
    await this.#uploads.cancel(transfer.file);
  }

  /** Gives up an upload that began earlier. */
  cancelUnfinished({ uploadId }) {
    return this.#uploads.cancelId(uploadId);
  }

  /** Ends all of it, as whoever it belongs to is not here any more. */
  stop() {
    for (const transfer of this.#transfers) transfer.stop.abort();
    this.#transfers = [];
  }

  #sendNext() {
    const sending = this.#transfers.filter(({ state }) => state === 'uploading').length;
    const waiting = this.#transfers.filter(({ state }) => state === 'waiting');
    for (const transfer of waiting.slice(0, Math.max(0, FILES_AT_ONCE - sending))) this.#send(transfer);
  }

  async #send(transfer) {
    const { signal } = transfer.stop;
    this.#become(transfer, 'uploading');
    try {
      // What has arrived is not sent again, if only the question what became of it failed.
      transfer.media ??= await this.#upload(transfer, signal);
      this.#become(transfer, 'processing');
      this.#sendNext();
      const onChange = (media) => {
        transfer.media = media;
        this.#changed(transfer);
      };
      await this.#uploads.processed(transfer.media.id, { signal, onChange });
      this.#become(transfer, 'done');
    } catch (error) {
      if (signal.aborted) return;
      transfer.error = error;
      this.#become(transfer, 'failed');
      this.#sendNext();
    }
  }

  #upload(transfer, signal) {
    return this.#uploads.upload(transfer.file, {
      media: { title: titleOf(transfer.file), ...typeOf(transfer.file), ...methodOf(transfer) },
      signal,
      onProgress: (progress) => {
        transfer.progress = progress;
        this.#changed(transfer);
      },
    });
  }

  #become(transfer, state) {
    transfer.state = state;
    this.#changed(transfer);
  }

  #changed(transfer) {
    this.dispatchEvent(new CustomEvent('change', { detail: transfer }));
  }
}

function methodOf({ file, isInParts }) {
  if (!isInParts) return {};
  const isSmall = file.size <= SMALL_PARTS_TO_BYTES;
  return { upload_method: 'multipart', ...(isSmall && { part_size_bytes: SMALL_PARTS_BYTES }) };
}

/** What a file is, where the browser does not know it by its name. */
function typeOf({ name, type }) {
  const known = TYPES[name.split('.').at(-1).toLowerCase()];
  return !type && known ? { content_type: known } : {};
}

/** The name of a file without its extension, as long as a title may be. */
function titleOf({ name }) {
  return ([...name.replace(/\.[^.]+$/, '')].slice(0, 200).join('').trim() || name).slice(0, 200);
}
