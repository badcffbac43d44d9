import { NOBODY, folder, request } from '../item.js';

const pong = {
  'it answers': (answer) => {
    pm.expect(answer).to.deep.equal({ message: 'pong' });
  },
};

export const service = folder('service', 'How the service is, and what answers where there is no route.', [
  request('Ping', 'GET /ping', 'Whether the API answers at all.', { as: NOBODY, status: 200, check: pong }),
  request('Ping under its other name', 'GET /api/v1/ping', 'On a host of API Gateway, `/ping` may be its own.', {
    as: NOBODY,
    status: 200,
    check: pong,
  }),
  request('Get the version', 'GET /version', 'Which release and commit runs.', {
    as: NOBODY,
    status: 200,
    check: {
      'it names a release': ({ version, commit }) => {
        pm.expect(version).to.match(/^\d+\.\d+\.\d+/);
        pm.expect(commit).to.be.a('string');
      },
    },
  }),
  request('Check health', 'GET /health', 'Whether everything that the functions need is there; 503 if not.', {
    as: NOBODY,
    status: 200,
    check: {
      'everything is well': (health) => {
        const checks = { table: 'ok', ingest_bucket: 'ok', media_bucket: 'ok', queue: 'ok' };
        pm.expect(health).to.deep.equal({ status: 'ok', checks });
      },
    },
  }),
  request(
    'Check the storage',
    'GET /api/v1/s3-media/health/s3',
    'The same of the media bucket, as a replaced system had it.',
    {
      as: NOBODY,
      status: 200,
      check: {
        'it is well': (health) => {
          pm.expect(health).to.include({ success: true });
          pm.expect(health).to.have.all.keys('success', 'service', 'bucket', 'region', 'status');
        },
      },
    },
  ),
  request('Ask for what is not there', 'GET /nowhere', 'Any route that there is not is a problem like others.', {
    as: NOBODY,
    status: 404,
    check: {
      'there is no such route': (problem) => {
        pm.expect(problem.code).to.equal('route_unknown');
      },
    },
  }),
  request('Ask with a slash at the end', 'GET /media/', 'Replaced systems had routes with one: it is redirected.', {
    as: NOBODY,
    query: { limit: '5' },
    status: 308,
    type: null,
    check: {
      'the query is kept': () => {
        pm.expect(pm.response.headers.get('Location')).to.equal('/media?limit=5');
        pm.expect(pm.response.headers.get('Cache-Control')).to.equal('no-store');
      },
    },
  }),
]);
