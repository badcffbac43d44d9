//! What Uppy's `@uppy/aws-s3` asks of a companion server, so that it uploads here without a line of its own: a form for a
//! small file; an upload in parts begun, signed part by part, listed, completed or given up.
//!
//! The routes are there twice. Under `/s3/…` an access token says who asks: version 5 sends `headers`. Under
//! `/u/{upload_token}/s3/…` the path does: version 6 sends none. Shapes and names are Uppy's own, as
//! `@uppy/aws-s3` 5.1 and 6.3 and `@uppy/companion-client` 5.1 read them.
//!
//! Uppy tells no size and cuts parts as it likes. So a form takes a file up to the deployment's limit, and parts, whose
//! signatures cannot bound their length, are added up before they are joined. The `uploadId` is this API's own: that of
//! S3 is never shown. The `key` that Uppy sends back is not read.

mod documentation;
mod request;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::body::UploadBody;
use api::refusals::{
    Aws, ChangedMeanwhile, CurrentCaller, FileTooLarge, JsonBody, NotFound, NotMultipart, ObjectMissing,
    Parameters, PartsIncomplete, QuotaExceeded, RateLimited, Refused, RoleInsufficient, UploadEnded,
};
use api::uploads::{
    Aborter, Begun, CompleteRequest, CompletedUpload, Completer, FileRequest, UploadLimits, Uploads,
    named_parts,
};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, UserLimit, http_function,
};
use buckets::UploadSigner;
use domain::{
    Action, MediaId, PartNumber, SourceKey, Upload, UploadId, UploadMethod, UploadState, UploadedPart, decide,
};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::documentation::AgainWithUploadToken;
use crate::request::{FileInParts, FormParameters, file_in_parts, file_of_form};

/// What stands in front of a route that is told by its path who asks.
const WITH_UPLOAD_TOKEN: &str = "/u/{upload_token}";

/// When to ask again for an object that S3 is still making.
const RETRY_AFTER_SECONDS: &str = "5";

struct State {
    access: Access,
    uploads: Uploads,
    limit: UserLimit,
    signer: UploadSigner,
    completer: Completer,
    aborter: Aborter,
    clock: Clock,
}

/// A form that uploads a file: all `fields`, then `file`.
#[derive(Serialize, ToSchema)]
struct UppyForm {
    /// Always `post`.
    #[schema(example = "post")]
    method: &'static str,
    /// Where to send it.
    #[schema(format = "uri", example = "https://ingest.s3.eu-central-1.amazonaws.com/")]
    url: String,
    /// What it has in front of the file.
    #[schema(example = json!({"Content-Type": "video/mp4", "key": "uploads/01a1f806-60d0-7abc-8def-0123456789ab/source", "policy": "eyJleHBpcmF0aW9uIjoi", "x-amz-signature": "5d672d79c15b13162d9279b0855cfba6"}))]
    fields: BTreeMap<String, String>,
    /// How long it can be sent, in seconds.
    #[schema(maximum = 3_600, example = 3_600)]
    expires: u64,
    /// The media that the file becomes.
    media_id: MediaId,
}

/// An upload in parts that was begun.
#[derive(Serialize, ToSchema)]
struct UppyUpload {
    /// Which upload it is.
    #[serde(rename = "uploadId")]
    upload_id: UploadId,
    /// Where its object will be. Uppy sends it back; it need not.
    #[schema(value_type = String, example = "uploads/01a1f806-60d0-7abc-8def-0123456789ab/source")]
    key: SourceKey,
    /// The media that the file becomes.
    media_id: MediaId,
}

/// A part that is there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct UppyPart {
    /// Its number, from 1.
    part_number: PartNumber,
    /// How many bytes it has.
    #[schema(maximum = 5_368_709_120_u64, example = 5_242_880)]
    size: u64,
    /// S3's tag of it, in quotes.
    #[serde(rename = "ETag")]
    #[schema(example = "\"5d41402abc4b2a76b9719d911017c592\"")]
    etag: String,
}

/// Where to PUT a part.
#[derive(Serialize, ToSchema)]
struct UppySignedPart {
    /// Where to send its bytes.
    #[schema(
        format = "uri",
        example = "https://ingest.s3.eu-central-1.amazonaws.com/uploads/01a1f806-60d0-7abc-8def-0123456789ab/source?partNumber=1&uploadId=VXBsb2FkIElE&X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6"
    )]
    url: String,
    /// How long it can be sent, in seconds.
    #[schema(maximum = 3_600, example = 3_600)]
    expires: u64,
}

/// An upload that is complete.
#[derive(Serialize, ToSchema)]
struct UppyLocation {
    /// The media.
    #[schema(format = "uri", example = "https://api.example.com/media/01a1f806-60d0-7abc-8def-0123456789ab")]
    location: String,
    /// As it was when the upload began.
    #[schema(value_type = String, example = "uploads/01a1f806-60d0-7abc-8def-0123456789ab/source")]
    key: SourceKey,
    /// The media's id.
    media_id: MediaId,
}

