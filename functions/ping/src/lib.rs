//! `GET /ping`: whether the API answers at all. Touches nothing.

use std::sync::Arc;

use api::{Answer, Environment, Function, Problem, Request, StartError, http_function};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

/// What is answered.
#[derive(Serialize, ToSchema)]
struct Pong {
    /// `pong`.
    #[schema(pattern = "^pong$", example = "pong")]
    message: &'static str,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function.
pub async fn build(_environment: Environment) -> Result<impl Function, StartError> {
    Ok(http_function((), handle))
}

/// Says pong.
#[utoipa::path(
    get,
    path = "/ping",
    tag = "service",
    responses(
        (status = 200, description = "It answers.", body = Pong),
    ),
)]
async fn handle(_state: Arc<()>, _request: Request) -> Result<Answer, Problem> {
    Answer::ok(&Pong { message: "pong" })
}
