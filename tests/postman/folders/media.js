import { NOBODY, folder, request, signedRequest, wait } from '../item.js';

export const media = folder('media', 'Finding media, and changing what is written about them.', [
  request(
    'Send a file in a form',
    'POST /content',
    'Stores the file of a form, up to 4 MiB, with a picture to be shown for it. See *uploads* for larger ones.',
    {
      form: {
        title: 'A walk in Göttingen',
        description: 'In autumn',
        tags: 'autumn, göttingen',
        miniature: { file: 'integration/images/8x6.png', type: 'image/png' },
        file: { file: 'media/v_h264_aac_moovend.mp4', type: 'video/mp4' },
      },
      status: 201,
      check: {
        'it is being processed': ({ media }) => {
          pm.expect(media.title).to.equal('A walk in Göttingen');
          pm.expect(media.tags).to.deep.equal(['autumn', 'göttingen']);
          pm.expect(media).to.include({ kind: 'video', content_type: 'video/mp4', visibility: 'members' });
          pm.expect(media.owner_id).to.equal(pm.variables.get('own_user_id'));
          pm.expect(pm.response.headers.get('Location')).to.equal(`/media/${media.id}`);
          pm.collectionVariables.set('media_id', media.id);
        },
      },
    },
  ),
  wait(
    'Wait until it is ready',
    'media_id',
    'An event of the bucket has the file read and published. Where the run is not automatic, send it until it is `ready`.',
    (media) => media.failure || (media.status === 'ready' && media.thumbnail_url),
    (media) => {
      pm.expect(media.status, JSON.stringify(media.failure)).to.equal('ready');
      pm.expect(media.duration_seconds).to.be.within(0.5, 60);
      pm.expect(media.metadata.video[0]).to.include({ codec: 'h264' });
      pm.expect(media.metadata.audio[0]).to.include({ codec: 'aac' });
      const [, key] = media.thumbnail_url.match(/\/media\/[^/]+\/thumbnail\/([^/]+)$/);
      pm.collectionVariables.set('key', key);
      pm.collectionVariables.set('etag', pm.response.headers.get('ETag'));
    },
  ),
  request('Get a media', 'GET /content/{media_id}', 'Under the name that a replaced system had for it.', {
    status: 200,
    check: {
      'it is the media': (media) => {
        pm.expect(media.id).to.equal(pm.variables.get('media_id'));
        pm.expect(pm.response.headers.get('ETag')).to.equal(pm.variables.get('etag'));
      },
    },
  }),
  request(
    'Get a media that is not there',
    'GET /media/{media_id}',
    'Or that one may not see: that makes no difference.',
    {
      path: { media_id: '{{own_user_id}}' },
      status: 404,
      check: {
        'it is not there': (problem) => {
          pm.expect(problem).to.include({ code: 'not_found', status: 404 });
        },
      },
    },
  ),
  request(
    'List what may be seen',
    'GET /media',
    'What is ready, the newest first. Filters: `status`, `kind`, `owner`, `tag`.',
    {
      query: { kind: 'video', limit: '5' },
      status: 200,
      check: {
        'the newest is first': (page) => {
          pm.expect(page.items[0].id).to.equal(pm.variables.get('media_id'));
          page.items.forEach((media) => pm.expect(media).to.include({ status: 'ready', kind: 'video' }));
          pm.expect(page).to.have.property('next_cursor');
        },
      },
    },
  ),
  request('List the own ones', 'GET /content', 'Those that are not ready, too.', {
    query: { owner: 'me' },
    status: 200,
    check: {
      'all are the own ones': (page) => {
        pm.expect(page.items.map(({ id }) => id)).to.include(pm.variables.get('media_id'));
        page.items.forEach((media) => pm.expect(media.owner_id).to.equal(pm.variables.get('own_user_id')));
      },
    },
  }),
  request(
    'Search by words of the title',
    'GET /search',
    'Without regard to case and accents; the beginning of a word is enough.',
    {
      query: { title: 'gottingen wal' },
      status: 200,
      check: {
        'it is found': (page) => {
          pm.expect(page.items.map(({ id }) => id)).to.include(pm.variables.get('media_id'));
        },
      },
    },
  ),
  request(
    'Change a media',
    'PATCH /media/{media_id}',
    'A JSON Merge Patch (RFC 7396), if nobody has changed it meanwhile.',
    {
      headers: { 'If-Match': '{{etag}}' },
      json: { title: 'A walk through Göttingen', tags: ['autumn'] },
      status: 200,
      check: {
        'it is changed': (media) => {
          pm.expect(media.title).to.equal('A walk through Göttingen');
          pm.expect(media.tags).to.deep.equal(['autumn']);
          pm.expect(media.description).to.equal('In autumn');
        },
      },
    },
  ),
  request('Change a media as it was', 'PATCH /media/{media_id}', 'The ETag is that of before the change.', {
    headers: { 'If-Match': '{{etag}}' },
    json: { title: 'A walk' },
    status: 412,
    check: {
      'the ETag does not match any more': (problem) => {
        pm.expect(problem.status).to.equal(412);
      },
    },
  }),
  request('Change a media under its other name', 'PATCH /content/{media_id}', 'As a replaced system had it.', {
    json: { description: 'In October' },
    status: 200,
    check: {
      'it is changed': (media) => {
        pm.expect(media.description).to.equal('In October');
      },
    },
  }),
  request(
    'Replace what is written of a media',
    'PUT /content/{media_id}',
    'As a replaced system had it: what is not sent is emptied.',
    {
      json: { title: 'A walk' },
      status: 200,
      check: {
        'what was not sent is empty': (media) => {
          pm.expect(media.title).to.equal('A walk');
          pm.expect(media.description).to.equal('');
          pm.expect(media.tags).to.deep.equal([]);
        },
      },
    },
  ),
  request('List its jobs', 'GET /media/{media_id}/jobs', 'What was done with the file, each attempt.', {
    status: 200,
    check: {
      'its metadata were read, and it was published': ({ items }) => {
        const done = items.filter(({ status }) => status === 'succeeded').map(({ type }) => type);
        pm.expect(done).to.include.members(['extract_metadata', 'upload_to_cdn']);
      },
    },
  }),
  request(
    'Get its thumbnail',
    'GET /media/{media_id}/thumbnail/{key}',
    'Whoever has the URL sees it: nobody can guess it.',
    {
      as: NOBODY,
      status: 302,
      type: null,
      check: {
        'it is somewhere else': () => {
          pm.collectionVariables.set('thumbnail_location', pm.response.headers.get('Location'));
        },
      },
    },
  ),
  request('Ask about its thumbnail', 'HEAD /media/{media_id}/thumbnail/{key}', 'Without the picture.', {
    as: NOBODY,
    status: 302,
    type: null,
    check: {
      'it is somewhere else': () => {
        pm.expect(pm.response.headers.get('Location')).to.match(/^https?:/);
      },
    },
  }),
  signedRequest('Get the picture', 'GET', '{{thumbnail_location}}', 'From where the redirect leads.', {
    status: 200,
    type: 'image/png',
    check: {
      'it is the picture that was sent': () => {
        pm.expect(pm.response.responseSize).to.be.above(50);
      },
    },
  }),
]);
