//! `GET /users/me`: the account that is asking.

use std::sync::Arc;

use api::body::UserBody;
use api::refusals::{Aws, CurrentAccount, Refused};
use api::{Access, Answer, Environment, Function, Problem, Request, StartError, http_function, warm_up};
use table::Table;
use utoipa::OpenApi;

struct State {
    table: Table,
    access: Access,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER` and `ACCESS_JWKS`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State { table: environment.table(&aws)?, access: Access::of(&environment)? };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

/// Answers the account that is asking, with an `ETag`. It is read anyway, so a session that has ended shows at once.
#[utoipa::path(
    get,
    path = "/users/me",
    tag = "accounts",
    responses(
        (status = 200, description = "The account.", body = UserBody),
        (status = 304, description = "The client has it in this version."),
        Refused<(CurrentAccount, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let user = state.access.signed_in(&request, &state.table).await?.user;
    Answer::ok(&UserBody::from(&user))?.versioned_for(user.id, user.version, request.header("if-none-match"))
}
