// What there is to see: a list with filters, or what a search finds, page by page.

import { badge, button, element, failure, link, replace } from './elements.js';
import { field } from './forms.js';
import { bytes, counted, date, duration, tone, words } from './format.js';
import { ownThumbnail } from './thumbnail.js';

const PAGE = 20;
const SEARCH_AFTER_MILLISECONDS = 250;
const STATUSES = ['ready', 'processing', 'awaiting_upload', 'completing', 'rejected', 'failed', 'expired'];

export async function libraryView(context) {
  const { session, query } = context;
  const list = new MediaList(context, Object.fromEntries(query));
  const filters = filterForm(session.user, query, (values) => list.filter(values));
  const add = session.user.role !== 'viewer' && link('/uploads', { class: 'button primary' }, 'Upload');
  await list.load();
  return [element('div', { class: 'heading' }, element('h1', {}, 'Library'), add), filters, list.element];
}

/** `changed` is told the filters; what is being typed, after a moment. */
function filterForm(user, query, changed) {
  const select = (name, label, options) =>
    field({ name, label, type: 'select', options, value: query.get(name) ?? '' });
  const search = { name: 'title', label: 'Search titles', type: 'search', value: query.get('title') ?? '' };
  const made = element(
    'form',
    { class: 'filters', role: 'search' },
    field({ ...search, maxlength: 200, placeholder: 'Words of a title' }),
    select('owner', 'Whose', [['', user.role === 'admin' ? 'Everybody’s' : 'All'], ['me', 'Mine']]),
    select('status', 'State', [['', 'Any'], ...STATUSES.map((status) => [status, words(status)])]),
    select('kind', 'Kind', [['', 'Any'], ['video', 'Video'], ['audio', 'Audio']]),
    field({ name: 'tag', label: 'Tag', maxlength: 50, value: query.get('tag') ?? '' }),
  );
  const { title, owner, status, kind, tag } = made.elements;
  const adapt = () => {
    // A search looks through all that is ready; the filters are the list's.
    const isSearch = title.value.trim() !== '';
    for (const filter of [owner, status, kind, tag]) filter.disabled = isSearch;
    // What is not ready is for its owner, and for admins.
    if (!['', 'ready'].includes(status.value) && user.role !== 'admin') owner.value = 'me';
  };
  adapt();
  let timer;
  const tell = (delay) => {
    adapt();
    clearTimeout(timer);
    timer = setTimeout(() => changed(Object.fromEntries(new FormData(made))), delay);
  };
  made.addEventListener('input', ({ target }) => tell(target.matches('select') ? 0 : SEARCH_AFTER_MILLISECONDS));
  made.addEventListener('submit', (event) => {
    event.preventDefault();
    tell(0);
  });
  return made;
}

class MediaList {
  #context;
  #values;
  #asked = new AbortController();
  #rows = element('ul', { class: 'rows' });
  #state = element('p', { class: 'state', role: 'status' });
  #more = button('Show more', { hidden: true, onclick: () => this.#add() });
  #cursor;

  element = element('section', { 'aria-label': 'Media' }, this.#state, this.#rows, this.#more);

  constructor(context, values) {
    this.#context = context;
    this.#values = values;
  }

  /** Shows what these filters leave, and keeps them in the address. */
  filter(values) {
    this.#values = Object.fromEntries(Object.entries(values).filter(([, value]) => value.trim() !== ''));
    const search = new URLSearchParams(this.#values);
    history.replaceState(null, '', search.size ? `#/?${search}` : '#/');
    return this.load();
  }

  async load() {
    this.#cursor = undefined;
    await this.#add(true);
  }

  async #add(isAnew) {
    this.#asked.abort();
    this.#asked = new AbortController();
    const signal = AbortSignal.any([this.#asked.signal, this.#context.signal]);
    try {
      const page = await this.#page(signal);
      const rows = page.items.map((media) => row(media, this.#context.session.user));
      if (isAnew) replace(this.#rows, rows);
      else this.#rows.append(...rows);
      this.#cursor = page.next_cursor;
      this.#more.hidden = !page.next_cursor;
      replace(this.#state, this.#summary());
      if (!isAnew) rows[0]?.querySelector('a').focus();
    } catch (error) {
      if (signal.aborted) return;
      replace(this.#rows);
      this.#more.hidden = true;
      replace(this.#state, failure(error));
    }
  }

  /** A page that has any; a filtered one may be empty and not the last. */
  async #page(signal) {
    const { title, ...filters } = this.#values;
    const [path, asked] = title ? ['/search', { title }] : ['/media', filters];
    let page;
    let cursor = this.#cursor;
    do {
      page = await this.#context.api.get(path, { query: { ...asked, limit: PAGE, cursor }, signal });
      cursor = page.next_cursor;
    } while (page.items.length === 0 && cursor);
    return page;
  }

  #summary() {
    const shown = this.#rows.childElementCount;
    if (shown) return `${counted(shown, 'title')}${this.#cursor ? ', and more' : ''}`;
    return Object.keys(this.#values).length ? 'Nothing is like that.' : 'Nothing is here yet.';
  }
}

function row(media, user) {
  const details = [words(media.kind), duration(media.duration_seconds), bytes(media.size_bytes), date(media.created_at)];
  return element(
    'li',
    {},
    link(
      `/media/${media.id}`,
      { class: 'row' },
      thumbnail(media),
      element(
        'span',
        { class: 'what' },
        element('strong', {}, media.title),
        element('small', {}, details.join(' · '), media.owner_id === user.id && ' · Yours'),
      ),
      element(
        'span',
        { class: 'badges' },
        media.visibility === 'private' && badge('Private'),
        badge(words(media.status), tone(media.status)),
      ),
    ),
  );
}

function thumbnail(media) {
  const address = ownThumbnail(media);
  const image = address && element('img', { src: address, alt: '', loading: 'lazy' });
  return element('span', { class: `thumbnail ${media.kind}`, 'aria-hidden': 'true' }, image);
}
