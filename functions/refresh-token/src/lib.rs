//! `POST /auth/refresh`: fresh tokens for a refresh token.
//!
//! Each use issues another refresh token; the one that was used works for ten seconds more, or until its successor is used,
//! so that two tabs and a lost answer do no harm. Each token issued so goes on by itself. One that is used after its end
//! was copied: the session ends, for the thief and for the user, who logs in again (RFC 9700, section 4.14.2). What was
//! never issued ends nothing.

use std::sync::Arc;

use api::refusals::{
    AccountDisabled, Aws, ChangedMeanwhile, JsonBody, Refused, SessionEnded, TokenInvalid, TokenReused,
};
use api::{
    Answer, Clock, Code, Environment, Function, Problem, Request, StartError, TokenIssuer, TokensBody,
    http_function, text, warm_up,
};
use auth::RefreshToken;
use domain::{Session, Timestamp, User};
use table::{ChangeError, Table};
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /auth/refresh";

/// The session may change between being read and being written; then it is read again.
const ATTEMPTS: usize = 3;

struct State {
    table: Table,
    clock: Clock,
    tokens: TokenIssuer,
}

/// What is asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct Refresh {
    /// As logging in or refreshing answered it.
    #[schema(example = "AaH3-DAAfDqbUW8tTI4KFwGh9_gwAH0howT3Yc1n9rQ")]
    refresh_token: String,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_KEYS_SECRET` and `ACCESS_SIGNING_KID`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        clock: environment.clock(),
        tokens: TokenIssuer::of(&environment, &aws).await?,
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

/// Refreshes. The session still ends 30 days after the log-in.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    tag = "accounts",
    request_body = Refresh,
    responses(
        (status = 200, description = "Fresh tokens of the same session.", body = TokensBody),
        Refused<(JsonBody, TokenInvalid, SessionEnded, TokenReused, AccountDisabled, ChangedMeanwhile, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let presented = parse(&request)?;
    let issued = presented.successor().map_err(Problem::internal)?;
    for _ in 0..ATTEMPTS {
        let now = state.clock.now();
        let (user, session) = going_on(&state.table, &presented, now).await?;
        let used_sha256 = presented.sha256();
        if !session.accepts(&used_sha256, now) {
            return Err(end_copied(&state.table, &session).await);
        }
        match state.table.rotate_refresh_token(&session, &used_sha256, &issued.sha256(), now).await {
            Ok(()) => return Answer::ok(&state.tokens.issue(&user, &session, &issued, now)?),
            Err(ChangeError::Outdated) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ChangeError::Outdated.into())
}

fn parse(request: &Request) -> Result<RefreshToken, Problem> {
    let mut fields = request.json_fields(CANONICAL)?;
    let token: Option<String> = fields.required("refresh_token", text);
    let token = fields.finish_with(token)?;
    RefreshToken::parse(&token).ok_or_else(not_ours)
}

fn not_ours() -> Problem {
    Problem::new(Code::TokenInvalid, "The refresh token is not valid here. Log in again.")
}

/// The session of a refresh token, and its user, if both go on.
async fn going_on(table: &Table, token: &RefreshToken, now: Timestamp) -> Result<(User, Session), Problem> {
    let session = table.session(token.user_id(), token.session_id(), now).await?;
    let session = session.ok_or_else(Problem::session_ended)?;
    if !token.is_of_family(&session.family_sha256) {
        return Err(not_ours());
    }
    let user = table.user(token.user_id()).await?.ok_or_else(Problem::session_ended)?;
    if user.disabled {
        return Err(Problem::account_disabled());
    }
    if !user.keeps_session(session.id, session.generation) {
        return Err(Problem::session_ended());
    }
    Ok((user, session))
}

/// Ends a session of which a token was copied.
async fn end_copied(table: &Table, session: &Session) -> Problem {
    tracing::warn!(user_id = %session.user_id, session_id = %session.id, "a refresh token was copied");
    match table.end_session(session.user_id, session.id, &session.family_sha256).await {
        Ok(()) => Problem::new(
            Code::TokenReused,
            "This refresh token was used before, so somebody may have copied it. The session has ended: log in again.",
        ),
        Err(error) => error.into(),
    }
}
