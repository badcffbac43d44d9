import { folder, request, signedRequest, wait } from '../item.js';

/** The file of `tests` that is sent, and what is said of it. */
const FILE = 'media/v_h264_aac_faststart.mp4';
const ANNOUNCEMENT = { title: 'A film', filename: 'film.mp4', content_type: 'video/mp4', size_bytes: 77732 };

const isSettled = (media) => ['ready', 'rejected', 'failed', 'expired'].includes(media.status);
const isReady = (media) => {
  pm.expect(media.status, JSON.stringify(media.failure)).to.equal('ready');
  pm.expect(media.metadata.format_name).to.be.a('string');
};

/** Ends an upload of one request; for those of parts there is more to say. */
function complete(name, about) {
  return request(name, 'POST /api/v1/{upload_id}/complete', about, {
    status: 200,
    check: {
      'the object is there': ({ media, etag }) => {
        pm.expect(media.status).to.be.oneOf(['processing', 'ready']);
        pm.expect(etag).to.be.a('string').and.not.be.empty;
      },
    },
  });
}

const put = folder('by one PUT', 'The simplest way, up to 5 GiB.', [
  request(
    'Announce a file',
    'POST /media',
    'Answers where to send it. With the same `Idempotency-Key` it can be asked again without making a second media.',
    {
      before: () => {
        pm.collectionVariables.set('idempotency_key', pm.variables.replaceIn('{{$guid}}'));
      },
      headers: { 'Idempotency-Key': '{{idempotency_key}}' },
      json: { ...ANNOUNCEMENT, upload_method: 'put', tags: ['put'] },
      status: 201,
      check: {
        'it is to be sent by one PUT': ({ media, upload }) => {
          pm.expect(media.status).to.equal('awaiting_upload');
          pm.expect(upload.method).to.equal('put');
          pm.expect(new Date(upload.expires_at)).to.be.above(new Date());
          pm.collectionVariables.set('put_media_id', media.id);
        },
      },
    },
  ),
  request('Announce it again', 'POST /media', 'After an answer that got lost: the same media, its URL signed afresh.', {
    headers: { 'Idempotency-Key': '{{idempotency_key}}' },
    json: { ...ANNOUNCEMENT, upload_method: 'put', tags: ['put'] },
    status: 201,
    check: {
      'it is the same media': ({ media, upload }) => {
        pm.expect(media.id).to.equal(pm.variables.get('put_media_id'));
        pm.collectionVariables.set('upload_id', upload.upload_id);
        pm.collectionVariables.set('put_url', upload.url);
        pm.collectionVariables.set('put_headers', JSON.stringify(upload.headers));
      },
    },
  }),
  request('Announce another one by the same key', 'POST /media', 'A key stands for one file.', {
    headers: { 'Idempotency-Key': '{{idempotency_key}}' },
    json: { ...ANNOUNCEMENT, title: 'Another film' },
    status: 422,
    check: {
      'the key is taken': (problem) => {
        pm.expect(problem.code).to.equal('idempotency_key_reused');
      },
    },
  }),
  request('Complete too early', 'POST /api/v1/{upload_id}/complete', 'Nothing has been sent yet.', {
    status: 409,
    check: {
      'there is no object': (problem) => {
        pm.expect(problem.code).to.equal('object_missing');
      },
    },
  }),
  signedRequest(
    'Send the file to S3',
    'PUT',
    '{{put_url}}',
    'With the headers that the answer named: they are signed.',
    {
      before: () => {
        const headers = JSON.parse(pm.collectionVariables.get('put_headers'));
        Object.entries(headers).forEach(([key, value]) => pm.request.headers.upsert({ key, value }));
      },
      file: FILE,
      status: 200,
      check: {
        'S3 has it': () => {
          pm.expect(pm.response.headers.get('ETag')).to.match(/^"[0-9a-f]{32}"$/);
        },
      },
    },
  ),
  complete('Complete it', 'Needed for parts only. Here it tells whether the object has arrived.'),
  wait(
    'Wait until it is ready',
    'put_media_id',
    'An event of the bucket has it read and published.',
    isSettled,
    isReady,
  ),
]);

