import { NOBODY, bearer, folder, request } from '../item.js';

export const accounts = folder('accounts', 'Making an account, logging in, and staying logged in.', [
  request(
    'Sign up',
    'POST /auth/signup',
    'Makes an account, under an address that nobody has. It gets the role `SignupRole` of the deployment.',
    {
      as: NOBODY,
      before: () => {
        pm.collectionVariables.set('email', pm.variables.replaceIn('{{$guid}}@example.com'));
      },
      json: { email: '{{email}}', password: '{{password}}', display_name: 'Ada' },
      status: 201,
      check: {
        'it is the account that was asked for': (account) => {
          pm.expect(account).to.include({ email: pm.variables.get('email'), display_name: 'Ada', disabled: false });
          pm.expect(account.role).to.be.oneOf(['operator', 'viewer']);
          pm.expect(account).to.not.have.property('password');
          pm.collectionVariables.set('own_user_id', account.id);
        },
      },
    },
  ),
  request('Sign up with an address that is taken', 'POST /auth/signup', 'One address, one account.', {
    as: NOBODY,
    json: { email: '{{email}}', password: '{{password}}' },
    status: 409,
    check: {
      'it says that the address is taken': (problem) => {
        pm.expect(problem).to.include({ code: 'email_taken', type: '/docs#email_taken', status: 409 });
        pm.expect(problem.request_id).to.equal(pm.response.headers.get('X-Request-Id'));
      },
    },
  }),
  request(
    'Sign up with everything wrong',
    'POST /auth/signup',
    'Every wrong field is named at once, by a JSON Pointer and what to do about it.',
    {
      as: NOBODY,
      json: { email: 'nobody', password: 'password', display_name: '', color: 'blue' },
      status: 422,
      check: {
        'each wrong field is named': (problem) => {
          pm.expect(problem.code).to.equal('invalid');
          const pointers = problem.errors.map(({ pointer }) => pointer);
          pm.expect(pointers).to.have.members(['/email', '/password', '/display_name', '/color']);
        },
      },
    },
  ),
  request(
    'Register',
    'POST /auth/register',
    'The same under the name that a replaced system had for it. Fields that are not known here are passed over.',
    {
      as: NOBODY,
      before: () => {
        pm.collectionVariables.set('second_email', pm.variables.replaceIn('{{$guid}}@example.com'));
      },
      json: { email: '{{second_email}}', password: '{{password}}', username: 'grace' },
      status: 201,
      check: {
        'it is another account': (account) => {
          pm.expect(account.email).to.equal(pm.variables.get('second_email'));
          pm.expect(account.id).to.not.equal(pm.variables.get('own_user_id'));
          pm.collectionVariables.set('second_user_id', account.id);
        },
      },
    },
  ),
  request(
    'Log in',
    'POST /auth/login',
    'An access token for half an hour, and a refresh token for 30 days. All that follows is done with this access token.',
    {
      as: NOBODY,
      json: { email: '{{email}}', password: '{{password}}' },
      status: 200,
      check: {
        'there are two tokens': (tokens) => {
          pm.expect(tokens).to.include({ token_type: 'bearer', expires_in: 1800 });
          pm.collectionVariables.set('access_token', tokens.access_token);
          pm.collectionVariables.set('refresh_token', tokens.refresh_token);
        },
      },
    },
  ),
  request(
    'Log in with a wrong password',
    'POST /auth/login',
    'An address without an account is answered alike, and takes as long.',
    {
      as: NOBODY,
      json: { email: '{{email}}', password: 'not the password' },
      status: 401,
      check: {
        'it does not say what is wrong': (problem) => {
          pm.expect(problem.code).to.equal('credentials_invalid');
          pm.expect(pm.response.headers.get('RateLimit-Remaining')).to.match(/^\d+$/);
        },
      },
    },
  ),
  request('Sign in', 'POST /auth/signin', 'Logging in, under the name that a replaced system had for it.', {
    as: NOBODY,
    json: { email: '{{second_email}}', password: '{{password}}' },
    status: 200,
    check: {
      'there are two tokens': (tokens) => {
        pm.expect(tokens.token_type).to.equal('bearer');
        pm.collectionVariables.set('second_access_token', tokens.access_token);
        pm.collectionVariables.set('second_refresh_token', tokens.refresh_token);
      },
    },
  }),
  request(
    'Get a token by an OAuth 2.0 form',
    'POST /auth/token',
    'Logging in as OAuth 2.0 clients do with a password (RFC 6749, section 4.3), Swagger UI among them.',
    {
      as: NOBODY,
      urlencoded: { grant_type: 'password', username: '{{second_email}}', password: '{{password}}' },
      status: 200,
      check: {
        'there are two tokens': (tokens) => {
          pm.expect(tokens).to.include({ token_type: 'bearer', expires_in: 1800 });
          pm.expect(tokens.access_token.split('.')).to.have.lengthOf(3);
          pm.expect(tokens.refresh_token).to.be.a('string');
        },
      },
    },
  ),
  request('Get the own profile', 'GET /users/me', 'Who is logged in.', {
    status: 200,
    check: {
      'it is the account that logged in': (account) => {
        pm.expect(account).to.include({ id: pm.variables.get('own_user_id'), email: pm.variables.get('email') });
        pm.collectionVariables.set('etag', pm.response.headers.get('ETag'));
      },
    },
  }),
  request(
    'Ask whether the profile has changed',
    'GET /users/me',
    'Records have strong ETags; a known one is not sent again.',
    {
      headers: { 'If-None-Match': '{{etag}}' },
      status: 304,
      type: null,
      check: {
        'nothing is sent': () => {
          pm.expect(pm.response.text()).to.equal('');
          pm.expect(pm.response.headers.get('ETag')).to.equal(pm.variables.get('etag'));
        },
      },
    },
  ),
  request('Get a profile without a token', 'GET /users/me', 'What needs a token says so.', {
    as: NOBODY,
    status: 401,
    check: {
      'a token is missing': (problem) => {
        pm.expect(problem.code).to.equal('token_missing');
        pm.expect(pm.response.headers.get('WWW-Authenticate')).to.match(/^Bearer/);
      },
    },
  }),
  request(
    'Refresh the tokens',
    'POST /auth/refresh',
    'Another access token, and another refresh token: the one before works for ten seconds more.',
    {
      as: NOBODY,
      json: { refresh_token: '{{refresh_token}}' },
      status: 200,
      check: {
        'both tokens are new': (tokens) => {
          pm.expect(tokens.access_token).to.not.equal(pm.variables.get('access_token'));
          pm.expect(tokens.refresh_token).to.not.equal(pm.variables.get('refresh_token'));
          pm.collectionVariables.set('access_token', tokens.access_token);
          pm.collectionVariables.set('refresh_token', tokens.refresh_token);
        },
      },
    },
  ),
  request(
    'Change the password',
    'POST /users/me/password',
    'Of the second account. All its other sessions end, and the one that asks goes on.',
    {
      as: bearer('{{second_access_token}}'),
      json: { current_password: '{{password}}', new_password: '{{password}}, and another one' },
      status: 204,
      type: null,
    },
  ),
  request('Log out', 'POST /auth/logout', 'Of the second account: its session ends, and with it its refresh token.', {
    as: NOBODY,
    json: { refresh_token: '{{second_refresh_token}}' },
    status: 204,
    type: null,
  }),
  request('Refresh after logging out', 'POST /auth/refresh', 'A session that has ended stays ended.', {
    as: NOBODY,
    json: { refresh_token: '{{second_refresh_token}}' },
    status: 401,
    check: {
      'the session has ended': (problem) => {
        pm.expect(problem.code).to.equal('session_ended');
      },
    },
  }),
  request(
    'Get the public keys',
    'GET /.well-known/jwks.json',
    'The keys of access tokens (RFC 7517), so that other services can verify them too.',
    {
      as: NOBODY,
      status: 200,
      check: {
        'each is an Ed25519 key': ({ keys }) => {
          pm.expect(keys).to.not.be.empty;
          keys.forEach((key) => pm.expect(key).to.include({ kty: 'OKP', crv: 'Ed25519' }).and.to.have.property('kid'));
        },
      },
    },
  ),
]);
