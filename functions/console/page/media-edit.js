// What people write about a media, and who may see it.

import { field, form } from './forms.js';

/** A form for the media that `current()` answers. What somebody else has changed meanwhile is not overwritten. */
export function editForm(api, current, saved) {
  const { title, description, tags, visibility } = current();
  const submit = async (values) => {
    const body = { ...values, tags: tagsIn(values.tags) };
    const headers = { 'If-Match': `"${current().version}"` };
    saved(await api.patch(`/media/${current().id}`, body, { headers }));
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
