import { ADMIN, NOBODY, folder, request } from '../item.js';

/** A media that an earlier folder made. */
function remove(name, route, about, variable, expected) {
  return request(name, route, about, { path: { media_id: `{{${variable}}}` }, status: 204, type: null, ...expected });
}

export const removal = folder('removal', 'Takes away what the other folders have made.', [
  remove(
    'Delete a media',
    'DELETE /media/{media_id}',
    'It is out of sight at once; its files are removed later.',
    'media_id',
  ),
  remove('Delete it again', 'DELETE /media/{media_id}', 'Changes nothing.', 'media_id'),
  remove('Get what was deleted', 'GET /media/{media_id}', 'It is not there any more.', 'media_id', {
    status: 404,
    type: 'application/problem+json',
    check: {
      'it is not there': (problem) => {
        pm.expect(problem.code).to.equal('not_found');
      },
    },
  }),
  remove(
    'Delete a media under its other name',
    'DELETE /content/{media_id}',
    'As a replaced system had it.',
    'put_media_id',
  ),
  remove('Delete a video', 'DELETE /api/v1/s3-media/{media_id}', 'As another replaced system had it.', 's3_media_id', {
    status: 200,
    type: 'application/json',
    check: {
      'it says so': (answer) => {
        pm.expect(answer).to.include({ success: true, media_id: pm.variables.get('s3_media_id') });
        pm.expect(answer.message).to.be.a('string');
      },
    },
  }),
  request('Log out', 'POST /auth/logout', 'The session ends. Access tokens of it live to their own end.', {
    as: NOBODY,
    json: { refresh_token: '{{refresh_token}}' },
    status: 204,
    type: null,
  }),
  request('Delete the first account', 'DELETE /users/{user_id}', 'With the media that it still has.', {
    as: ADMIN,
    path: { user_id: '{{own_user_id}}' },
    query: { media: 'delete' },
    status: 204,
    type: null,
  }),
  request('Delete the second account', 'DELETE /users/{user_id}', 'It has no media to keep.', {
    as: ADMIN,
    path: { user_id: '{{second_user_id}}' },
    query: { media: 'keep' },
    status: 204,
    type: null,
  }),
  request('Log in to a deleted account', 'POST /auth/login', 'Nobody is there any more.', {
    as: NOBODY,
    json: { email: '{{email}}', password: '{{password}}' },
    status: 401,
    check: {
      'nobody is there': (problem) => {
        pm.expect(problem.code).to.equal('credentials_invalid');
      },
    },
  }),
]);
