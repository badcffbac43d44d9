//! `PATCH /users/{user_id}`: an admin changes an account, by a JSON Merge Patch (RFC 7396).
//!
//! Who loses rights by it also loses their sessions; an admin who changes their own account keeps the one that asks. The
//! last admin can be neither demoted nor disabled.

use std::sync::Arc;

use api::body::UserBody;
use api::refusals::{
    Aws, ChangedMeanwhile, CurrentCaller, JsonBody, LastAdmin, NotFound, PreconditionFailed, Refused,
    RoleInsufficient,
};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, boolean, change_user,
    http_function, text, warm_up,
};
use domain::{Action, DisplayName, Patch, Role, UserId, UserPatch, decide};
use table::Table;
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "PATCH /users/{user_id}";

struct State {
    table: Table,
    access: Access,
    clock: Clock,
}

/// What is asked for. Fields that are left out stay as they are.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct UpdateUser {
    /// `null` removes it.
    #[schema(value_type = Option<DisplayName>)]
    display_name: Patch<DisplayName>,
    /// What they may do.
    #[schema(value_type = Role, required = false)]
    role: Option<Role>,
    /// Whether they are shut out.
    #[schema(value_type = bool, required = false, example = false)]
    disabled: Option<bool>,
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

/// Changes an account, if it is in the version that `If-Match` names.
#[utoipa::path(
    patch,
    path = "/users/{user_id}",
    tag = "users",
    params(("user_id" = UserId, Path)),
    request_body(content((UpdateUser = "application/merge-patch+json"), (UpdateUser = "application/json"))),
    responses(
        (status = 200, description = "The account as it is now.", body = UserBody),
        Refused<(
            CurrentCaller, RoleInsufficient, NotFound, JsonBody, PreconditionFailed, LastAdmin,
            ChangedMeanwhile, Aws,
        )>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let signed_in = state.access.signed_in(&request, &state.table).await?;
    let caller = signed_in.caller()?;
    Problem::unless_allowed(decide(&caller, Action::ManageUsers), "user")?;
    let user_id: UserId = request.path_id("user_id", "user")?;
    let patch = parse(&request)?;
    let kept_session = (user_id == caller.user_id).then_some(signed_in.session_id);
    let changed = change_user(&state.table, caller.user_id, user_id, |user| {
        request.check_if_match(user.version)?;
        Ok(user.patched(patch.clone(), kept_session, state.clock.now()))
    });
    let user = changed.await?;
    Answer::ok(&UserBody::from(&user))?.versioned(user.version, None)
}

fn parse(request: &Request) -> Result<UserPatch, Problem> {
    let mut fields = request.json_fields(CANONICAL)?;
    let patch = UserPatch {
        display_name: fields.patch("display_name", text),
        role: fields.replacement("role", text),
        disabled: fields.replacement("disabled", boolean),
    };
    fields.finish()?;
    Ok(patch)
}