/// Nothing.
#[derive(Serialize, ToSchema)]
struct UppyNothing {}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(
    paths(sign_form, begin, list_parts, sign_part, complete, abort),
    modifiers(&AgainWithUploadToken)
)]
pub struct Documentation;

/// The function, with `TOKEN_ISSUER`, `ACCESS_JWKS`, `CAPABILITY_JWKS` and the variables of [`Uploads::of`],
/// [`UserLimit::of_uploads`] and [`Completer::of`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        access: Access::with_upload_tokens(&environment)?,
        uploads: Uploads::of(&environment, &aws)?,
        limit: UserLimit::of_uploads(&environment, &aws)?,
        signer: environment.upload_signer(&aws)?,
        completer: Completer::of(&environment, &aws)?,
        aborter: Aborter::of(&environment, &aws)?,
        clock: environment.clock(),
    };
    state.uploads.warm_up().await;
    Ok(http_function(state, handle))
}

async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let route = request.route().replace(WITH_UPLOAD_TOKEN, "");
    let answered = match route.as_str() {
        "GET /s3/params" => sign_form(&state, &request).await,
        "POST /s3/multipart" => begin(&state, &request).await,
        "GET /s3/multipart/{upload_id}" => list_parts(&state, &request).await,
        "GET /s3/multipart/{upload_id}/{part_number}" => sign_part(&state, &request).await,
        "POST /s3/multipart/{upload_id}/complete" => complete(&state, &request).await,
        "DELETE /s3/multipart/{upload_id}" => abort(&state, &request).await,
        other => Err(Problem::internal(format!("{other} is no route of this function"))),
    };
    answered.map_err(Problem::for_uppy)
}

/// Announces the file that `read` finds in a request, of somebody who may upload.
async fn announce(
    state: &State,
    request: &Request,
    read: fn(&Request, &UploadLimits) -> Result<FileRequest, Problem>,
) -> Result<Begun, Problem> {
    let caller = state.access.current_caller(request, state.uploads.table()).await?;
    Problem::unless_allowed(decide(&caller, Action::Upload), "media")?;
    let file = read(request, state.uploads.limits())?;
    state.limit.count(request, caller.user_id, 1).await?;
    state.uploads.begin(&caller, file, None, 0, &request.api_url()).await
}

/// Announces a file that comes in one piece, and signs the form that uploads it.
#[utoipa::path(
    get,
    path = "/s3/params",
    tag = "uppy",
    params(FormParameters),
    responses(
        (status = 200, description = "The form. It uploads one file.", body = UppyForm),
        Refused<(CurrentCaller, RoleInsufficient, Parameters, RateLimited, QuotaExceeded, Aws)>,
    ),
)]
async fn sign_form(state: &State, request: &Request) -> Result<Answer, Problem> {
    let begun = announce(state, request, file_of_form).await?;
    match begun.upload {
        Some(UploadBody::Post { url, fields, expires_at, .. }) => Answer::ok(&UppyForm {
            method: "post",
            url,
            fields,
            expires: state.clock.now().until(expires_at).as_secs(),
            media_id: begun.media.id,
        }),
        _ => Err(Problem::internal("a form was announced, and is none")),
    }
}

/// Announces a file that comes in parts.
#[utoipa::path(
    post,
    path = "/s3/multipart",
    tag = "uppy",
    extensions(("x-unknown-fields" = json!("ignored"))),
    request_body = FileInParts,
    responses(
        (status = 200, description = "The upload was begun.", body = UppyUpload),
        Refused<(CurrentCaller, RoleInsufficient, JsonBody, RateLimited, QuotaExceeded, Aws)>,
    ),
)]
async fn begin(state: &State, request: &Request) -> Result<Answer, Problem> {
    let begun = announce(state, request, file_in_parts).await?;
    match begun.upload {
        Some(UploadBody::Multipart { upload_id, .. }) => {
            let media_id = begun.media.id;
            let key = SourceKey { media_id, slot: domain::Slot::Source };
            Answer::ok(&UppyUpload { upload_id, key, media_id })
        }
        _ => Err(Problem::internal("an upload in parts was announced, and is none")),
    }
}

/// Lists the parts that S3 has, all pages of them.
#[utoipa::path(
    get,
    path = "/s3/multipart/{upload_id}",
    tag = "uppy",
    params(
        ("upload_id" = UploadId, Path),
        ("key" = Option<String>, Query, description = "What `POST /s3/multipart` answered. It is not read."),
    ),
    responses(
        (status = 200, description = "The parts, by number.", body = Vec<UppyPart>),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, NotMultipart, UploadEnded, Aws)>,
    ),
)]
async fn list_parts(state: &State, request: &Request) -> Result<Answer, Problem> {
    let upload = own_upload(state, request).await?;
    if !matches!(upload.state, UploadState::Open | UploadState::Completing) {
        return Err(Problem::upload_ended());
    }
    let parts = uploaded_parts(state, &upload).await?;
    Answer::ok(&parts.into_iter().map(UppyPart::from).collect::<Vec<_>>())
}

