//! `GET /docs`, `GET /redoc`, `GET /openapi.json`: the API, described for people and for programs.
//!
//! `/docs` is Swagger UI, where every request can be tried out, and explains every error code: it is where the `type`
//! of a problem points. `/redoc` is Redoc, for reading. Both show `/openapi.json` (OpenAPI 3.1), which is committed beside
//! this function and compared with the code by a test.
//!
//! All that the pages are made of comes from here, by `GET /docs/{file}`: nothing is loaded from anybody else, and their
//! content security policies hold them to it. A token that is given to Swagger UI is in the page's memory only. Nothing is
//! called, so nothing can fail but the name of a file.

mod error_codes;

use std::sync::Arc;

use api::refusals::{NotFound, Refused};
use api::{Answer, Environment, Function, Problem, Request, StartError, StaticFile, http_function};
use http::header::IF_NONE_MATCH;
use utoipa::OpenApi;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Swagger UI and its page: scripts, styles and requests of this API, and images that are part of its style sheet.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                           connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Redoc makes its styles in the page. These are the hashes of the two style elements that it adds: an empty one, into which
/// its script then writes rules, and that of its scrollbar. Its search runs in a worker that it makes of a part of itself.
const REDOC_POLICY: &str = "default-src 'none'; script-src 'self'; worker-src blob:; \
                            style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
                            'sha256-DLDPR1ic47WIdK2WyeLkblb/tm2mQH+Jt/NNhZWu1k0='; img-src 'self' data:; \
                            connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of a third party, as `build.rs` has compressed it.
macro_rules! embedded {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz"))
    };
}

/// What is answered, as it was when the function was built.
struct Site {
    openapi: StaticFile,
    docs: StaticFile,
    redoc: StaticFile,
    files: [(&'static str, StaticFile); 7],
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(openapi, docs, redoc, file))]
pub struct Documentation;

/// The function.
pub async fn build(_environment: Environment) -> Result<impl Function, StartError> {
    Ok(http_function(Site::new(), handle))
}

impl Site {
    fn new() -> Self {
        let docs = include_str!("../pages/docs.html").replace("<!-- error codes -->", &error_codes::html());
        Self {
            openapi: StaticFile::text("application/json", include_str!("../openapi.json")),
            docs: StaticFile::text(HTML, docs).secured(DOCS_POLICY),
            redoc: StaticFile::text(HTML, include_str!("../pages/redoc.html")).secured(REDOC_POLICY),
            files: [
                ("icon.svg", StaticFile::text("image/svg+xml", include_str!("../pages/icon.svg"))),
                ("page.css", StaticFile::text(CSS, include_str!("../pages/page.css"))),
                ("docs.js", StaticFile::text(JAVASCRIPT, include_str!("../pages/docs.js"))),
                ("redoc.js", StaticFile::text(JAVASCRIPT, include_str!("../pages/redoc.js"))),
                ("swagger-ui.css", StaticFile::gzip(CSS, embedded!("swagger-ui.css"))),
                ("swagger-ui-bundle.js", StaticFile::gzip(JAVASCRIPT, embedded!("swagger-ui-bundle.js"))),
                ("redoc.standalone.js", StaticFile::gzip(JAVASCRIPT, embedded!("redoc.standalone.js"))),
            ],
        }
    }
}

async fn handle(site: Arc<Site>, request: Request) -> Result<Answer, Problem> {
    match request.route() {
        "GET /openapi.json" => openapi(&site, &request),
        "GET /docs" => docs(&site, &request),
        "GET /redoc" => redoc(&site, &request),
        _ => file(&site, &request),
    }
}

/// Answers this document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    responses(
        (status = 200, description = "OpenAPI 3.1.", body = Value, example = json!({"openapi": "3.1.1"})),
        (status = 304, description = "The client has it."),
    )
)]
fn openapi(site: &Site, request: &Request) -> Result<Answer, Problem> {
    site.openapi.answer(request.header(IF_NONE_MATCH))
}

/// Shows the API and every error code, to be tried out.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "service",
    responses(
        (status = 200, description = "A page.", body = String, content_type = "text/html"),
        (status = 304, description = "The client has it."),
    )
)]
fn docs(site: &Site, request: &Request) -> Result<Answer, Problem> {
    site.docs.answer(request.header(IF_NONE_MATCH))
}

/// Shows the API, to be read.
#[utoipa::path(
    get,
    path = "/redoc",
    tag = "service",
    responses(
        (status = 200, description = "A page.", body = String, content_type = "text/html"),
        (status = 304, description = "The client has it."),
    )
)]
fn redoc(site: &Site, request: &Request) -> Result<Answer, Problem> {
    site.redoc.answer(request.header(IF_NONE_MATCH))
}

/// Answers what the pages are made of.
#[utoipa::path(
    get,
    path = "/docs/{file}",
    tag = "service",
    params(("file" = String, Path, description = "As the pages name it.", example = "page.css")),
    responses(
        (
            status = 200,
            description = "A script, a style sheet or an image.",
            content(
                (String = "text/javascript"),
                (String = "text/css"),
                (String = "image/svg+xml"),
            ),
        ),
        (status = 304, description = "The client has it."),
        Refused<NotFound>,
    )
)]
fn file(site: &Site, request: &Request) -> Result<Answer, Problem> {
    let asked: String = request.path_id("file", "file")?;
    let (_, file) =
        site.files.iter().find(|(name, _)| *name == asked).ok_or_else(|| Problem::not_found("file"))?;
    file.answer(request.header(IF_NONE_MATCH))
}
