// Joins the page's forms to the console's media-api.js and uploads.js.

import { MediaApi } from './media-api.js';
import { Uploads, prepareForm } from './uploads.js';

const { apiUrl, partSizeBytes } = await (await fetch('config.json')).json();
// In the session's storage the token outlives a reload, not the tab.
const api = new MediaApi(apiUrl, () => sessionStorage.getItem('access_token'));
const uploads = new Uploads(api);

const forms = Object.fromEntries(['log-in', 'upload', 'plain'].map((id) => [id, document.getElementById(id)]));
const progress = document.querySelector('progress');
const status = document.getElementById('status');
const mediaId = document.getElementById('media-id');
let running = new AbortController();

on(forms['log-in'], 'submit', async () => {
  const { access_token } = await api.post('/auth/login', Object.fromEntries(new FormData(forms['log-in'])));
  sessionStorage.setItem('access_token', access_token);
  status.value = 'logged in';
});

on(forms.upload, 'submit', async () => {
  const [file] = forms.upload.elements.file.files;
  const method = forms.upload.elements.method.value;
  running = new AbortController();
  progress.max = file.size;
  status.value = 'uploading';
  const media = await uploads.upload(file, {
    media: { upload_method: method, ...(method === 'multipart' && { part_size_bytes: partSizeBytes }) },
    signal: running.signal,
    onProgress: ({ sentBytes, parts }) => {
      progress.value = sentBytes;
      progress.dataset.partsSent = parts.filter(({ isSent }) => isSent).length;
    },
  });
  await show(media);
});

on(document.getElementById('cancel'), 'click', async () => {
  running.abort();
  const [file] = forms.upload.elements.file.files;
  if (file) await uploads.cancel(file);
  status.value = 'cancelled';
});

on(forms.plain, 'submit', async () => {
  const [file] = forms.plain.elements.file.files;
  running = new AbortController();
  const created = await uploads.announce(file, { upload_method: 'post' }, running.signal);
  prepareForm(forms.plain, created.upload);
  forms.plain.submit();
  status.value = 'uploading';
  await show(created.media);
});

async function show({ id }) {
  mediaId.value = id;
  status.value = 'processing';
  const media = await uploads.processed(id, { signal: running.signal });
  status.value = media.failure ? `${media.status}: ${media.failure.detail}` : media.status;
}

/** Calls `handle` instead of what the browser does by itself; says what fails, but for what was cancelled. */
function on(element, event, handle) {
  element.addEventListener(event, async (happened) => {
    happened.preventDefault();
    try {
      await handle();
    } catch (error) {
      if (error.name !== 'AbortError') status.value = `failed: ${describe(error)}`;
    }
  });
}

function describe({ message, errors = [], requestId }) {
  const fields = errors.map(({ pointer, detail }) => `${pointer} ${detail}`);
  return [message, ...fields, ...(requestId ? [`request ${requestId}`] : [])].join('; ');
}
