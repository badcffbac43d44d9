// Choosing files, and how far each of them is.

import { announce, badge, button, element, failure, link, replace } from './elements.js';
import { bytes, counted, tone, words } from './format.js';

/** So many stripes show the parts of a file at most. */
const STRIPES = 100;
const TONES = { done: 'good', failed: 'bad', cancelled: 'bad', paused: '' };

export function uploadsView({ transfers, signal }) {
  const input = element('input', {
    type: 'file',
    id: 'files',
    class: 'unseen',
    multiple: true,
    accept: 'video/*,audio/*',
    onchange: () => {
      transfers.add(input.files);
      input.value = '';
    },
  });
  const list = new TransferList(transfers, signal);
  return [
    element('h1', {}, 'Uploads'),
    element(
      'div',
      { class: 'drop' },
      input,
      element('label', { for: 'files', class: 'button primary' }, 'Choose files'),
      element('p', {}, 'or drop them anywhere on this page. Video and audio.'),
    ),
    list.unfinished,
    list.element,
  ];
}

class TransferList {
  #transfers;
  #rows = new Map();

  element = element('ul', { class: 'transfers', 'aria-label': 'Files' });
  unfinished = element('div', {});

  constructor(transfers, signal) {
    this.#transfers = transfers;
    for (const transfer of transfers.all.reverse()) this.#show(transfer);
    this.#showUnfinished();
    transfers.addEventListener('change', ({ detail }) => this.#show(detail), { signal });
  }

  #show(transfer) {
    if (!this.#rows.has(transfer)) {
      const row = new TransferRow(transfer, this.#transfers);
      this.#rows.set(transfer, row);
      this.element.prepend(row.element);
      this.#showUnfinished();
    }
    this.#rows.get(transfer).show();
  }

  /** What was left unfinished needs its file again, as a page cannot open it by itself. */
  #showUnfinished() {
    const begun = this.#transfers.unfinished;
    if (!begun.length) return replace(this.unfinished);
    const entry = (upload) =>
      element(
        'li',
        {},
        element('span', {}, element('strong', {}, upload.filename), ` ${bytes(upload.sizeBytes)}`),
        button('Discard', {
          'aria-label': `Discard ${upload.filename}`,
          onclick: () => this.#discard(upload),
        }),
      );
    const heading = element('h2', {}, 'To be resumed');
    const text = element('p', {}, 'Choose the same file again: what has been sent is not sent again.');
    const section = element('section', { class: 'card unfinished' }, heading, text, element('ul', {}, begun.map(entry)));
    return replace(this.unfinished, section);
  }

  async #discard(upload) {
    try {
      await this.#transfers.cancelUnfinished(upload);
      announce(`${upload.filename} is discarded.`);
    } catch (error) {
      announce(error.message);
    }
    this.#showUnfinished();
  }
}

class TransferRow {
  #transfer;
  #transfers;
  #stripes = [];
  #state = element('span', { role: 'status' });
  #bar;
  #numbers = element('small', { class: 'numbers' });
  #parts = element('div', { class: 'parts', 'aria-hidden': 'true' });
  #error = element('div', {});
  #actions = element('div', { class: 'actions' });
  #shown;

  constructor(transfer, transfers) {
    const { file } = transfer;
    this.#transfer = transfer;
    this.#transfers = transfers;
    this.#bar = element('progress', { max: Math.max(file.size, 1), value: 0, 'aria-label': `Upload of ${file.name}` });
    this.element = element(
      'li',
      { class: 'card transfer' },
      element('div', { class: 'heading' }, element('strong', {}, file.name), this.#state),
      this.#bar,
      this.#parts,
      element('div', { class: 'heading' }, this.#numbers, this.#actions),
      this.#error,
    );
  }

  show() {
    this.#showProgress();
    // The rest changes with the state only, so that a button does not vanish under a finger.
    const { state, media } = this.#transfer;
    const shown = `${state} ${media?.status}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    replace(this.#state, this.#badge());
    replace(this.#actions, this.#buttons());
    replace(this.#error, this.#problem());
  }

  #badge() {
    const { state, media } = this.#transfer;
    if (state === 'done') return badge(words(media.status), tone(media.status));
    return badge(words(state), TONES[state] ?? 'busy');
  }

  #buttons() {
    const { state, isInParts, media } = this.#transfer;
    const act = (text, action) =>
      button(text, { 'aria-label': `${text} ${this.#transfer.file.name}`, onclick: () => this.#do(action) });
    return [
      state === 'uploading' && isInParts && act('Pause', (transfer) => this.#transfers.pause(transfer)),
      state === 'paused' && act('Resume', (transfer) => this.#transfers.resume(transfer)),
      state === 'failed' && act('Try again', (transfer) => this.#transfers.resume(transfer)),
      ['waiting', 'uploading', 'paused', 'failed'].includes(state) &&
        !media &&
        act('Cancel', (transfer) => this.#transfers.cancel(transfer)),
      media && link(`/media/${media.id}`, { class: 'button' }, 'Open'),
    ];
  }

  async #do(action) {
    try {
      await action(this.#transfer);
      this.#actions.querySelector('button, a')?.focus();
    } catch (error) {
      replace(this.#error, failure(error));
    }
  }

  #problem() {
    const { error, media } = this.#transfer;
    if (error) return failure(withFields(error));
    return media?.failure && failure(new Error(media.failure.detail));
  }

  #showProgress() {
    const { progress, file } = this.#transfer;
    if (!progress) return replace(this.#numbers, bytes(file.size));
    const { sentBytes, sizeBytes, parts } = progress;
    this.#bar.value = sentBytes;
    const sent = parts.filter(({ isSent }) => isSent).length;
    const ofParts = parts.length > 1 ? `, ${sent} of ${counted(parts.length, 'part')}` : '';
    replace(this.#numbers, `${bytes(sentBytes)} of ${bytes(sizeBytes)}${ofParts}`);
    return this.#showParts(parts);
  }

  /** A stripe for each part; of very many parts, one for a few. */
  #showParts(parts) {
    if (parts.length === 1) return;
    const count = Math.min(parts.length, STRIPES);
    if (this.#stripes.length !== count) {
      this.#stripes = Array.from({ length: count }, () => element('span', {}, element('span', {})));
      replace(this.#parts, this.#stripes);
    }
    this.#stripes.forEach((stripe, index) => {
      const [from, to] = [index, index + 1].map((edge) => Math.floor((edge * parts.length) / count));
      const some = parts.slice(from, to);
      const [sent, size] = ['sentBytes', 'sizeBytes'].map((of) => some.reduce((sum, part) => sum + part[of], 0));
      stripe.classList.toggle('sent', some.every(({ isSent }) => isSent));
      stripe.firstChild.style.inlineSize = `${(100 * sent) / size}%`;
    });
  }
}

/** Of a file that was refused, what is wrong with it is in the fields of the announcement. */
function withFields(error) {
  const fields = (error.errors ?? []).map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`);
  return { message: [error.message, ...fields].join(' '), requestId: error.requestId };
}
