//! `POST /users`: an admin makes an account, of any role.

use std::sync::Arc;

use api::body::UserBody;
use api::refusals::{Aws, CurrentCaller, EmailTaken, JsonBody, Refused, RoleInsufficient};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, http_function, text, warm_up,
};
use auth::NewPassword;
use domain::{Action, DisplayName, Email, Role, User, UserId, decide};
use table::Table;
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /users";

struct State {
    table: Table,
    access: Access,
    clock: Clock,
    default_role: Role,
}

/// What is asked for.
#[derive(ToSchema)]
struct CreateUser {
    /// Their e-mail, which they log in with.
    email: Email,
    /// 12 to 128 characters, not easy to guess.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128, example = "correct horse battery staple")]
    password: NewPassword,
    /// Their name as shown to others.
    display_name: Option<DisplayName>,
    /// That of those who sign up by default.
    role: Option<Role>,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS` and `SIGNUP_ROLE`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        default_role: environment.parsed("SIGNUP_ROLE")?,
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

/// Makes an account.
#[utoipa::path(
    post,
    path = "/users",
    tag = "users",
    request_body = CreateUser,
    responses(
        (status = 201, description = "The account, which can log in now.", body = UserBody),
        Refused<(CurrentCaller, RoleInsufficient, JsonBody, EmailTaken, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, &state.table).await?;
    Problem::unless_allowed(decide(&caller, Action::ManageUsers), "user")?;
    let asked = parse(&request)?;
    let password_hash = asked.password.hash().map_err(Problem::internal)?;
    let id = UserId::new(state.clock.new_id());
    let role = asked.role.unwrap_or(state.default_role);
    let user = User::new(id, asked.email, asked.display_name, role, password_hash, state.clock.now());
    state.table.create_user(&user).await?;
    Answer::created(&format!("/users/{id}"), &UserBody::from(&user))
}

fn parse(request: &Request) -> Result<CreateUser, Problem> {
    let mut fields = request.json_fields(CANONICAL)?;
    let email: Option<Email> = fields.required("email", text);
    let display_name: Option<DisplayName> = fields.optional("display_name", text);
    let password = fields.required("password", |value| {
        NewPassword::judge(&text::<String>(value)?, email.as_ref(), display_name.as_ref())
    });
    let role = fields.optional("role", text);
    fields.finish_with(email.zip(password)).map(|(email, password)| CreateUser {
        email,
        password,
        display_name,
        role,
    })
}
