import { ADMIN, NOBODY, folder, request, signedRequest } from '../item.js';

const REDIRECT = {
  as: NOBODY,
  query: { token: '{{stream_token}}' },
  status: 302,
  type: null,
};

export const streaming = folder(
  'streaming',
  'Playing media, and how often they were viewed. Needs a media that is ready.',
  [
    request(
      'Get a stream URL',
      'GET /media/{media_id}/stream-url',
      'By the owner, who may look as often as they like without being counted.',
      {
        query: { expires_in: '900' },
        status: 200,
        check: {
          'there are two URLs, and their true ends': (urls) => {
            const api = pm.variables.get('api_url');
            const id = pm.variables.get('media_id');
            pm.expect(urls.stream_url.split('?token=')[0]).to.equal(`${api}/media/stream/${id}`);
            pm.expect(urls.expires_in).to.equal(900);
            pm.expect(new Date(urls.expires_at)).to.be.above(new Date());
            pm.expect(new Date(urls.signed_url_expires_at)).to.be.above(new Date());
            pm.collectionVariables.set('stream_token', urls.stream_url.split('?token=')[1]);
            pm.collectionVariables.set('signed_url', urls.signed_url);
          },
        },
      },
    ),
    request('Get a signed URL', 'GET /api/v1/s3-media/{media_id}', 'As a replaced system had it.', {
      query: { expires_in: '900' },
      status: 200,
      check: {
        'there is a URL': (answer) => {
          pm.expect(answer).to.include({ success: true, media_id: pm.variables.get('media_id'), expires_in: 900 });
          pm.expect(answer.signed_url).to.match(/^https?:/);
        },
      },
    }),
    request('Get a stream URL for too long', 'GET /media/{media_id}/stream-url', 'One minute to a day.', {
      query: { expires_in: '86401' },
      status: 422,
      check: {
        'the parameter is named': (problem) => {
          pm.expect(problem.errors[0].pointer).to.equal('?expires_in');
        },
      },
    }),
    request(
      'Play it',
      'GET /media/stream/{media_id}',
      'As a player does: the URL alone is enough, and leads to one that is signed now.',
      {
        ...REDIRECT,
        check: {
          'it leads to the file': () => {
            pm.expect(pm.response.headers.get('Cache-Control')).to.equal('no-store');
            pm.collectionVariables.set('location', pm.response.headers.get('Location'));
          },
        },
      },
    ),
    request('Ask about it', 'HEAD /media/stream/{media_id}', 'Some players ask first.', {
      ...REDIRECT,
      check: {
        'it leads to the file': () => {
          pm.expect(pm.response.headers.get('Location')).to.match(/^https?:/);
        },
      },
    }),
    request(
      'Play it with a token of another kind',
      'GET /media/stream/{media_id}',
      'An access token is none for streams.',
      {
        as: NOBODY,
        query: { token: '{{access_token}}' },
        status: 401,
        check: {
          'it is not valid here': (problem) => {
            pm.expect(problem.code).to.equal('token_invalid');
          },
        },
      },
    ),
    request(
      'Play it, signed in',
      'GET /content/{media_id}/stream',
      'As a replaced system had it: with an access token.',
      {
        status: 302,
        type: null,
        check: {
          'it leads to the file': () => {
            pm.expect(pm.response.headers.get('Location')).to.match(/^https?:/);
          },
        },
      },
    ),
    signedRequest('Get the beginning', 'GET', '{{location}}', 'Where the redirect leads, by a range.', {
      headers: { Range: 'bytes=0-999' },
      status: 206,
      type: 'video/mp4',
      check: {
        'it is the range that was asked for': () => {
          pm.expect(pm.response.headers.get('Content-Range')).to.match(/^bytes 0-999\/\d+$/);
          pm.expect(pm.response.responseSize).to.equal(1000);
        },
      },
    }),
    signedRequest('Get the end', 'GET', '{{signed_url}}', 'Straight from the file, without this API in between.', {
      headers: { Range: 'bytes=-10' },
      status: 206,
      type: 'video/mp4',
      check: {
        'it is the range that was asked for': () => {
          pm.expect(pm.response.responseSize).to.equal(10);
        },
      },
    }),
    request(
      'Tell of a view',
      'POST /media/{media_id}/view',
      'By somebody else, whose player went straight to the file. Needs *users* to have been run.',
      {
        as: ADMIN,
        before: () => {
          pm.collectionVariables.set('view_id', pm.variables.replaceIn('{{$guid}}'));
        },
        json: { view_id: '{{view_id}}', position_seconds: 0.5 },
        status: 202,
        check: {
          'it is stored': (view) => {
            pm.expect(view).to.deep.equal({
              media_id: pm.variables.get('media_id'),
              view_id: pm.variables.get('view_id'),
            });
          },
        },
      },
    ),
    request('Tell of it again', 'POST /media/{media_id}/view', 'The same view counts once a day.', {
      as: ADMIN,
      json: { view_id: '{{view_id}}', position_seconds: 0.9 },
      status: 202,
      check: {
        'it is the same': (view) => {
          pm.expect(view.view_id).to.equal(pm.variables.get('view_id'));
        },
      },
    }),
    request(
      'Get how often it was viewed',
      'GET /media/{media_id}/analytics',
      'In all, and by days of UTC. The owner is not counted.',
      {
        query: { days: '7' },
        status: 200,
        check: {
          'there is one view by one viewer': (analytics) => {
            pm.expect(analytics).to.include({ total_views: 1, unique_viewers: 1 });
            pm.expect(analytics.daily).to.have.lengthOf(7);
            const sum = analytics.daily.reduce((views, day) => views + day.views, 0);
            pm.expect(sum).to.equal(1);
          },
        },
      },
    ),
  ],
);
