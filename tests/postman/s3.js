// The file that is uploaded in each way: what S3 is sent, by what the API has signed, and what comes of it.

import { signedRequest } from './item.js';

/** The file of `tests` that is sent, and what is said of it. */
export const FILE = 'media/v_h264_aac_faststart.mp4';
export const ANNOUNCEMENT = { title: 'A film', filename: 'film.mp4', content_type: 'video/mp4', size_bytes: 77732 };

/** Whether nothing more will come of its media by itself. */
export const isSettled = (media) => ['ready', 'rejected', 'failed', 'expired'].includes(media.status);

/** That it came to what it should. */
export const isReady = (media) => {
  pm.expect(media.status, JSON.stringify(media.failure)).to.equal('ready');
  pm.expect(media.size_bytes).to.equal(77732);
  pm.expect(media.metadata.format_name).to.be.a('string');
};

/** Sends the file by the form whose address and fields are in `form_url` and `form_fields`. */
export function sendForm() {
  return signedRequest(
    'Send the form to S3',
    'POST',
    '{{form_url}}',
    'The fields first, the file last: what comes after it is not read.',
    {
      before: () => {
        const form = pm.request.body.formdata;
        const file = form.one('file');
        form.clear();
        const fields = JSON.parse(pm.collectionVariables.get('form_fields'));
        Object.entries(fields).forEach(([key, value]) => form.add({ key, value, type: 'text' }));
        form.add(file);
      },
      form: { file: { file: FILE, type: 'video/mp4' } },
      status: 204,
    },
  );
}

/** Sends the file as a part, to `part_url`; its tag is in `part_etag` then. */
export function sendPart() {
  return signedRequest('Send a part to S3', 'PUT', '{{part_url}}', 'Its ETag is what completing asks for.', {
    file: FILE,
    status: 200,
    check: {
      'S3 has it': () => {
        pm.collectionVariables.set('part_etag', pm.response.headers.get('ETag').replaceAll('"', ''));
      },
    },
  });
}
