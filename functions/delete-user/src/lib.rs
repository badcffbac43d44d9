//! `DELETE /users/{user_id}?media=delete|keep`: an admin deletes an account.
//!
//! From now on nobody is signed in to it and its e-mail is free; the sweep deals with what it owned, in whatever time that
//! takes. Media that are kept become the admin's who asks. Deleting again is 204 again, changes nothing, and lasts for a
//! week after everything is settled. The last admin stays, whoever deletes whom at the same time.

use std::sync::Arc;

use api::refusals::{
    Aws, ChangedMeanwhile, CurrentCaller, LastAdmin, NotFound, Parameters, PreconditionFailed, Refused,
    RoleInsufficient,
};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, QueryParameters, Request, StartError,
    http_function, warm_up,
};
use domain::{Action, Caller, DeletedUser, Invalid, MediaFate, UserId, decide};
use http::StatusCode;
use table::{Account, ChangeUserError, Table};
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "DELETE /users/{user_id}";

/// How often a user who keeps changing is read.
const ATTEMPTS: usize = 5;

struct State {
    table: Table,
    access: Access,
    clock: Clock,
}

/// What a client says of it.
#[derive(ToSchema)]
#[schema(as = MediaFate, rename_all = "lowercase")]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
enum MediaFateName {
    Delete,
    Keep,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle), components(schemas(MediaFateName)))]
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

/// Deletes an account, if it is in the version that `If-Match` names.
#[utoipa::path(
    delete,
    path = "/users/{user_id}",
    tag = "users",
    params(
        ("user_id" = UserId, Path),
        (
            "media" = MediaFateName,
            Query,
            description = "`delete`: its media are deleted too. `keep`: they become those of the admin who asks, which \
                           takes another admin than the one who is deleted.",
        ),
    ),
    responses(
        (status = 204, description = "It is deleted, or was before."),
        Refused<(
            CurrentCaller, RoleInsufficient, NotFound, Parameters, PreconditionFailed, LastAdmin,
            ChangedMeanwhile, Aws,
        )>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, &state.table).await?;
    Problem::unless_allowed(decide(&caller, Action::ManageUsers), "user")?;
    let user_id: UserId = request.path_id("user_id", "user")?;
    let fate = parse(&request, &caller, user_id)?;
    delete(&state, &request, &caller, user_id, fate).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn delete(
    state: &State,
    request: &Request,
    caller: &Caller,
    user_id: UserId,
    fate: MediaFate,
) -> Result<(), Problem> {
    for _ in 0..ATTEMPTS {
        let now = state.clock.now();
        let user = match state.table.account(user_id, now).await? {
            Account::User(user) => *user,
            Account::Deleted(_) => return Ok(()),
            Account::Absent => return Err(Problem::not_found("user")),
        };
        if user_id == caller.user_id && !user.is_active_admin() {
            return Err(Problem::role_insufficient());
        }
        request.check_if_match(user.version)?;
        let deleted = DeletedUser::of(&user, fate, now);
        match state.table.delete_user(caller.user_id, &user, &deleted).await {
            Ok(()) => return Ok(()),
            Err(ChangeUserError::Outdated) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ChangeUserError::Outdated.into())
}

fn parse(request: &Request, caller: &Caller, user_id: UserId) -> Result<MediaFate, Problem> {
    let mut parameters = QueryParameters::of_route(request, CANONICAL);
    let fate = parameters.required("media", |text| match text {
        "delete" => Ok(MediaFate::Delete),
        "keep" if user_id == caller.user_id => Err(Invalid::new(
            "must be delete where admins delete themselves: media are kept by becoming those of the admin who asks, so \
             ask another one",
        )),
        "keep" => Ok(MediaFate::Keep { receiver_id: caller.user_id }),
        _ => Err(Invalid::new("must be delete or keep")),
    });
    parameters.finish()?;
    fate.ok_or_else(|| Problem::internal("a parameter that is missing was not refused"))
}
