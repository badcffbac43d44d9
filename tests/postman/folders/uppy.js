import { NOBODY, folder, request, wait } from '../item.js';
import { isReady, isSettled, sendForm, sendPart } from '../s3.js';

/** What Uppy asks of a companion, under a path that says who asks, or with an access token. */
function companion(name, about, prefix, as) {
  const ask = (title, route, description, expected) => {
    const [method, path] = route.split(' ');
    return request(title, `${method} ${prefix}${path}`, description, { as, status: 200, ...expected });
  };
  const begin = ask('Begin an upload in parts', 'POST /s3/multipart', 'For files from 100 MiB up, as Uppy sees it.', {
    json: { filename: 'film.mp4', type: 'video/mp4', metadata: { title: 'A film by Uppy' } },
    check: {
      'it is begun': (upload) => {
        pm.expect(upload.uploadId).to.match(/^[0-9a-f-]{36}$/);
        pm.collectionVariables.set('upload_id', upload.uploadId);
        pm.collectionVariables.set('object_key', upload.key);
        pm.collectionVariables.set('uppy_media_id', upload.media_id);
      },
    },
  });
  return folder(name, about, [
    ask('Sign a form', 'GET /s3/params', 'For smaller files. Uppy does not say how large they are.', {
      query: { filename: 'film.mp4', type: 'video/mp4', 'metadata[name]': 'film.mp4' },
      check: {
        'it is a form': (form) => {
          pm.expect(form.method).to.equal('post');
          pm.expect(form.fields).to.include.keys('key', 'policy');
          pm.collectionVariables.set('form_url', form.url);
          pm.collectionVariables.set('form_fields', JSON.stringify(form.fields));
          pm.collectionVariables.set('uppy_media_id', form.media_id);
        },
      },
    }),
    sendForm(),
    wait('Wait until it is ready', 'uppy_media_id', 'As of every upload.', isSettled, isReady),
    begin,
    ask('Sign a part', 'GET /s3/multipart/{upload_id}/{part_number}', 'As Uppy cuts it.', {
      path: { part_number: '1' },
      query: { key: '{{object_key}}' },
      check: {
        'there is a URL': ({ url, expires }) => {
          pm.expect(expires).to.be.above(0);
          pm.collectionVariables.set('part_url', url);
        },
      },
    }),
    sendPart(),
    ask('List the parts', 'GET /s3/multipart/{upload_id}', 'What Uppy resumes by.', {
      query: { key: '{{object_key}}' },
      check: {
        'they are as S3 calls them': (parts) => {
          pm.expect(parts).to.have.lengthOf(1);
          pm.expect(parts[0]).to.include({ PartNumber: 1, Size: 77732 });
          pm.expect(parts[0].ETag.replaceAll('"', '')).to.equal(pm.variables.get('part_etag'));
        },
      },
    }),
    ask('Complete it', 'POST /s3/multipart/{upload_id}/complete', 'Answers where it will be.', {
      query: { key: '{{object_key}}' },
      json: { parts: [{ PartNumber: 1, ETag: '{{part_etag}}' }] },
      check: {
        'it is at its place': ({ location }) => {
          const [api, id] = [pm.variables.get('api_url'), pm.variables.get('uppy_media_id')];
          pm.expect(location).to.equal(`${api}/media/${id}`);
        },
      },
    }),
    wait('Wait until it is ready', 'uppy_media_id', 'As of every upload.', isSettled, isReady),
    { ...begin, name: 'Begin another one' },
    ask('Give it up', 'DELETE /s3/multipart/{upload_id}', 'What was sent of it is removed.', {
      query: { key: '{{object_key}}' },
      check: {
        'there is nothing to say': (answer) => {
          pm.expect(answer).to.deep.equal({});
        },
      },
    }),
  ]);
}

export const uppy = folder('uppy', 'Uploading by [Uppy](https://uppy.io), which takes this API for its companion.', [
  companion('with an access token', 'As version 5 does it, which sends headers.', ''),
  request(
    'Make an upload token',
    'POST /upload-tokens',
    'For whoever can send no header: it stands in the path, and can only upload.',
    {
      json: { expires_in: 600 },
      status: 201,
      check: {
        'it is a part of a URL': (made) => {
          pm.expect(made.expires_in).to.equal(600);
          pm.expect(new Date(made.expires_at)).to.be.above(new Date());
          pm.expect(made.companion_url).to.equal(`${pm.variables.get('api_url')}/u/${made.upload_token}`);
          pm.collectionVariables.set('upload_token', made.upload_token);
        },
      },
    },
  ),
  companion('with an upload token', 'As version 6 does it, which sends none.', '/u/{upload_token}', NOBODY),
  request(
    'Sign a form with a token of another kind',
    'GET /u/{upload_token}/s3/params',
    'Uppy shows what went wrong.',
    {
      as: NOBODY,
      path: { upload_token: '{{access_token}}' },
      query: { filename: 'film.mp4', type: 'video/mp4' },
      status: 401,
      check: {
        'it is a problem that Uppy can read': (problem) => {
          pm.expect(problem.code).to.equal('token_invalid');
          pm.expect(problem.message).to.equal(problem.detail);
          pm.expect(problem.error).to.be.a('string');
        },
      },
    },
  ),
]);
