//! `POST /media`: announces a file and answers how to upload it.

use std::sync::Arc;

use api::body::{MediaBody, UploadBody};
use api::uploads::{Begun, FileRequest, Uploads};
use api::{Access, Answer, Environment, Function, Problem, Request, StartError, http_function};
use domain::may_upload;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

const CANONICAL: &str = "POST /media";

/// How many parts of an upload in parts come signed.
const SIGNED_PARTS: usize = 10;

struct State {
    access: Access,
    uploads: Uploads,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
struct Created<'a> {
    media: MediaBody<'a>,
    /// How to send the file, unless it is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<UploadBody>,
    /// How to send the miniature, if one was announced and is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    miniature_upload: Option<UploadBody>,
    /// `true` if the caller has uploaded the same bytes before, and nothing is to be sent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
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
        (status = 201, body = Created),
        (status = 200, description = "The caller has announced the same SHA-256 and size before.", body = Created),
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
    answer(&begun.media.id.to_string(), begun, &api_url)
}

fn answer(media_id: &str, begun: Begun, api_url: &str) -> Result<Answer, Problem> {
    let Begun { media, upload, miniature_upload, is_known } = begun;
    let duplicate = is_known && upload.is_none();
    let body = Created { media: MediaBody::new(&media, None, api_url), upload, miniature_upload, duplicate };
    let status = if is_known { StatusCode::OK } else { StatusCode::CREATED };
    Answer::json(status, &body)?.header(http::header::LOCATION, &format!("/media/{media_id}"))
}
