// Redoc over the API that the page comes from, in the fonts that the reader has.

const FONT = 'system-ui, sans-serif';
const MONOSPACE = 'ui-monospace, Menlo, Consolas, monospace';

Redoc.init(
  '/openapi.json',
  {
    hideDownloadButton: true,
    theme: {
      typography: { fontFamily: FONT, headings: { fontFamily: FONT }, code: { fontFamily: MONOSPACE } },
    },
  },
  document.getElementById('redoc'),
);
