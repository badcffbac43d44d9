//! `POST /api/v1/{upload_id}/complete`: the client says that all bytes are there, and it is seen to that they are.
//!
//! What it is answered is decided by [`Completer`]. It may be asked again at any time, and by several at once: it answers the
//! same, and goes on where another request died. One that S3 takes long for is answered with 202; S3 goes on by itself,
//! and tells by an event, as of every object.

use std::sync::Arc;

use api::body::MediaBody;
use api::refusals::{
    Aws, ChangedMeanwhile, CurrentCaller, FileTooLarge, JsonBody, NotFound, ObjectMissing, PartsIncomplete,
    QuotaExceeded, Refused, RoleInsufficient, UploadEnded,
};
use api::uploads::{CompleteRequest, CompletedUpload, Completer, named_parts};
use api::{
    Access, Answer, Environment, Function, Problem, Request, StartError, ThumbnailUrls, http_function,
    warm_up,
};
use domain::{ETag, UploadId};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;
use table::Table;
use utoipa::{OpenApi, ToSchema};

/// When to ask again for an object that S3 is still making.
const RETRY_AFTER_SECONDS: &str = "5";

struct State {
    table: Table,
    access: Access,
    completer: Completer,
    thumbnails: ThumbnailUrls,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = CompletedUpload)]
struct Completed<'a> {
    /// The media.
    media: MediaBody<'a>,
    /// S3's tag of the object, without quotes; not there while S3 is still making it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ETag)]
    etag: Option<&'a str>,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TOKEN_ISSUER`, `ACCESS_JWKS`, the variables of [`Completer::of`] and, where there is one,
/// `CDN_DOMAIN`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        completer: Completer::of(&environment, &aws)?,
        thumbnails: ThumbnailUrls::of(&environment),
    };
    tokio::join!(
        warm_up("table", state.table.open_for_uploads()),
        warm_up("ingest bucket", state.completer.ingest().check()),
    );
    Ok(http_function(state, handle))
}

/// Completes an upload: joins its parts, or checks that its object is there.
#[utoipa::path(
    post,
    path = "/api/v1/{upload_id}/complete",
    tag = "uploads",
    params(("upload_id" = UploadId, Path)),
    request_body(content = Option<CompleteRequest>, description = "Without it, what S3 lists is completed."),
    responses(
        (status = 200, description = "The object is there.", body = Completed),
        (status = 202, description = "S3 is still joining the parts. Ask again after `Retry-After`.", body = Completed),
        Refused<(
            CurrentCaller, NotFound, RoleInsufficient, JsonBody, PartsIncomplete, FileTooLarge, QuotaExceeded,
            ObjectMissing, UploadEnded, ChangedMeanwhile, Aws,
        )>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let upload = state.access.own_upload(&request, &state.table).await?;
    let named = named_parts(&request, &upload)?;
    let CompletedUpload { media, metadata, etag } = state.completer.complete(&upload, named.as_ref()).await?;
    let body = Completed {
        media: MediaBody::new(&media, metadata.as_ref(), &state.thumbnails.base(&request)),
        etag: etag.as_deref(),
    };
    match etag {
        Some(_) => Answer::ok(&body),
        None => Answer::json(StatusCode::ACCEPTED, &body)?.header(RETRY_AFTER, RETRY_AFTER_SECONDS),
    }
}
