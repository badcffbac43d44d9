//! `GET /users/{user_id}`: one account.

use std::sync::Arc;

use api::body::UserBody;
use api::refusals::{AccessToken, Aws, NotFound, Refused, RoleInsufficient};
use api::{Access, Answer, Environment, Function, Problem, Request, StartError, http_function, warm_up};
use domain::{Action, UserId, decide};
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

/// Answers an account, with an `ETag`.
#[utoipa::path(
    get,
    path = "/users/{user_id}",
    tag = "users",
    params(("user_id" = UserId, Path)),
    responses(
        (status = 200, description = "The account.", body = UserBody),
        (status = 304, description = "The client has it in this version."),
        Refused<(AccessToken, RoleInsufficient, NotFound, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.caller(&request)?;
    Problem::unless_allowed(decide(&caller, Action::ManageUsers), "user")?;
    let user_id: UserId = request.path_id("user_id", "user")?;
    let user = state.table.user(user_id).await?.ok_or_else(|| Problem::not_found("user"))?;
    Answer::ok(&UserBody::from(&user))?.versioned(user.version, request.header("if-none-match"))
}
