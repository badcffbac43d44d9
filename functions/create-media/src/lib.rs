//! `POST /media`: announces a file and answers how to upload it.

use std::sync::Arc;

use api::body::AnnouncedBody;
use api::uploads::{Begun, FileRequest, Uploads};
use api::{Access, Answer, Environment, Function, Problem, Request, StartError, http_function};
use domain::may_upload;
use http::StatusCode;

const CANONICAL: &str = "POST /media";

/// How many parts of an upload in parts come signed.
const SIGNED_PARTS: usize = 10;

struct State {
    access: Access,
    uploads: Uploads,
}

/// The function, with `TOKEN_ISSUER`, `ACCESS_JWKS` and the variables of [`Uploads::of`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State { access: Access::of(&environment)?, uploads: Uploads::of(&environment, &aws)? };
    state.uploads.warm_up().await;
    Ok(http_function(state, handle))
}

/// Creates a media in `awaiting_upload` and signs what uploads its file.
#[utoipa::path(
    post,
    path = "/media",
    tag = "uploads",
    params(
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, description = "The same key and body gives the same media again."),
    ),
    request_body = FileRequest,
    responses(
        (status = 201, body = AnnouncedBody),
        (status = 200, description = "The caller has announced the same SHA-256 and size before.", body = AnnouncedBody),
        (
            status = 401,
            description = "`token_missing`, `token_invalid`, `token_expired`, `session_ended`",
            body = api::ProblemBody,
        ),
        (
            status = 403,
            description = "`role_insufficient`, `account_disabled`, `password_change_required`",
            body = api::ProblemBody,
        ),
        (status = 409, description = "`quota_exceeded`, `changed_meanwhile`", body = api::ProblemBody),
        (status = 422, description = "`invalid`, `idempotency_key_reused`", body = api::ProblemBody),
    )
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, state.uploads.table()).await?;
    Problem::unless_allowed(may_upload(caller.role), "media")?;
    let key = request.idempotency_key()?;
    let asked = FileRequest::take(request.json_fields(CANONICAL)?, state.uploads.limits())?;
    let api_url = request.api_url();
    let begun = state.uploads.begin(&caller, asked, key, SIGNED_PARTS, &api_url).await?;
    answer(&begun, &api_url)
}

fn answer(begun: &Begun, api_url: &str) -> Result<Answer, Problem> {
    let status = if begun.is_known { StatusCode::OK } else { StatusCode::CREATED };
    let location = format!("/media/{}", begun.media.id);
    Answer::json(status, &AnnouncedBody::new(begun, api_url))?.header(http::header::LOCATION, &location)
}
