// Swagger UI over the API that the page comes from; the page's policy lets it ask nobody else. Above it are the error
// codes: the `type` of a problem is `/docs#` and its code.

const codes = document.getElementById('error-codes');

/** What the address names of the error codes: one of them, or all; null if it names none. */
function named() {
  const element = document.getElementById(location.hash.slice(1));
  return codes.contains(element) ? element : null;
}

function unfold() {
  const element = named();
  if (!element) return;
  codes.open = true;
  element.scrollIntoView();
}

addEventListener('hashchange', unfold);
unfold();

/** There is one server, the page's own, so there is nothing to choose. */
const OneServer = () => ({ components: { ServersContainer: () => null } });

SwaggerUIBundle({
  url: '/openapi.json',
  domNode: document.getElementById('swagger-ui'),
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
  // It takes whatever the address names for an operation of its own, and writes it anew.
  deepLinking: !named(),
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  // A token that was given here is forgotten with the page.
  persistAuthorization: false,
  plugins: [OneServer],
  requestSnippetsEnabled: true,
  validatorUrl: null,
});
