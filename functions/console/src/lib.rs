//! `GET /console`: a page to use the platform by, and `GET /console/{file}`: the modules and the style that it is made of.
//!
//! It is the example for authors of frontends: plain JavaScript that a browser runs as it is, in `page/`. It knows nothing
//! that another frontend could not know, and calls the same routes. Every address in it is relative to its own, so it works
//! behind a custom domain's base path too.
//!
//! A content security policy lets the page run its own scripts only, and reach this API, the bucket that uploads go to, and
//! what publishes are played from; see `policy`. Whoever could write into the page could still take no token elsewhere.

mod files;
mod policy;

use std::sync::Arc;

use api::refusals::{NotFound, Refused};
use api::{Answer, Environment, Function, Problem, Request, StartError, http_function};
use http::header::CONTENT_SECURITY_POLICY;

use crate::files::Files;

/// The path parameter that names a file.
const FILE: &str = "file";

struct State {
    files: Files,
    /// Of the page.
    policy: String,
}

/// Names the function's operations in the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(handle, file))]
pub struct Documentation;

/// The function, with the variables of `policy`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let state = State { files: Files::new(), policy: policy::of(&environment)? };
    Ok(http_function(state, handle))
}

/// Answers the console: a page for people, in which they upload, watch and manage what is on the platform.
#[utoipa::path(
    get,
    path = "/console",
    tag = "service",
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 304, description = "The client has it."),
    )
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    if let Ok(name) = request.path_id::<String>(FILE, FILE) {
        return file(&state.files, &name, &request);
    }
    let page = state.files.page().answer(request.header("if-none-match"))?;
    // With 304 too: the policy is the deployment's, and may have changed where the page has not.
    page.header(CONTENT_SECURITY_POLICY, &state.policy)
}

/// Answers one of the files that the console is made of.
#[utoipa::path(
    get,
    path = "/console/{file}",
    tag = "service",
    params(("file" = String, Path, description = "As the page names it.", example = "main.js")),
    responses(
        (
            status = 200,
            description = "The file.",
            content((String = "text/javascript"), (String = "text/css"), (String = "image/svg+xml")),
        ),
        (status = 304, description = "The client has it."),
        Refused<NotFound>,
    ),
)]
fn file(files: &Files, name: &str, request: &Request) -> Result<Answer, Problem> {
    let file = files.named(name).ok_or_else(|| Problem::not_found(FILE))?;
    file.answer(request.header("if-none-match"))
}
