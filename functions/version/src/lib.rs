//! `GET /version`: what is deployed.

use std::sync::Arc;
use std::time::Duration;

use api::{Answer, Environment, Function, Problem, Request, StartError, http_function};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

/// For how long an answer may be kept after a deployment.
const KEPT: Duration = Duration::from_mins(1);

/// What is answered.
#[derive(Serialize, ToSchema)]
struct Version {
    /// The version of the source.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The commit that was deployed, or `unknown`.
    #[schema(example = "5d41402abc4b2a76b9719d911017c592abcdef01")]
    commit: String,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function; the commit comes from `COMMIT`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let commit = environment.required("COMMIT")?.to_owned();
    Ok(http_function(Version { version: env!("CARGO_PKG_VERSION"), commit }, handle))
}

/// Tells the version.
#[utoipa::path(
    get,
    path = "/version",
    tag = "service",
    responses(
        (status = 200, description = "What is deployed.", body = Version),
    ),
)]
async fn handle(version: Arc<Version>, _request: Request) -> Result<Answer, Problem> {
    Answer::ok(version.as_ref())?.public(KEPT)
}