const form = folder('by a form', 'As an HTML form does it, up to 5 GiB.', [
  request('Announce a file', 'POST /media', 'Answers a policy: the fields that a form has to have.', {
    json: { ...ANNOUNCEMENT, upload_method: 'post', tags: ['form'] },
    status: 201,
    check: {
      'it is to be sent by a form': ({ media, upload }) => {
        pm.expect(upload.method).to.equal('post');
        pm.expect(upload.fields).to.include.keys('key', 'policy', 'Content-Type');
        pm.collectionVariables.set('form_media_id', media.id);
        pm.collectionVariables.set('upload_id', upload.upload_id);
        pm.collectionVariables.set('form_url', upload.url);
        pm.collectionVariables.set('form_fields', JSON.stringify(upload.fields));
      },
    },
  }),
  signedRequest(
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
  ),
  complete('Complete it', 'Tells whether the object has arrived.'),
  wait('Wait until it is ready', 'form_media_id', 'As of every upload.', isSettled, isReady),
]);

const parts = folder(
  'in parts',
  'Of 5 MiB to 5 GiB each, up to 48.8 TiB; can be resumed. This file has one part only.',
  [
    request('Announce a file', 'POST /content', 'Under the name that a replaced system had for it.', {
      json: { ...ANNOUNCEMENT, upload_method: 'multipart', tags: ['parts'] },
      status: 201,
      check: {
        'it is to be sent in parts': ({ media, upload }) => {
          pm.expect(upload).to.include({ method: 'multipart', part_count: 1 });
          pm.expect(upload.parts.map((part) => part.part_number)).to.deep.equal([1]);
          pm.expect(upload.complete_url).to.equal(`${pm.variables.get('api_url')}/api/v1/${upload.upload_id}/complete`);
          pm.collectionVariables.set('parts_media_id', media.id);
          pm.collectionVariables.set('upload_id', upload.upload_id);
        },
      },
    }),
    request('Sign a part', 'GET /api/v1/{upload_id}/part/{num}', 'The first ten come signed; this is for the others.', {
      path: { num: '1' },
      status: 200,
      check: {
        'its length is what is signed': (part) => {
          pm.expect(part).to.include({ part_number: 1, size_bytes: 77732 });
          pm.expect(part.url).to.include('partNumber=1');
        },
      },
    }),
    request(
      'Sign a part that there is not',
      'GET /api/v1/{upload_id}/part/{num}',
      'Parts are numbered from 1 to `part_count`.',
      {
        path: { num: '2' },
        status: 422,
        check: {
          'it is not valid': (problem) => {
            pm.expect(problem.code).to.equal('invalid');
          },
        },
      },
    ),
    request('Sign several parts', 'POST /api/v1/{upload_id}/parts', 'Up to 100 at once.', {
      json: { part_numbers: [1] },
      status: 200,
      check: {
        'there is a URL for each': ({ parts: [part] }) => {
          pm.expect(part.part_number).to.equal(1);
          pm.collectionVariables.set('part_url', part.url);
        },
      },
    }),
    request('Complete too early', 'POST /api/v1/{upload_id}/complete', 'It says what is missing.', {
      status: 409,
      check: {
        'the part is missing': (problem) => {
          pm.expect(problem.code).to.equal('parts_incomplete');
          pm.expect(problem.missing).to.deep.equal([1]);
        },
      },
    }),
    signedRequest('Send a part to S3', 'PUT', '{{part_url}}', 'Its ETag is what completing asks for.', {
      file: FILE,
      status: 200,
      check: {
        'S3 has it': () => {
          pm.collectionVariables.set('part_etag', pm.response.headers.get('ETag').replaceAll('"', ''));
        },
      },
    }),
    request(
      'List the parts',
      'GET /api/v1/{upload_id}/parts',
      'What is there and what is missing: enough to resume by.',
      {
        status: 200,
        check: {
          'nothing is missing': ({ parts, missing }) => {
            pm.expect(missing).to.deep.equal([]);
            pm.expect(parts).to.have.lengthOf(1);
            pm.expect(parts[0]).to.include({ part_number: 1, size_bytes: 77732 });
            pm.expect(parts[0].etag.replaceAll('"', '')).to.equal(pm.variables.get('part_etag'));
          },
        },
      },
    ),
    request(
      'Complete it',
      'POST /api/v1/{upload_id}/complete',
      'As often as one likes. Without a body the parts are asked of S3.',
      {
        json: { parts: [{ part_number: 1, etag: '{{part_etag}}' }] },
        status: 200,
        check: {
          'the object is there': ({ media, etag }) => {
            pm.expect(media.id).to.equal(pm.variables.get('parts_media_id'));
            pm.expect(etag).to.match(/-1"?$/);
          },
        },
      },
    ),
    wait('Wait until it is ready', 'parts_media_id', 'As of every upload.', isSettled, isReady),
  ],
);

const bulk = folder('many at once, and giving up', 'Up to 100 files in one request.', [
  request('Announce several files', 'POST /api/v1/bulk-upload', 'One that cannot be taken fails no other.', {
    json: {
      files: [
        { ...ANNOUNCEMENT, upload_method: 'multipart' },
        { ...ANNOUNCEMENT, content_type: 'text/plain' },
      ],
    },
    status: 200,
    check: {
      'each is answered by itself': ({ uploads: [announced, refused] }) => {
        pm.expect(announced.upload.method).to.equal('multipart');
        pm.expect(refused).to.include({ index: 1 });
        pm.expect(refused.error.code).to.equal('invalid');
        pm.collectionVariables.set('bulk_media_id', announced.media.id);
        pm.collectionVariables.set('upload_id', announced.upload.upload_id);
      },
    },
  }),
  request('Give an upload up', 'DELETE /api/v1/{upload_id}', 'What was sent of it is removed.', {
    status: 204,
    type: null,
  }),
  request('Give it up again', 'DELETE /api/v1/{upload_id}', 'Changes nothing.', { status: 204, type: null }),
  request('Look at what was given up', 'GET /media/{media_id}', 'It will never come.', {
    path: { media_id: '{{bulk_media_id}}' },
    status: 200,
    check: {
      'it has expired': (media) => {
        pm.expect(media.status).to.equal('expired');
      },
    },
  }),
]);

const waiting = folder(
  'by a form that waits',
  'A route of a replaced system: one answer when all is done, up to 4 MiB.',
  [
    request('Send a video', 'POST /api/v1/s3-media/upload', 'Waits up to ten seconds for it to be ready.', {
      form: { file: { file: 'media/v_vp9_opus.webm', type: 'video/webm' } },
      status: 201,
      check: {
        'it can be played': (uploaded) => {
          pm.expect(uploaded.success).to.equal(true);
          pm.expect(uploaded.storage_url).to.include(`/media/stream/${uploaded.media_id}?token=`);
          pm.collectionVariables.set('s3_media_id', uploaded.media_id);
        },
      },
    }),
    request('Send a sound', 'POST /api/v1/s3-media/upload', 'It takes videos only.', {
      form: { file: { file: 'media/v_vbr.mp3', type: 'audio/mpeg' } },
      status: 422,
      check: {
        'it is not taken': (problem) => {
          pm.expect(problem.code).to.equal('invalid');
        },
      },
    }),
  ],
);

export const uploads = folder('uploads', 'Every way to send a file. The README says which one is for what.', [
  put,
  form,
  parts,
  bulk,
  waiting,
]);
