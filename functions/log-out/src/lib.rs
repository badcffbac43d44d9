//! `POST /auth/logout`: ends the session of a refresh token.
//!
//! Whether the token is of a session that goes on, of one that has ended, or of none, is answered alike (RFC 7009, section
//! 2.2): afterwards it is good for nothing. An access token that was issued before lives to its own end.

use std::sync::Arc;

use api::refusals::{Aws, JsonBody, Refused};
use api::{Answer, Environment, Function, Problem, Request, StartError, http_function, text};
use auth::RefreshToken;
use table::Table;
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /auth/logout";

/// What is asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct LogOut {
    /// As logging in or refreshing answered it.
    #[schema(example = "AaH3-DAAfDqbUW8tTI4KFwGh9_gwAH0howT3Yc1n9rQ")]
    refresh_token: String,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    Ok(http_function(environment.table(&aws)?, handle))
}

/// Logs out. May be repeated.
#[utoipa::path(
    post,
    path = "/auth/logout",
    tag = "accounts",
    request_body = LogOut,
    responses(
        (status = 204, description = "The token is good for nothing any more."),
        Refused<(JsonBody, Aws)>,
    ),
)]
async fn handle(table: Arc<Table>, request: Request) -> Result<Answer, Problem> {
    let mut fields = request.json_fields(CANONICAL)?;
    let token: Option<String> = fields.required("refresh_token", text);
    if let Some(token) = RefreshToken::parse(&fields.finish_with(token)?) {
        table.end_session(token.user_id(), token.session_id(), &token.family_sha256()).await?;
    }
    Ok(Answer::no_content())
}
