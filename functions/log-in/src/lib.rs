//! `POST /auth/login`: an access token and a refresh token for an e-mail and a password.
//!
//! A wrong password and an unknown e-mail are answered alike, with the same reads and the same hashing before it.

use std::sync::Arc;

use api::refusals::{
    AccountDisabled, Aws, CredentialsInvalid, JsonBody, MalformedForm, RateLimited, Refused,
};
use api::{
    Answer, Clock, Code, Environment, Fields, Function, LogInLimits, Problem, Request, StartError,
    TokenIssuer, TokensBody, UnknownFields, http_function, text, warm_up,
};
use auth::{PasswordCheck, RefreshToken, UNKNOWN_USER_HASH, check_password, needs_rehash, rehash};
use domain::{Email, IssuedToken, SESSION_LIFE, Session, SessionId, User, UserId};
use serde_json::Value;
use table::{ChangeUserError, Table};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

const CANONICAL: &str = "POST /auth/login";

/// The largest form. What belongs into one is far smaller.
const MAX_FORM_BYTES: usize = 64 * 1024;

struct State {
    table: Table,
    clock: Clock,
    tokens: TokenIssuer,
    limits: LogInLimits,
}

/// What is asked for.
#[derive(ToSchema)]
struct LogIn {
    /// The account's e-mail.
    email: Email,
    /// Its password.
    #[schema(format = Password, example = "correct horse battery staple")]
    password: String,
}

/// The same as an OAuth 2.0 form (RFC 6749, section 4.3.2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct PasswordGrant {
    /// `password`; may be left out.
    #[schema(pattern = "^password$", example = "password")]
    grant_type: Option<String>,
    /// The account's e-mail.
    #[schema(value_type = Email)]
    username: Email,
    /// Its password.
    #[schema(format = Password, example = "correct horse battery staple")]
    password: String,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TOKEN_ISSUER`, `ACCESS_KEYS_SECRET`, `ACCESS_SIGNING_KID` and the variables of [`LogInLimits::of`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        clock: environment.clock(),
        tokens: TokenIssuer::of(&environment, &aws).await?,
        limits: LogInLimits::of(&environment, &aws)?,
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

/// Logs in. The refresh token is good for 30 days from now; an access token for 30 minutes.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "accounts",
    request_body(content((LogIn = "application/json"), (PasswordGrant = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "Tokens of a session that has begun.", body = TokensBody),
        Refused<(JsonBody, MalformedForm, RateLimited, CredentialsInvalid, AccountDisabled, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let asked = parse(&request)?;
    let attempt = state.limits.count(&request, &asked.email).await?;
    let user = user_with_password(&state.table, &asked).await?;
    state.limits.succeeded(attempt).await;
    if user.disabled {
        return Err(Problem::account_disabled());
    }
    keep_hash_current(&state, &user, &asked.password).await?;
    Answer::ok(&begin_session(&state, &user).await?)
}

async fn user_with_password(table: &Table, asked: &LogIn) -> Result<User, Problem> {
    let nobody = UserId::new(Uuid::nil());
    let id = table.user_id_by_email(&asked.email).await?.unwrap_or(nobody);
    let user = table.user(id).await?;
    let password_hash = user.as_ref().map_or(UNKNOWN_USER_HASH, |user| user.password_hash.as_str());
    match (check_password(&asked.password, password_hash), user) {
        (PasswordCheck::Right, Some(user)) => Ok(user),
        _ => Err(Problem::new(Code::CredentialsInvalid, "E-mail or password is wrong.")),
    }
}

/// Hashes the password anew if the deployment's parameters have been raised since it was hashed.
async fn keep_hash_current(state: &State, user: &User, password: &str) -> Result<(), Problem> {
    if !needs_rehash(&user.password_hash) {
        return Ok(());
    }
    let password_hash = rehash(password).map_err(Problem::internal)?;
    let rehashed = user.with_rehashed_password(password_hash, state.clock.now());
    match state.table.change_user(user, &rehashed).await {
        // Somebody else changed the user: the next log-in hashes what is there then.
        Ok(()) | Err(ChangeUserError::Outdated) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// If the password has been changed since it was checked, the session is of an earlier generation and over at once.
async fn begin_session(state: &State, user: &User) -> Result<TokensBody, Problem> {
    let now = state.clock.now();
    let session_id = SessionId::new(state.clock.new_id());
    let refresh_token = RefreshToken::generate(user.id, session_id).map_err(Problem::internal)?;
    let session = Session {
        id: session_id,
        user_id: user.id,
        generation: user.session_generation,
        family_sha256: refresh_token.family_sha256(),
        refresh_tokens: [(refresh_token.sha256(), IssuedToken::new(None, now))].into(),
        created_at: now,
        expires_at: now.plus(SESSION_LIFE).unix_seconds(),
    };
    state.table.put_session(&session).await?;
    state.tokens.issue(user, &session, &refresh_token, now)
}

fn parse(request: &Request) -> Result<LogIn, Problem> {
    let is_form = request.content_type().as_deref() == Some("application/x-www-form-urlencoded");
    let (mut fields, email_name) =
        if is_form { (form(request)?, "username") } else { (request.json_fields(CANONICAL)?, "email") };
    let email: Option<Email> = fields.required(email_name, text);
    let password: Option<String> = fields.required("password", text);
    fields.finish_with(email.zip(password)).map(|(email, password)| LogIn { email, password })
}

/// The form of RFC 6749, section 4.3.2. Its other fields (`scope`, `client_id`…) mean nothing here.
fn form(request: &Request) -> Result<Fields, Problem> {
    if request.body().len() > MAX_FORM_BYTES {
        return Err(Problem::new(Code::BodyTooLarge, "A form may be 64 KiB at most here."));
    }
    let mut object = serde_json::Map::new();
    for (name, value) in form_urlencoded::parse(request.body()) {
        if object.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
            return Err(Problem::new(Code::MalformedForm, format!("The form has the field {name} twice.")));
        }
    }
    let mut fields = Fields::new(object, UnknownFields::Ignored);
    let grant_type: Option<String> = fields.optional("grant_type", text);
    if grant_type.is_some_and(|grant_type| grant_type != "password") {
        fields.refuse("grant_type", "must be password");
    }
    Ok(fields)
}
