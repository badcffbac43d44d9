// What people write about a media, and who may see it.

import { field, form } from './forms.js';

const CHANGED_MEANWHILE =
  'It has been changed meanwhile, to what this page shows now. Nothing is saved yet: save again to have it as you typed it.';

/**
 * A form for the media that `current()` answers. What somebody else has changed meanwhile is not overwritten unseen:
 * `outdated` is given it, what was typed stays, and can be saved after that.
 */
export function editForm(api, current, { saved, outdated }) {
  const { title, description, tags, visibility } = current();
  const submit = async (values) => {
    const body = { ...values, tags: tagsIn(values.tags) };
    const headers = { 'If-Match': `"${current().version}"` };
    let media;
    try {
      media = await api.patch(`/media/${current().id}`, body, { headers });
    } catch (error) {
      if (error.code !== 'precondition_failed') throw error;
      outdated(await api.get(`/media/${current().id}`));
      throw new Error(CHANGED_MEANWHILE);
    }
    saved(media);
  };
  const visibilities = [
    ['members', 'Everybody who is signed in'],
    ['private', 'Its owner and admins'],
  ];
  return form(
    { submit, action: 'Save' },
    field({ name: 'title', label: 'Title', value: title, required: true, maxlength: 200 }),
    field({ name: 'description', label: 'Description', type: 'textarea', value: description, maxlength: 5000 }),
    field({ name: 'tags', label: 'Tags', hint: 'Separated by commas, at most 20.', value: tags.join(', ') }),
    field({ name: 'visibility', label: 'Who may see it', type: 'select', options: visibilities, value: visibility }),
  );
}

function tagsIn(text) {
  return text.split(',').map((tag) => tag.trim()).filter(Boolean);
}
