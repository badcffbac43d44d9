//! `DELETE /api/v1/{upload_id}`: gives an upload up.
//!
//! The record changes first, in one transaction with the work that removes what the upload left; then S3 is told. So
//! whatever is sent meanwhile, or arrives late, belongs to a media that has ended, and is removed. Once an upload is
//! being completed it is too late: of an abort and a completion at the same time one is refused.

use std::sync::Arc;

use api::{
    Access, Answer, Clock, Code, Environment, Function, Problem, Request, StartError, http_function, warm_up,
};
use buckets::IngestBucket;
use domain::{
    Media, MiniatureState, Slot, State as MediaState, Status, Timestamp, Upload, UploadMethod, UploadState,
};
use http::StatusCode;
use table::{ChangeError, MediaChange, Record, Table};
use utoipa::OpenApi;

/// How often it is decided again because the record changed in between.
const ATTEMPTS: usize = 5;

struct State {
    table: Table,
    access: Access,
    ingest: IngestBucket,
    clock: Clock,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS` and `INGEST_BUCKET`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        ingest: environment.ingest_bucket(&aws)?,
        clock: environment.clock(),
    };
    warm_up("table", state.table.open_for_uploads()).await;
    Ok(http_function(state, handle))
}

/// Gives an upload up: of a media, with which the media expires, or of its miniature alone.
#[utoipa::path(
    delete,
    path = "/api/v1/{upload_id}",
    tag = "uploads",
    params(("upload_id" = String, Path, format = Uuid)),
    responses(
        (status = 204, description = "It has ended without an object; again, if it had before."),
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
        (status = 404, description = "`not_found`", body = api::ProblemBody),
        (status = 409, description = "`upload_ended`: it was completed; `changed_meanwhile`", body = api::ProblemBody),
    )
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let upload = state.access.own_upload(&request, &state.table).await?;
    for _ in 0..ATTEMPTS {
        let now = state.clock.now();
        let media = match state.table.media(upload.media_id, now).await? {
            Record::Media(media) if media.status() != Status::Deleting => *media,
            _ => return Err(Problem::not_found("upload")),
        };
        let Some(aborted) = aborted(&media, &upload, now)? else {
            return Ok(Answer::empty(StatusCode::NO_CONTENT));
        };
        let uploads = vec![upload.clone().end(UploadState::Aborted, now)];
        let change = MediaChange { uploads, ..MediaChange::of(aborted) };
        match state.table.change_media(&media, &change).await {
            Ok(()) => {
                end_multipart(&state, &upload).await;
                return Ok(Answer::empty(StatusCode::NO_CONTENT));
            }
            Err(ChangeError::Outdated) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ChangeError::Outdated.into())
}

/// What the media becomes; `None` if the upload has ended without an object already.
fn aborted(media: &Media, upload: &Upload, now: Timestamp) -> Result<Option<Media>, Problem> {
    let too_late = || {
        Problem::new(Code::UploadEnded, "This upload was completed. DELETE the media if you do not want it.")
    };
    match (upload.slot, &media.state, &media.miniature) {
        (Slot::Source, MediaState::AwaitingUpload, _) => Ok(Some(media.expire(now))),
        (Slot::Source, MediaState::Expired, _) => Ok(None),
        (Slot::Miniature, _, Some(miniature)) => match miniature.state {
            MiniatureState::AwaitingUpload => {
                Ok(Some(media.with_miniature(miniature.end(MiniatureState::Expired), now)))
            }
            MiniatureState::Expired => Ok(None),
            MiniatureState::Processing { .. }
            | MiniatureState::Published { .. }
            | MiniatureState::Rejected { .. } => Err(too_late()),
        },
        (Slot::Source, _, _) | (Slot::Miniature, _, None) => Err(too_late()),
    }
}

/// Has S3 end an upload in parts. If that fails, the sweep does it with the rest of what the upload left.
async fn end_multipart(state: &State, upload: &Upload) {
    if let UploadMethod::Multipart { s3_upload_id, .. } = &upload.method
        && let Err(error) = state.ingest.abort_multipart(&upload.key(), s3_upload_id).await
    {
        tracing::warn!(upload_id = %upload.id, %error, "the parts of an aborted upload are left to the sweep");
    }
}
