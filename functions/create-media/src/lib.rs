//! `POST /media`: announces a file and answers how to upload it; or stores the file of a form, up to what fits into one.

use std::sync::Arc;

use api::body::AnnouncedBody;
use api::refusals::{
    Aws, ChangedMeanwhile, CurrentCaller, FormBody, IdempotencyKeyReused, JsonBody, QuotaExceeded,
    RateLimited, Refused, RoleInsufficient, UploadEnded,
};
use api::uploads::{FileForm, FileRequest, MediaForm, Stored, Uploads};
use api::{
    Access, Answer, Environment, Function, Problem, Request, StartError, ThumbnailUrls, UserLimit,
    http_function,
};
use domain::{Action, Caller, IdempotencyKey, decide};
use http::StatusCode;
use http::header::LOCATION;
use utoipa::OpenApi;

const CANONICAL: &str = "POST /media";

/// How many parts of an upload in parts come signed.
const SIGNED_PARTS: usize = 10;

struct State {
    access: Access,
    uploads: Uploads,
    limit: UserLimit,
    max_form_bytes: usize,
    thumbnails: ThumbnailUrls,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TOKEN_ISSUER`, `ACCESS_JWKS`, `MAX_FORM_BYTES` and the variables of [`Uploads::of`] and
/// [`UserLimit::of_uploads`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        access: Access::of(&environment)?,
        uploads: Uploads::of(&environment, &aws)?,
        limit: UserLimit::of_uploads(&environment, &aws)?,
        max_form_bytes: environment.parsed("MAX_FORM_BYTES")?,
        thumbnails: ThumbnailUrls::of(&environment),
    };
    state.uploads.warm_up().await;
    Ok(http_function(state, handle))
}

/// Creates a media in `awaiting_upload` and signs what uploads its file. The file of a form is stored at once.
#[utoipa::path(
    post,
    path = "/media",
    tag = "uploads",
    params(("Idempotency-Key" = Option<IdempotencyKey>, Header, description = "The same key and body gives the same media again.")),
    request_body(content((FileRequest = "application/json"), (MediaForm = "multipart/form-data"))),
    responses(
        (status = 201, description = "The media, and how to send its file. The file of a form is stored already.", body = AnnouncedBody),
        (status = 200, description = "The caller has announced the same file, or sent the same request, before. With `duplicate: true` nothing is to be sent.", body = AnnouncedBody, headers(("Location" = String, description = "Where the media is."))),
        Refused<(
            CurrentCaller, RoleInsufficient, JsonBody, FormBody, IdempotencyKeyReused, RateLimited,
            QuotaExceeded, UploadEnded, ChangedMeanwhile, Aws,
        )>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, state.uploads.table()).await?;
    Problem::unless_allowed(decide(&caller, Action::Upload), "media")?;
    let key = request.idempotency_key()?;
    if request.is_form() {
        store(&state, &request, &caller, key).await
    } else {
        begin(&state, &request, &caller, key).await
    }
}

async fn begin(
    state: &State,
    request: &Request,
    caller: &Caller,
    key: Option<IdempotencyKey>,
) -> Result<Answer, Problem> {
    let asked = FileRequest::take(request.json_fields(CANONICAL)?, state.uploads.limits())?;
    state.limit.count(request, caller.user_id, 1).await?;
    let api_url = request.api_url();
    let begun = state.uploads.begin(caller, asked, key, SIGNED_PARTS, &api_url).await?;
    answer(&AnnouncedBody::new(&begun, &state.thumbnails.base(request)), begun.is_known)
}

async fn store(
    state: &State,
    request: &Request,
    caller: &Caller,
    key: Option<IdempotencyKey>,
) -> Result<Answer, Problem> {
    let fields = request.form_fields(CANONICAL, state.max_form_bytes).await?;
    let form = FileForm::take(fields, state.uploads.limits()).await?;
    state.limit.count(request, caller.user_id, 1).await?;
    let Stored { media, is_known } = state.uploads.announcer().store(caller, form, key).await?;
    answer(&AnnouncedBody::stored(&media, is_known, &state.thumbnails.base(request)), is_known)
}

fn answer(announced: &AnnouncedBody<'_>, is_known: bool) -> Result<Answer, Problem> {
    let status = if is_known { StatusCode::OK } else { StatusCode::CREATED };
    let location = format!("/media/{}", announced.media.id);
    Answer::json(status, announced)?.header(LOCATION, &location)
}
