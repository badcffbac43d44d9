// Sets Uppy up in the way that the page's address asks for, and joins it to the page's form.

import { MediaApi } from './media-api.js';
import { viaMediaApi } from './uppy.js';

const { apiUrl, partSizeBytes, multipartFromBytes } = await (await fetch('config.json')).json();
// index.html puts it there.
const accessToken = () => sessionStorage.getItem('access_token');
const api = new MediaApi(apiUrl, accessToken);

const options = {
  shouldUseMultipart: ({ size }) => size >= multipartFromBytes,
  getChunkSize: () => partSizeBytes,
};

const setUps = {
  /** Version 6 as it should be used. */
  async 'sign-request-6'() {
    const { Uppy, AwsS3 } = await import('./uppy-6.js');
    const uppy = new Uppy();
    return uppy.use(AwsS3, { ...options, ...viaMediaApi(uppy, api, partSizeBytes) });
  },
};

const form = document.getElementById('upload');
const parts = document.getElementById('parts');
const status = document.getElementById('status');

const uppy = await setUps[new URL(location).searchParams.get('set-up')]();
uppy.on('s3-multipart:part-uploaded', (_, { PartNumber }) => (parts.value += ` ${PartNumber}`));
uppy.on('upload-success', () => (status.value = 'uploaded'));
uppy.on('upload-error', (_, { message }) => (status.value = `failed: ${message}`));
uppy.on('cancel-all', () => (status.value = 'cancelled'));

form.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  status.value = 'uploading';
  uppy.addFile(form.elements.file.files[0]);
  uppy.upload();
});

for (const name of ['pauseAll', 'resumeAll', 'retryAll', 'cancelAll']) {
  form.elements[name].addEventListener('click', () => {
    status.value = 'uploading';
    uppy[name]();
  });
}
status.value = 'set up';
