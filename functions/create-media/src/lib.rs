//! `POST /media`: announces a file and answers how to upload it.

mod request;

use std::sync::Arc;
use std::time::Duration;

use api::body::{MediaBody, UploadBody};
use api::{
    Access, Answer, Clock, Environment, EnvironmentError, Function, Problem, Request, StartError,
    http_function, warm_up,
};
use buckets::UploadSigner;
use domain::{
    AllowedContentTypes, Caller, MAX_PUT_SIZE_BYTES, Media, MediaId, SizeBytes, Slot, State as MediaState,
    Timestamp, Upload, UploadId, UploadMethod, UploadState, Work, WorkKind, may_upload,
};
use serde::Serialize;
use table::Table;
use utoipa::ToSchema;

use crate::request::CreateMedia;

struct State {
    table: Table,
    access: Access,
    clock: Clock,
    signer: UploadSigner,
    limits: Limits,
}

/// What the deployment allows.
struct Limits {
    content_types: AllowedContentTypes,
    max_upload_bytes: SizeBytes,
    upload_deadline: Duration,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
struct Created<'a> {
    media: MediaBody<'a>,
    upload: UploadBody,
}

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS`, `INGEST_BUCKET`, `UPLOAD_ROLE_ARN`,
/// `ALLOWED_CONTENT_TYPES`, `MAX_UPLOAD_BYTES` and `UPLOAD_DEADLINE_SECONDS`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        signer: environment.upload_signer(&aws)?,
        limits: Limits {
            content_types: environment.parsed("ALLOWED_CONTENT_TYPES")?,
            max_upload_bytes: max_upload_bytes(&environment)?,
            upload_deadline: Duration::from_secs(environment.parsed("UPLOAD_DEADLINE_SECONDS")?),
        },
    };
    tokio::join!(
        warm_up("table", state.table.open_for_users()),
        warm_up("credentials", state.signer.prepare()),
    );
    Ok(http_function(state, handle))
}

/// What the deployment allows, within what one PUT takes.
fn max_upload_bytes(environment: &Environment) -> Result<SizeBytes, EnvironmentError> {
    let name = "MAX_UPLOAD_BYTES";
    let bytes = environment.parsed(name)?;
    if (1..=MAX_PUT_SIZE_BYTES).contains(&bytes) {
        return Ok(bytes);
    }
    let reason = format!("{bytes} is not from 1 to {MAX_PUT_SIZE_BYTES}, what one PUT takes");
    Err(EnvironmentError::Malformed { name, reason })
}

/// Creates a media in `awaiting_upload` and signs the request that uploads its file.
#[utoipa::path(
    post,
    path = "/media",
    tag = "uploads",
    request_body = CreateMedia,
    responses(
        (status = 201, body = Created),
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
        (status = 422, description = "`invalid`", body = api::ProblemBody),
    )
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, &state.table).await?;
    Problem::unless_allowed(may_upload(caller.role), "media")?;
    let asked = CreateMedia::parse(&request, &state.limits)?;
    let now = state.clock.now();
    let media_id = MediaId::new(state.clock.new_id());
    let upload_id = UploadId::new(state.clock.new_id());
    let upload = begin_upload(&asked, &caller, media_id, upload_id, now, state.limits.upload_deadline);
    let media = announce(asked, &upload, now);
    // Signed before it is recorded: a signature alone has no effect, a record without one would have to be undone.
    let presigned = state.signer.presign_put(&upload, now).await?;
    state.table.create_media(&media, &upload).await?;
    let body = Created { media: MediaBody::new(&media, None), upload: UploadBody::put(&upload, presigned) };
    Answer::created(&format!("/media/{media_id}"), &body)
}

fn begin_upload(
    asked: &CreateMedia,
    caller: &Caller,
    media_id: MediaId,
    id: UploadId,
    now: Timestamp,
    deadline: Duration,
) -> Upload {
    Upload {
        id,
        media_id,
        owner_id: caller.user_id,
        slot: Slot::Source,
        method: UploadMethod::Put,
        state: UploadState::Open,
        content_type: asked.content_type.clone(),
        size_bytes: asked.size_bytes,
        checksum_sha256: asked.checksum_sha256.clone(),
        checksum_crc64nvme: asked.checksum_crc64nvme.clone(),
        created_at: now,
        deadline: now.plus(deadline),
        expires_at: None,
    }
}

fn announce(asked: CreateMedia, upload: &Upload, now: Timestamp) -> Media {
    Media {
        id: upload.media_id,
        owner_id: upload.owner_id,
        title: asked.title,
        description: asked.description,
        tags: asked.tags,
        kind: asked.content_type.kind(),
        content_type: asked.content_type,
        filename: asked.filename,
        size_bytes: asked.size_bytes,
        checksum_sha256: asked.checksum_sha256,
        checksum_crc64nvme: asked.checksum_crc64nvme,
        checksum_verified: None,
        visibility: asked.visibility,
        state: MediaState::AwaitingUpload,
        duration_seconds: None,
        thumbnail_url: asked.thumbnail_url,
        created_at: now,
        updated_at: now,
        version: 1,
        upload_id: upload.id,
        work: Some(Work { kind: WorkKind::Upload, due: upload.deadline }),
        reserved_bytes: asked.size_bytes,
        extract_metadata_attempts: 0,
        upload_to_cdn_attempts: 0,
    }
}
