//! `POST /upload-tokens`: a token that uploads through Uppy's companion routes without an access token.
//!
//! Uppy 6 sends a companion no header, so what says whose the uploads are is a part of the path. A path is seen by more
//! people than a header is, in a browser's history and in the logs of proxies; so the token can upload, and nothing else. It
//! ends with its life, with its user's right to upload, and when their sessions are ended: by a change of the password, or
//! when an admin shuts them out. A session that its user logs out of by themselves leaves it.

use std::sync::Arc;
use std::time::Duration;

use api::refusals::{Aws, CurrentCaller, JsonBody, Refused, RoleInsufficient};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, SignedIn, StartError, http_function,
    integer, warm_up,
};
use auth::{LONGEST_UPLOAD_TOKEN_LIFE, TokenSigner, UploadClaims};
use domain::{Action, Timestamp, decide};
use http::StatusCode;
use http::header::LOCATION;
use serde::Serialize;
use table::Table;
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /upload-tokens";
const SHORTEST_EXPIRES_IN_SECONDS: u64 = 60;
const DEFAULT_EXPIRES_IN_SECONDS: u64 = 3_600;

struct State {
    table: Table,
    access: Access,
    tokens: TokenSigner<UploadClaims>,
    clock: Clock,
}

/// What is asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct UploadTokenRequest {
    /// How long the token is to live, in seconds; an hour by default.
    #[schema(minimum = 60, maximum = 86_400, default = 3_600, example = 3_600)]
    expires_in: Option<u64>,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
struct UploadToken {
    /// The token, a JWT.
    #[schema(example = "eyJ0eXAiOiJ1cGxvYWQrand0In0.eyJzdWIiOiIwMWExZjdmOCJ9.c2lnbmF0dXJl")]
    upload_token: String,
    /// How long it lives, in seconds.
    #[schema(minimum = 60, maximum = 86_400, example = 3_600)]
    expires_in: u64,
    /// When it ends.
    expires_at: Timestamp,
    /// What Uppy is given: `companionEndpoint` of version 6, `endpoint` of version 5.
    #[schema(
        format = "uri",
        example = "https://api.example.com/u/eyJ0eXAiOiJ1cGxvYWQrand0In0.eyJzdWIiOiIwMWExZjdmOCJ9.c2lnbmF0dXJl"
    )]
    companion_url: String,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS`, and the key `CAPABILITY_SIGNING_KID` of the secret
/// `CAPABILITY_KEYS_SECRET`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let key = environment.signing_key(&aws, "CAPABILITY_KEYS_SECRET", "CAPABILITY_SIGNING_KID").await?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        tokens: TokenSigner::new(environment.required("TOKEN_ISSUER")?, key),
        clock: environment.clock(),
    };
    warm_up("table", state.table.open_for_users()).await;
    Ok(http_function(state, handle))
}

/// Makes an upload token of the caller.
#[utoipa::path(
    post,
    path = "/upload-tokens",
    tag = "uppy",
    request_body(content = Option<UploadTokenRequest>, description = "Without it, the token lives an hour."),
    responses(
        (status = 201, description = "The token, and the URL that Uppy is given.", body = UploadToken),
        Refused<(CurrentCaller, RoleInsufficient, JsonBody, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let signed_in = state.access.signed_in(&request, &state.table).await?;
    Problem::unless_allowed(decide(&signed_in.caller()?, Action::Upload), "media")?;
    let expires_in = expires_in(&request)?;
    let now = state.clock.now();
    let expires_at = now.plus(Duration::from_secs(expires_in));
    let SignedIn { user, session_id } = signed_in;
    let claims = UploadClaims {
        sub: user.id,
        sid: session_id,
        session_generation: user.session_generation,
        iat: now.unix_seconds(),
        exp: expires_at.unix_seconds(),
        jti: state.clock.new_id(),
    };
    let upload_token = state.tokens.sign(claims).map_err(Problem::internal)?;
    let path = format!("/u/{upload_token}");
    let companion_url = format!("{}{path}", request.api_url());
    let body = UploadToken { upload_token, expires_in, expires_at, companion_url };
    Answer::json(StatusCode::CREATED, &body)?.header(LOCATION, &path)
}

fn expires_in(request: &Request) -> Result<u64, Problem> {
    if request.body().is_empty() {
        return Ok(DEFAULT_EXPIRES_IN_SECONDS);
    }
    let bounds = SHORTEST_EXPIRES_IN_SECONDS..=LONGEST_UPLOAD_TOKEN_LIFE.as_secs();
    let mut fields = request.json_fields(CANONICAL)?;
    let expires_in = fields.optional("expires_in", |value| integer(value, bounds));
    fields.finish()?;
    Ok(expires_in.unwrap_or(DEFAULT_EXPIRES_IN_SECONDS))
}
