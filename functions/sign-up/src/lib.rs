//! `POST /auth/signup`: makes an account.

use std::sync::Arc;

use api::body::UserBody;
use api::refusals::{Aws, EmailTaken, JsonBody, RateLimited, Refused, SignUpClosed};
use api::{
    Answer, Clock, Code, Environment, Function, Problem, Request, SignUpLimits, StartError, http_function,
    text,
};
use auth::NewPassword;
use domain::{DisplayName, Email, Invalid, Role, User, UserId};
use table::Table;
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /auth/signup";

struct State {
    table: Table,
    clock: Clock,
    limits: SignUpLimits,
    is_open: bool,
    role: Role,
}

/// What is asked for.
#[derive(ToSchema)]
struct SignUp {
    /// Their e-mail, which they log in with.
    email: Email,
    /// 12 to 128 characters, not easy to guess.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128, example = "correct horse battery staple")]
    password: NewPassword,
    /// Their name as shown to others.
    display_name: Option<DisplayName>,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `SIGNUP_ENABLED`, `SIGNUP_ROLE` and the variables of [`SignUpLimits::of`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        clock: environment.clock(),
        limits: SignUpLimits::of(&environment, &aws)?,
        is_open: environment.parsed("SIGNUP_ENABLED")?,
        role: environment.parsed("SIGNUP_ROLE")?,
    };
    Ok(http_function(state, handle))
}

/// Makes an account with the deployment's role for those who sign up.
#[utoipa::path(
    post,
    path = "/auth/signup",
    tag = "accounts",
    request_body = SignUp,
    responses(
        (status = 201, description = "The account, which can log in now.", body = UserBody),
        Refused<(SignUpClosed, JsonBody, RateLimited, EmailTaken, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    if !state.is_open {
        return Err(Problem::new(Code::SignUpClosed, "Accounts are made by an admin here. Ask one."));
    }
    let asked = parse(&request)?;
    state.limits.count(&request, &asked.email).await?;
    let password_hash = asked.password.hash().map_err(Problem::internal)?;
    let id = UserId::new(state.clock.new_id());
    let user = User::new(id, asked.email, asked.display_name, state.role, password_hash, state.clock.now());
    state.table.create_user(&user).await?;
    Answer::created("/users/me", &UserBody::from(&user))
}

fn parse(request: &Request) -> Result<SignUp, Problem> {
    let mut fields = request.json_fields(CANONICAL)?;
    let email: Option<Email> = fields.required("email", text);
    let display_name: Option<DisplayName> = fields.optional("display_name", text);
    let password = fields.required("password", |value| {
        let password = value.as_str().ok_or_else(|| Invalid::new("must be a text"))?;
        NewPassword::judge(password, email.as_ref(), display_name.as_ref())
    });
    fields.finish_with(email.zip(password)).map(|(email, password)| SignUp { email, password, display_name })
}
