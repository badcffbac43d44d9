// One media: played, described, counted, changed and deleted.

import { announce, badge, button, definitions, element, failure, link, replace } from './elements.js';
import { bytes, dateTime, duration, tone, words } from './format.js';
import { confirmed } from './dialog.js';
import { editForm } from './media-edit.js';
import { player } from './player.js';
import { technicalData } from './technical-data.js';
import { UNDER_WAY, Uploads } from './uploads.js';
import { viewsSection } from './views-section.js';

export async function mediaView(context) {
  const { api, given, signal } = context;
  const media = await api.get(`/media/${given[0]}`, { signal });
  const page = new MediaPage(context, media);
  page.follow();
  return page.parts;
}

class MediaPage {
  #context;
  #media;
  #heading = element('h1', {});
  #badges = element('div', { class: 'badges' });
  #stage = element('div', { class: 'stage' });
  #texts = element('div', {});
  #views = element('div', {});
  #data = element('section', { class: 'card', 'aria-labelledby': 'data-heading' });
  #shownStatus;

  constructor(context, media) {
    this.#context = context;
    this.#show(media);
  }

  get parts() {
    const mayChange = this.#mayChange();
    return [
      element('p', { class: 'crumbs' }, link('/', {}, 'Library')),
      element('div', { class: 'heading' }, this.#heading, this.#badges),
      element(
        'div',
        { class: 'columns' },
        element(
          'div',
          {},
          this.#stage,
          element('section', { class: 'card', 'aria-label': 'Description' }, this.#texts),
          this.#views,
          mayChange && this.#editSection(),
        ),
        element('div', {}, this.#data, mayChange && this.#deleteSection()),
      ),
    ];
  }

  /** Watches a media that is on its way become ready. */
  async follow() {
    const { api, signal } = this.#context;
    if (!UNDER_WAY.includes(this.#media.status)) return;
    try {
      const onChange = (media) => this.#show(media);
      const media = await new Uploads(api).processed(this.#media.id, { signal, onChange });
      announce(`${media.title} is ${words(media.status).toLowerCase()}.`);
    } catch (error) {
      if (!signal.aborted) replace(this.#stage, failure(error));
    }
  }

  #mayChange() {
    const { user } = this.#context.session;
    return user.role === 'admin' || (user.role === 'operator' && this.#media.owner_id === user.id);
  }

  #show(media) {
    this.#media = media;
    replace(this.#heading, media.title);
    replace(
      this.#badges,
      badge(words(media.status), tone(media.status)),
      media.visibility === 'private' && badge('Private'),
    );
    replace(
      this.#texts,
      element('p', { class: 'description' }, media.description || element('em', {}, 'No description.')),
      media.tags.length > 0 && element('ul', { class: 'tags', 'aria-label': 'Tags' }, media.tags.map(tagLink)),
    );
    replace(this.#data, element('h2', { id: 'data-heading' }, 'Details'), facts(media), technicalData(media.metadata));
    // A player that is playing is not replaced because a text has changed.
    if (media.status === this.#shownStatus) return;
    this.#shownStatus = media.status;
    replace(this.#stage, this.#staged(media));
    replace(this.#views, media.status === 'ready' && this.#mayChange() && viewsSection(this.#context, media.id));
  }

  #staged(media) {
    if (media.status === 'ready') return player(this.#context, media);
    if (media.failure) return failure(new Error(media.failure.detail));
    const text = media.status === 'expired' ? 'Its file was never uploaded.' : 'It can be played once it is ready.';
    return element('p', { class: 'placeholder', role: 'status' }, text);
  }

  #editSection() {
    const saved = (media) => {
      this.#show({ ...media, metadata: media.metadata ?? this.#media.metadata });
      announce('Saved.');
    };
    const current = () => this.#media;
    return element(
      'section',
      { class: 'card', 'aria-labelledby': 'edit-heading' },
      element('h2', { id: 'edit-heading' }, 'Edit'),
      editForm(this.#context.api, current, { saved, outdated: (media) => this.#show(media) }),
    );
  }

  #deleteSection() {
    const problem = element('div', {});
    const remove = async () => {
      const title = `Delete “${this.#media.title}”?`;
      if (!(await confirmed({ title, text: 'Its file goes, too. This cannot be undone.', action: 'Delete' }))) return;
      try {
        await this.#context.api.delete(`/media/${this.#media.id}`);
        announce('Deleted.');
        location.hash = '/';
      } catch (error) {
        replace(problem, failure(error));
      }
    };
    return element(
      'section',
      { class: 'card', 'aria-labelledby': 'delete-heading' },
      element('h2', { id: 'delete-heading' }, 'Delete'),
      element('p', {}, 'The media and its file.'),
      problem,
      button('Delete media', { class: 'danger', onclick: remove }),
    );
  }
}

function tagLink(tag) {
  return element('li', {}, link(`/?${new URLSearchParams({ tag })}`, { class: 'tag' }, tag));
}

function facts(media) {
  const all = [
    ['File', media.filename],
    ['Type', media.content_type],
    ['Size', bytes(media.size_bytes)],
    ['Length', duration(media.duration_seconds)],
    ['Added', dateTime(media.created_at)],
    ['Checksum', media.checksum_verified && `Verified (${media.checksum_verified})`],
    ['Id', element('code', {}, media.id)],
  ];
  return definitions(all);
}
