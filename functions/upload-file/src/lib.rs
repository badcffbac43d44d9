//! `POST /api/v1/s3-media/upload`: stores the video of a form, and waits a little until it can be played.
//!
//! A route of a replaced system: its clients expect one answer when all is done. Where processing takes longer than they
//! are kept waiting, the answer says so, and its URL plays as soon as the media is ready. A form that is sent again gets
//! the media that is there.

mod wait;

use std::sync::Arc;
use std::time::Duration;

use api::refusals::{
    Aws, ChangedMeanwhile, CurrentCaller, FormBody, IdempotencyKeyReused, MediaRejected, NotFound,
    QuotaExceeded, RateLimited, Refused, RoleInsufficient, UploadEnded,
};
use api::uploads::{Announcer, FileForm, Stored, VideoForm};
use api::{
    Access, Answer, Clock, Environment, EnvironmentError, Function, Problem, Request, StartError, Stream,
    StreamUrlSigner, UserLimit, http_function,
};
use domain::{Action, Caller, EXPIRES_IN_SECONDS, IdempotencyKey, MediaId, PlaybackConditions, decide};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::wait::{Progress, wait_until_ready};

/// No route has these forms as its canonical one, so fields that are not known are passed over.
const CANONICAL: &str = "";

struct State {
    announcer: Announcer,
    limit: UserLimit,
    access: Access,
    clock: Clock,
    stream_urls: StreamUrlSigner,
    max_form_bytes: usize,
    ready_wait: Duration,
    /// How long the URL lives that is answered: nobody has asked for a time.
    stream_token_life: Duration,
}

/// What is answered, as the replaced system did.
#[derive(Serialize, ToSchema)]
struct Uploaded {
    /// `true`.
    #[schema(example = true)]
    success: bool,
    /// The media.
    media_id: MediaId,
    /// Plays the media once it is ready, for ten minutes unless the deployment says otherwise.
    #[schema(
        format = "uri",
        example = "https://api.example.com/media/stream/01a1f806-60d0-7abc-8def-0123456789ab?token=eyJ0eXAiOiJzdHJlYW0rand0In0.eyJzdWIiOiIwMWExZjgwNiJ9.c2lnbmF0dXJl"
    )]
    storage_url: String,
    /// For people.
    #[schema(example = "The file is uploaded and ready.")]
    message: &'static str,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TOKEN_ISSUER`, `ACCESS_JWKS`, `MAX_FORM_BYTES`, `READY_WAIT_SECONDS`,
/// `STREAM_TOKEN_EXPIRE_SECONDS` and the variables of [`Announcer::of`], [`UserLimit::of_uploads`] and
/// [`StreamUrlSigner::of`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        announcer: Announcer::of(&environment, &aws)?,
        limit: UserLimit::of_uploads(&environment, &aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        stream_urls: StreamUrlSigner::of(&environment, &aws).await?,
        max_form_bytes: environment.parsed("MAX_FORM_BYTES")?,
        ready_wait: Duration::from_secs(environment.parsed("READY_WAIT_SECONDS")?),
        stream_token_life: stream_token_life(&environment)?,
    };
    state.announcer.warm_up().await;
    Ok(http_function(state, handle))
}

/// Stores a video that comes with the request.
#[utoipa::path(
    post,
    path = "/api/v1/s3-media/upload",
    tag = "uploads",
    params(("Idempotency-Key" = Option<IdempotencyKey>, Header, description = "The same key and form gives the same media again.")),
    request_body(content = VideoForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "It is stored, and if it was quick enough it is ready.", body = Uploaded),
        Refused<(
            CurrentCaller, RoleInsufficient, FormBody, IdempotencyKeyReused, RateLimited, QuotaExceeded,
            UploadEnded, ChangedMeanwhile, MediaRejected, NotFound, Aws,
        )>,
    ),
    extensions(("x-unknown-fields" = json!("ignored"))),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, state.announcer.table()).await?;
    Problem::unless_allowed(decide(&caller, Action::Upload), "media")?;
    let key = request.idempotency_key()?;
    let fields = request.form_fields(CANONICAL, state.max_form_bytes).await?;
    let form = FileForm::take_video(fields, state.announcer.limits()).await?;
    state.limit.count(&request, caller.user_id, 1).await?;
    let Stored { media, is_known } = state.announcer.store(&caller, form, key).await?;
    let progress =
        wait_until_ready(state.announcer.table(), &state.clock, media.id, state.ready_wait).await?;
    let message = match (progress, is_known) {
        (Progress::Ready, false) => "The file is uploaded and ready.",
        (Progress::Ready, true) => "The same file was uploaded before, and is ready.",
        (Progress::NotReady, _) => {
            "The file is uploaded, and not ready yet: it is being processed. Its URL plays when it is."
        }
    };
    answer(&state, &request, &caller, media.id, message)
}

fn answer(
    state: &State,
    request: &Request,
    caller: &Caller,
    media_id: MediaId,
    message: &'static str,
) -> Result<Answer, Problem> {
    let now = state.clock.now();
    let stream = Stream {
        media_id,
        expires_at: now.plus(state.stream_token_life),
        conditions: PlaybackConditions::default(),
        is_download: false,
    };
    let storage_url = state.stream_urls.sign(request, caller.user_id, &stream, now)?;
    let body = Uploaded { success: true, media_id, storage_url, message };
    Answer::created(&format!("/media/{media_id}"), &body)
}

fn stream_token_life(environment: &Environment) -> Result<Duration, EnvironmentError> {
    const NAME: &str = "STREAM_TOKEN_EXPIRE_SECONDS";
    let seconds = environment.parsed(NAME)?;
    if EXPIRES_IN_SECONDS.contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(EnvironmentError::Malformed { name: NAME, reason: format!("{seconds} is not from 60 to 86400") })
}