async fn uploaded_parts(state: &State, upload: &Upload) -> Result<Vec<UploadedPart>, Problem> {
    let UploadMethod::Multipart { s3_upload_id, .. } = &upload.method else {
        return Err(Problem::not_multipart());
    };
    let parts = state.completer.ingest().list_parts(&upload.key(), s3_upload_id).await?;
    parts.ok_or_else(Problem::upload_ended)
}

impl From<UploadedPart> for UppyPart {
    fn from(UploadedPart { number, size_bytes, etag }: UploadedPart) -> Self {
        Self { part_number: number, size: size_bytes, etag: format!("\"{etag}\"") }
    }
}

/// Signs the part with this number.
#[utoipa::path(
    get,
    path = "/s3/multipart/{upload_id}/{part_number}",
    tag = "uppy",
    params(
        ("upload_id" = UploadId, Path),
        ("part_number" = PartNumber, Path),
        ("key" = Option<String>, Query, description = "What `POST /s3/multipart` answered. It is not read."),
    ),
    responses(
        (status = 200, description = "The part, signed. Without what was sent before it, only the next 32 are.", body = UppySignedPart),
        Refused<(
            CurrentCaller, NotFound, RoleInsufficient, NotMultipart, UploadEnded, PartsIncomplete, FileTooLarge,
            Parameters, Aws,
        )>,
    ),
)]
async fn sign_part(state: &State, request: &Request) -> Result<Answer, Problem> {
    let upload = own_upload(state, request).await?;
    let rules = upload.part_rules().ok_or_else(Problem::not_multipart)?;
    let now = state.clock.now();
    if !upload.is_open(now) {
        return Err(Problem::upload_ended());
    }
    let number: String = request.path_id("part_number", "part")?;
    let part = rules
        .find(number.parse().ok())
        .map_err(|invalid| Problem::invalid_field("{part_number}", invalid))?;
    if rules.plan().is_none() {
        rules.check_under_way(part.number, &uploaded_parts(state, &upload).await?)?;
    }
    let signed = state.signer.presign_part(&upload, part, now).await?;
    Answer::ok(&UppySignedPart { url: signed.url, expires: now.until(signed.expires_at).as_secs() })
}

/// Completes an upload in parts.
#[utoipa::path(
    post,
    path = "/s3/multipart/{upload_id}/complete",
    tag = "uppy",
    params(
        ("upload_id" = UploadId, Path),
        ("key" = Option<String>, Query, description = "What `POST /s3/multipart` answered. It is not read."),
    ),
    request_body = CompleteRequest,
    responses(
        (status = 200, description = "The object is there.", body = UppyLocation),
        (status = 202, description = "S3 is still joining the parts, and goes on by itself. Ask again after `Retry-After`.", body = UppyLocation),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, JsonBody, PartsIncomplete, FileTooLarge, QuotaExceeded, ObjectMissing, UploadEnded, ChangedMeanwhile, Aws)>,
    ),
)]
async fn complete(state: &State, request: &Request) -> Result<Answer, Problem> {
    let upload = own_upload(state, request).await?;
    let named = named_parts(request, &upload)?;
    let CompletedUpload { media, etag, .. } = state.completer.complete(&upload, named.as_ref()).await?;
    let location = format!("{}/media/{}", request.api_url(), media.id);
    let body = UppyLocation { location, key: upload.key(), media_id: media.id };
    match etag {
        Some(_) => Answer::ok(&body),
        None => Answer::json(StatusCode::ACCEPTED, &body)?.header(RETRY_AFTER, RETRY_AFTER_SECONDS),
    }
}

/// Gives an upload up.
#[utoipa::path(
    delete,
    path = "/s3/multipart/{upload_id}",
    tag = "uppy",
    params(
        ("upload_id" = UploadId, Path),
        ("key" = Option<String>, Query, description = "What `POST /s3/multipart` answered. It is not read."),
    ),
    responses(
        (status = 200, description = "It has ended without an object; again, if it had before.", body = UppyNothing),
        Refused<(CurrentCaller, NotFound, RoleInsufficient, UploadEnded, ChangedMeanwhile, Aws)>,
    ),
)]
async fn abort(state: &State, request: &Request) -> Result<Answer, Problem> {
    let upload = own_upload(state, request).await?;
    state.aborter.abort(&upload).await?;
    // Uppy 5 reads a body.
    Answer::ok(&UppyNothing {})
}

async fn own_upload(state: &State, request: &Request) -> Result<Upload, Problem> {
    state.access.own_upload(request, state.uploads.table()).await
}
