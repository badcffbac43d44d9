// Redoc over the API that the page comes from, in the fonts that the reader has, and in colours that can be read.

const FONT = 'system-ui, sans-serif';
const MONOSPACE = 'ui-monospace, Menlo, Consolas, monospace';
const GREY = '#52606d';
const RED = '#a1232b';

Redoc.init(
  '/openapi.json',
  {
    hideDownloadButton: true,
    theme: {
      colors: { responses: { redirect: { color: '#8a4b00' } } },
      schema: { typeNameColor: GREY, typeTitleColor: GREY, requireLabelColor: RED },
      typography: {
        fontFamily: FONT,
        headings: { fontFamily: FONT },
        code: { fontFamily: MONOSPACE, color: RED },
      },
    },
  },
  document.getElementById('redoc'),
);
