// Writes the collection.

import { writeFile } from 'node:fs/promises';

import { COLLECTION, written } from './collection.js';

await writeFile(COLLECTION, written);
