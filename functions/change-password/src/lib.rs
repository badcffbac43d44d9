//! `POST /users/me/password`: another password for the account that is asking.
//!
//! All other sessions end; the one that asks goes on. It is also what a temporary password is good for.

use std::sync::Arc;

use api::refusals::{Aws, ChangedMeanwhile, CurrentAccount, JsonBody, RateLimited, Refused};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, UserLimit, http_function,
    text, warm_up,
};
use auth::{NewPassword, PasswordCheck, check_password};
use domain::{Invalid, User};
use serde_json::Value;
use table::Table;
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /users/me/password";

struct State {
    table: Table,
    access: Access,
    clock: Clock,
    limit: UserLimit,
}

/// What is asked for.
#[derive(ToSchema)]
struct ChangePassword {
    /// The password as it is.
    #[schema(format = Password, example = "correct horse battery staple")]
    current_password: String,
    /// 12 to 128 characters, not easy to guess, and another one.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128, example = "ten thousand quiet rivers")]
    new_password: NewPassword,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TOKEN_ISSUER`, `ACCESS_JWKS` and the variables of [`UserLimit::of_password_changes`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        limit: UserLimit::of_password_changes(&environment, &aws)?,
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

/// Changes the caller's password and ends their other sessions.
#[utoipa::path(
    post,
    path = "/users/me/password",
    tag = "accounts",
    request_body = ChangePassword,
    responses(
        (status = 204, description = "It is changed; all other sessions have ended."),
        Refused<(CurrentAccount, JsonBody, RateLimited, ChangedMeanwhile, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let signed_in = state.access.signed_in(&request, &state.table).await?;
    let user = &signed_in.user;
    let asked = parse(&request, user)?;
    state.limit.count(&request, user.id, 1).await?;
    if check_password(&asked.current_password, &user.password_hash) == PasswordCheck::Wrong {
        return Err(Problem::invalid_field("/current_password", "is not your password"));
    }
    let password_hash = asked.new_password.hash().map_err(Problem::internal)?;
    let changed = user.with_password(password_hash, signed_in.session_id, state.clock.now());
    state.table.change_user(user, &changed).await?;
    Ok(Answer::no_content())
}

fn parse(request: &Request, user: &User) -> Result<ChangePassword, Problem> {
    let mut fields = request.json_fields(CANONICAL)?;
    let current_password: Option<String> = fields.required("current_password", text);
    let new_password = fields.required("new_password", |value| {
        let password = judge(value, user)?;
        let is_same = current_password.as_deref().is_some_and(|current| password.is(current));
        if is_same { Err(Invalid::new("must be another password")) } else { Ok(password) }
    });
    fields
        .finish_with(current_password.zip(new_password))
        .map(|(current_password, new_password)| ChangePassword { current_password, new_password })
}

fn judge(value: &Value, user: &User) -> Result<NewPassword, Invalid> {
    let password: String = text(value)?;
    NewPassword::judge(&password, Some(&user.email), user.display_name.as_ref())
}
