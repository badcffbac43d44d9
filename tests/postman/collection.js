// The collection: its folders in the order in which the OpenAPI document has its tags, then the removal of what they made.
// Sent from top to bottom it is a journey; each request can also be sent by hand.

import { accounts } from './folders/accounts.js';
import { media } from './folders/media.js';
import { removal } from './folders/removal.js';
import { service } from './folders/service.js';
import { streaming } from './folders/streaming.js';
import { uploads } from './folders/uploads.js';
import { users } from './folders/users.js';
import { SCHEMA, bearer } from './item.js';

const DESCRIPTION = `Every route of the media platform, in the order of a journey.

Import this file and \`environment.json\`, choose the environment, and send *accounts* first: what an answer gives, tokens and \
ids, is kept in variables for the requests that follow. Or run the whole collection. Files are sent from the repository's \
folder \`tests\`: make it the working directory in Postman's settings.

Made by \`npm run generate\` from \`tests/postman\`; change it there.`;

/** After every request of the API: what holds for all of its answers. */
const EVERY_ANSWER = [
  "if (pm.request.url.toString().startsWith(pm.variables.get('api_url'))) {",
  "  pm.test('its request can be found in the log', () => {",
  "    pm.response.to.have.header('X-Request-Id');",
  '  });',
  '}',
];

const collection = {
  info: { name: 'media-platform', description: DESCRIPTION, schema: SCHEMA },
  auth: bearer('{{access_token}}'),
  event: [{ listen: 'test', script: { type: 'text/javascript', exec: EVERY_ANSWER } }],
  item: [accounts, users, media, uploads, streaming, service, removal],
};

/** Where it is kept. */
export const COLLECTION = new URL('collection.json', import.meta.url);

/** What is written there. */
export const written = `${JSON.stringify(collection, null, 2)}\n`;
