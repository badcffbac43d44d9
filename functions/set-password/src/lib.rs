//! `POST /users/{user_id}/password`: an admin gives an account a temporary password, e.g. to somebody who forgot theirs.
//!
//! All sessions of the account end. With the temporary password its user can log in and read, but change nothing except
//! the password: log-in answers `password_change_required`, and other routes refuse with that code.

use std::sync::Arc;

use api::refusals::{Aws, ChangedMeanwhile, CurrentCaller, JsonBody, NotFound, Refused, RoleInsufficient};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, change_user, http_function,
    text, warm_up,
};
use auth::NewPassword;
use domain::{Action, UserId, decide};
use table::Table;
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /users/{user_id}/password";

struct State {
    table: Table,
    access: Access,
    clock: Clock,
}

/// What is asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct SetPassword {
    /// 12 to 128 characters, not easy to guess.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128, example = "ten thousand quiet rivers")]
    password: NewPassword,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER` and `ACCESS_JWKS`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

/// Gives an account a temporary password, and ends its sessions.
#[utoipa::path(
    post,
    path = "/users/{user_id}/password",
    tag = "users",
    params(("user_id" = UserId, Path)),
    request_body = SetPassword,
    responses(
        (status = 204, description = "It is set; all sessions of the account have ended."),
        Refused<(CurrentCaller, RoleInsufficient, NotFound, JsonBody, ChangedMeanwhile, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, &state.table).await?;
    Problem::unless_allowed(decide(&caller, Action::ManageUsers), "user")?;
    let user_id: UserId = request.path_id("user_id", "user")?;
    let user = state.table.user(user_id).await?.ok_or_else(|| Problem::not_found("user"))?;
    let mut fields = request.json_fields(CANONICAL)?;
    let password = fields.required("password", |value| {
        NewPassword::judge(&text::<String>(value)?, Some(&user.email), user.display_name.as_ref())
    });
    let password_hash = fields.finish_with(password)?.hash().map_err(Problem::internal)?;
    change_user(&state.table, caller.user_id, user_id, |user| {
        Ok(user.with_temporary_password(password_hash.clone(), state.clock.now()))
    })
    .await?;
    Ok(Answer::no_content())
}
