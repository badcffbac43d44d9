// Uppy as a page loads it: what npm installed, as one module. Nothing of it is changed.

import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

/** The module that exports `Uppy` and `AwsS3` of a version, 5 or 6. */
export async function bundle(version) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`${version}/index.js`, import.meta.url))],
    bundle: true,
    format: 'esm',
    write: false,
  });
  return outputFiles[0].contents;
}
