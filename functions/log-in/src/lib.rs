//! `POST /auth/login`: an access token and a refresh token for an e-mail and a password.
//!
//! A wrong password and an unknown e-mail are answered alike, with the same reads and the same hashing before it.

use std::sync::Arc;
use std::time::Duration;

use api::{
    Answer, Clock, Code, Environment, Fields, Function, Problem, Request, StartError, UnknownFields,
    http_function, text, warm_up,
};
use auth::{
    ACCESS_TOKEN_LIFE, AccessClaims, PasswordCheck, RefreshToken, TokenSigner, UNKNOWN_USER_HASH,
    check_password,
};
use domain::{Email, Session, SessionId, Timestamp, User, UserId};
use serde::Serialize;
use serde_json::Value;
use table::Table;
use utoipa::ToSchema;
use uuid::Uuid;

const CANONICAL: &str = "POST /auth/login";

const SESSION_LIFE: Duration = Duration::from_hours(30 * 24);

struct State {
    table: Table,
    clock: Clock,
    signer: TokenSigner<AccessClaims>,
}

/// What is asked for. As an OAuth 2.0 form: `grant_type=password`, `username` and `password`.
#[derive(ToSchema)]
struct LogIn {
    #[schema(value_type = String, format = Email)]
    email: Email,
    #[schema(format = Password)]
    password: String,
}

/// What is answered (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
struct Tokens {
    /// A JWT, to be sent as `Authorization: Bearer …`.
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// How long the access token lives, in seconds.
    expires_in: u64,
    /// Opaque; good for 30 days, once.
    refresh_token: String,
}

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_KEYS_SECRET` and `ACCESS_SIGNING_KID`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let key = environment.signing_key(&aws, "ACCESS_KEYS_SECRET", "ACCESS_SIGNING_KID").await?;
    let state = State {
        table: environment.table(&aws)?,
        clock: environment.clock(),
        signer: TokenSigner::new(environment.required("TOKEN_ISSUER")?, key),
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

/// Logs in.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "accounts",
    request_body = LogIn,
    responses(
        (status = 200, body = Tokens),
        (status = 401, description = "`credentials_invalid`", body = api::ProblemBody),
        (status = 403, description = "`account_disabled`", body = api::ProblemBody),
        (status = 422, description = "`invalid`", body = api::ProblemBody),
    )
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let asked = parse(&request)?;
    let user = user_with_password(&state.table, &asked).await?;
    if user.disabled {
        return Err(Problem::new(
            Code::AccountDisabled,
            "This account is disabled. Ask an admin to enable it.",
        ));
    }
    let tokens = begin_session(&state, &user).await?;
    Answer::ok(&tokens)
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

async fn begin_session(state: &State, user: &User) -> Result<Tokens, Problem> {
    let now = state.clock.now();
    let session_id = SessionId::new(state.clock.new_id());
    let refresh_token = RefreshToken::generate(user.id, session_id).map_err(Problem::internal)?;
    let session = Session {
        id: session_id,
        user_id: user.id,
        refresh_token_sha256: refresh_token.sha256(),
        created_at: now,
        expires_at: now.plus(SESSION_LIFE).unix_seconds(),
    };
    state.table.put_session(&session).await?;
    let access_token = state.signer.sign(claims(user, session_id, state.clock.new_id(), now));
    Ok(Tokens {
        access_token: access_token.map_err(Problem::internal)?,
        token_type: "bearer",
        expires_in: ACCESS_TOKEN_LIFE.as_secs(),
        refresh_token: refresh_token.to_text(),
    })
}

fn claims(user: &User, session_id: SessionId, token_id: Uuid, now: Timestamp) -> AccessClaims {
    AccessClaims {
        sub: user.id,
        role: user.role,
        sid: session_id,
        iat: now.unix_seconds(),
        exp: now.plus(ACCESS_TOKEN_LIFE).unix_seconds(),
        jti: token_id,
    }
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
