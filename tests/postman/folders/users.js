import { ADMIN, NOBODY, folder, request } from '../item.js';

export const users = folder(
  'users',
  'What an admin does with accounts. Needs `admin_email` and `admin_password` in the environment.',
  [
    request('Log in as an admin', 'POST /auth/login', 'The first admin is made by the operator, never over HTTP.', {
      as: NOBODY,
      json: { email: '{{admin_email}}', password: '{{admin_password}}' },
      status: 200,
      check: {
        'there is an access token': (tokens) => {
          pm.expect(tokens.token_type).to.equal('bearer');
          pm.collectionVariables.set('admin_access_token', tokens.access_token);
        },
      },
    }),
    request('Create an account', 'POST /users', 'Of any role. This is how accounts are made where sign-up is closed.', {
      as: ADMIN,
      before: () => {
        pm.collectionVariables.set('third_email', pm.variables.replaceIn('{{$guid}}@example.com'));
      },
      json: { email: '{{third_email}}', password: '{{password}}', role: 'viewer' },
      status: 201,
      check: {
        'it has the role that was asked for': (account) => {
          pm.expect(account).to.include({ email: pm.variables.get('third_email'), role: 'viewer' });
          pm.collectionVariables.set('user_id', account.id);
        },
      },
    }),
    request('List accounts', 'GET /users', 'The newest first, page by page.', {
      as: ADMIN,
      query: { limit: '2' },
      status: 200,
      check: {
        'the newest is first, and there are more': (page) => {
          pm.expect(page.items).to.have.lengthOf(2);
          pm.expect(page.items[0].id).to.equal(pm.variables.get('user_id'));
          pm.collectionVariables.set('cursor', page.next_cursor);
        },
      },
    }),
    request('List the next accounts', 'GET /users', 'With the cursor of the page before.', {
      as: ADMIN,
      query: { limit: '2', cursor: '{{cursor}}' },
      status: 200,
      check: {
        'nobody is listed twice': (page) => {
          pm.expect(page.items).to.not.be.empty;
          page.items.forEach(({ id }) => pm.expect(id).to.not.equal(pm.variables.get('user_id')));
        },
      },
    }),
    request('List accounts as an operator', 'GET /users', 'Only admins may.', {
      status: 403,
      check: {
        'the role does not suffice': (problem) => {
          pm.expect(problem.code).to.equal('role_insufficient');
        },
      },
    }),
    request('Get an account', 'GET /users/{user_id}', 'One account, and the ETag of what is known of it.', {
      as: ADMIN,
      status: 200,
      check: {
        'it is the account': (account) => {
          pm.expect(account.id).to.equal(pm.variables.get('user_id'));
          pm.collectionVariables.set('etag', pm.response.headers.get('ETag'));
        },
      },
    }),
    request(
      'Change an account',
      'PATCH /users/{user_id}',
      'A JSON Merge Patch (RFC 7396), and only if nobody else has changed the account meanwhile.',
      {
        as: ADMIN,
        headers: { 'If-Match': '{{etag}}' },
        json: { role: 'operator', display_name: 'Grace' },
        status: 200,
        check: {
          'it is changed': (account) => {
            pm.expect(account).to.include({ role: 'operator', display_name: 'Grace' });
            pm.expect(pm.response.headers.get('ETag')).to.not.equal(pm.variables.get('etag'));
          },
        },
      },
    ),
    request('Change an account as it was', 'PATCH /users/{user_id}', 'The ETag is that of before the change.', {
      as: ADMIN,
      headers: { 'If-Match': '{{etag}}' },
      json: { disabled: true },
      status: 412,
      check: {
        'the ETag does not match any more': (problem) => {
          pm.expect(problem.status).to.equal(412);
        },
      },
    }),
    request(
      'Set a temporary password',
      'POST /users/{user_id}/password',
      'To somebody who forgot theirs. They can log in with it, and have to change it.',
      { as: ADMIN, json: { password: '{{password}}, for today' }, status: 204, type: null },
    ),
    request(
      'Delete an account',
      'DELETE /users/{user_id}',
      'And its media; `media=keep` would make them those of the admin who asks.',
      { as: ADMIN, query: { media: 'delete' }, status: 204, type: null },
    ),
    request('Get an account that was deleted', 'GET /users/{user_id}', 'It is gone at once.', {
      as: ADMIN,
      status: 404,
      check: {
        'it is not there': (problem) => {
          pm.expect(problem.code).to.equal('not_found');
        },
      },
    }),
  ],
);
