//! `GET /media/{media_id}/stream-url`: URLs that play a media for a while.
//!
//! `stream_url` leads through this API, which signs afresh at each use, so it lives as long as asked. `signed_url`
//! goes straight to the file and ends with the credentials that signed it; its true end is told.

use std::sync::Arc;
use std::time::Duration;

use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, StreamUrlSigner,
    http_function, playable, visible_media, warm_up,
};
use buckets::{PlaybackMethod, PlaybackSigner};
use domain::{EXPIRES_IN_SECONDS, MediaId, Timestamp};
use serde::Serialize;
use table::Table;
use utoipa::ToSchema;

const S3_MEDIA_ALIAS: &str = "GET /api/v1/s3-media/{media_id}";
const DEFAULT_EXPIRES_IN_SECONDS: u64 = 3_600;

struct State {
    table: Table,
    access: Access,
    clock: Clock,
    playback: PlaybackSigner,
    stream_urls: StreamUrlSigner,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
struct StreamUrls {
    /// Redirects to a freshly signed URL at each use.
    #[schema(format = "uri")]
    stream_url: String,
    /// How long `stream_url` lives, in seconds.
    #[schema(minimum = 60, maximum = 86400)]
    expires_in: u64,
    /// When `stream_url` ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Goes straight to the file.
    #[schema(format = "uri")]
    signed_url: String,
    /// When `signed_url` really ends.
    #[schema(value_type = String, format = DateTime)]
    signed_url_expires_at: Timestamp,
}

/// What the alias answers, as the replaced system did.
#[derive(Serialize, ToSchema)]
struct S3Media {
    success: bool,
    #[schema(value_type = String, format = Uuid)]
    media_id: MediaId,
    signed_url: String,
    expires_in: u64,
}

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS`, `CAPABILITY_KEYS_SECRET`, `CAPABILITY_SIGNING_KID`,
/// `MEDIA_BUCKET` and `PLAYBACK_ROLE_ARN`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        playback: environment.playback_signer(&aws)?,
        stream_urls: StreamUrlSigner::of(&environment, &aws).await?,
    };
    tokio::join!(
        warm_up("table", state.table.open_for_media()),
        warm_up("credentials", state.playback.prepare()),
    );
    Ok(http_function(state, handle))
}

/// Signs URLs for a media that the caller may see and that is ready.
#[utoipa::path(
    get,
    path = "/media/{media_id}/stream-url",
    tag = "streaming",
    params(
        ("media_id" = String, Path, format = Uuid),
        ("expires_in" = Option<u64>, Query, minimum = 60, maximum = 86400, description = "In seconds; 3600 by default."),
    ),
    responses(
        (status = 200, body = StreamUrls),
        (status = 401, description = "`token_missing`, `token_invalid`, `token_expired`", body = api::ProblemBody),
        (status = 404, description = "`not_found`", body = api::ProblemBody),
        (status = 409, description = "`not_ready`", body = api::ProblemBody),
        (status = 422, description = "`invalid`", body = api::ProblemBody),
    )
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.caller(&request)?;
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let expires_in = expires_in(&request)?;
    let now = state.clock.now();
    let media = visible_media(state.table.media(media_id, now).await?, &caller)?;
    let life = Duration::from_secs(expires_in);
    let signed = state.playback.presign(PlaybackMethod::Get, playable(&media)?, life, now).await?;
    let expires_at = now.plus(life);
    let stream_url = state.stream_urls.sign(&request, &caller, media_id, now, expires_at)?;
    if request.route() == S3_MEDIA_ALIAS {
        let signed_url = if signed.expires_at >= expires_at { signed.url } else { stream_url };
        return Answer::ok(&S3Media { success: true, media_id, signed_url, expires_in });
    }
    Answer::ok(&StreamUrls {
        stream_url,
        expires_in,
        expires_at,
        signed_url: signed.url,
        signed_url_expires_at: signed.expires_at,
    })
}

fn expires_in(request: &Request) -> Result<u64, Problem> {
    let Some(text) = request.query("expires_in") else { return Ok(DEFAULT_EXPIRES_IN_SECONDS) };
    text.parse().ok().filter(|seconds| EXPIRES_IN_SECONDS.contains(seconds)).ok_or_else(|| {
        let (first, last) = (EXPIRES_IN_SECONDS.start(), EXPIRES_IN_SECONDS.end());
        Problem::invalid_field(
            "?expires_in",
            format!("must be a whole number of seconds from {first} to {last}"),
        )
    })
}
