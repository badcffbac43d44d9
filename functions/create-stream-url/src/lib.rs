//! `GET /media/{media_id}/stream-url`: URLs that play a media for a while.
//!
//! `stream_url` leads through this API, which signs afresh at each use, so it lives as long as asked. `signed_url`
//! goes straight to the file: on a CDN it lives as long, on S3 no longer than the credentials that signed it. Its true
//! end is told.
//!
//! With a CDN both can be bound to addresses and to a beginning. Without one that is refused: a URL of S3 would not keep
//! it, and neither would what the stream URL leads to.

use std::sync::Arc;
use std::time::Duration;

use api::refusals::{AccessToken, Aws, NotFound, NotReady, Parameters, Refused};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, QueryParameters, Request, StartError, Stream,
    StreamUrlSigner, YesOrNo, http_function, playable, visible_media, warm_up, whole_number, yes_or_no,
};
use buckets::{Playback, PlaybackMethod, PlaybackSigner, SignedUrl};
use domain::{EXPIRES_IN_SECONDS, Invalid, Ipv4Block, MediaId, PlaybackConditions, Timestamp};
use serde::Serialize;
use table::Table;
use utoipa::{IntoParams, OpenApi, ToSchema};

const CANONICAL: &str = "GET /media/{media_id}/stream-url";
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
    #[schema(
        format = "uri",
        example = "https://api.example.com/media/stream/01a1f806-60d0-7abc-8def-0123456789ab?token=eyJ0eXAiOiJzdHJlYW0rand0In0.eyJzdWIiOiIwMWExZjgwNiJ9.c2lnbmF0dXJl"
    )]
    stream_url: String,
    /// How long `stream_url` lives, in seconds.
    #[schema(minimum = 60, maximum = 86400, example = 3600)]
    expires_in: u64,
    /// When `stream_url` ends.
    expires_at: Timestamp,
    /// Goes straight to the file, on the CDN if there is one, else on S3.
    #[schema(
        format = "uri",
        example = "https://media.s3.eu-central-1.amazonaws.com/media/01a1f806-60d0-7abc-8def-0123456789ab/source?X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6"
    )]
    signed_url: String,
    /// When `signed_url` really ends.
    signed_url_expires_at: Timestamp,
}

/// What the alias answers, as the replaced system did.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedS3Media)]
struct S3Media {
    /// `true`.
    #[schema(example = true)]
    success: bool,
    /// The media.
    media_id: MediaId,
    /// The direct URL, if that can live as long as asked; else one that redirects to it.
    #[schema(
        format = "uri",
        example = "https://media.s3.eu-central-1.amazonaws.com/media/01a1f806-60d0-7abc-8def-0123456789ab/source?X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6"
    )]
    signed_url: String,
    /// How long it lives, in seconds.
    #[schema(minimum = 60, maximum = 86400, example = 3600)]
    expires_in: u64,
}

/// What the query may ask for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct SigningParameters {
    /// How long the URLs are to live, in seconds.
    #[param(minimum = 60, maximum = 86400, default = 3600)]
    expires_in: Option<u64>,
    /// `1`: the URLs save the file instead of showing it.
    download: Option<YesOrNo>,
    /// An IPv4 address or block that the URLs are for; needs a CDN.
    ip: Option<Ipv4Block>,
    /// From when on the URLs play; needs a CDN.
    not_before: Option<Timestamp>,
}

/// What the query asks for.
struct Asked {
    expires_in: u64,
    expires_at: Timestamp,
    conditions: PlaybackConditions,
    is_download: bool,
}

/// The URLs of a media, and how long the stream URL lives.
struct Signed {
    media_id: MediaId,
    stream_url: String,
    direct: SignedUrl,
    expires_in: u64,
    expires_at: Timestamp,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(create_stream_url, get_s3_media))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS`, the variables of [`StreamUrlSigner::of`] and those of
/// [`Environment::playback_signer`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        playback: environment.playback_signer(&aws).await?,
        stream_urls: StreamUrlSigner::of(&environment, &aws).await?,
    };
    tokio::join!(
        warm_up("table", state.table.open_for_media()),
        warm_up("credentials", state.playback.prepare(state.clock.now())),
    );
    Ok(http_function(state, handle))
}

async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    if request.route() == S3_MEDIA_ALIAS {
        get_s3_media(&state, &request).await
    } else {
        create_stream_url(&state, &request).await
    }
}

/// Signs URLs for a media that the caller may see and that is ready.
#[utoipa::path(
    get,
    path = "/media/{media_id}/stream-url",
    tag = "streaming",
    params(("media_id" = MediaId, Path), SigningParameters),
    responses(
        (status = 200, description = "URLs that play the media.", body = StreamUrls),
        Refused<(AccessToken, NotFound, NotReady, Parameters, Aws)>,
    ),
)]
async fn create_stream_url(state: &State, request: &Request) -> Result<Answer, Problem> {
    let Signed { stream_url, direct, expires_in, expires_at, .. } = sign(state, request).await?;
    Answer::ok(&StreamUrls {
        stream_url,
        expires_in,
        expires_at,
        signed_url: direct.url,
        signed_url_expires_at: direct.expires_at,
    })
}

/// Signs a URL for a media, as a replaced system did: the direct one, if that can live as long as asked.
#[utoipa::path(
    get,
    path = "/api/v1/s3-media/{media_id}",
    tag = "streaming",
    params(("media_id" = MediaId, Path), SigningParameters),
    responses(
        (status = 200, description = "A URL that plays the media.", body = S3Media),
        Refused<(AccessToken, NotFound, NotReady, Parameters, Aws)>,
    ),
    extensions(("x-alias-of" = json!("GET /media/{media_id}/stream-url"))),
)]
async fn get_s3_media(state: &State, request: &Request) -> Result<Answer, Problem> {
    let Signed { media_id, stream_url, direct, expires_in, expires_at } = sign(state, request).await?;
    let signed_url = if direct.expires_at >= expires_at { direct.url } else { stream_url };
    Answer::ok(&S3Media { success: true, media_id, signed_url, expires_in })
}

async fn sign(state: &State, request: &Request) -> Result<Signed, Problem> {
    let caller = state.access.caller(request)?;
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let now = state.clock.now();
    let Asked { expires_in, expires_at, conditions, is_download } = asked(state, request, now)?;
    let media = visible_media(state.table.media(media_id, now).await?, &caller)?;
    let playback = Playback {
        method: PlaybackMethod::Get,
        object: playable(&media)?,
        download_as: is_download.then_some(&media.filename),
        life: Duration::from_secs(expires_in),
        conditions,
    };
    let direct = state.playback.sign(playback, now).await?;
    let stream = Stream { media_id, expires_at, conditions, is_download };
    let stream_url = state.stream_urls.sign(request, caller.user_id, &stream, now)?;
    Ok(Signed { media_id, stream_url, direct, expires_in, expires_at })
}

fn asked(state: &State, request: &Request, now: Timestamp) -> Result<Asked, Problem> {
    let mut parameters = QueryParameters::of_route(request, CANONICAL);
    let expires_in = parameters
        .optional("expires_in", |text| whole_number(text, EXPIRES_IN_SECONDS))
        .unwrap_or(DEFAULT_EXPIRES_IN_SECONDS);
    let expires_at = now.plus(Duration::from_secs(expires_in));
    let is_kept = || {
        let is_kept = state.playback.keeps_conditions();
        is_kept.then_some(()).ok_or_else(|| Invalid::new("needs a CDN, which this deployment does not have"))
    };
    let conditions = PlaybackConditions {
        ip: parameters.optional("ip", |text| is_kept().and_then(|()| text.parse())),
        not_before: parameters
            .optional("not_before", |text| is_kept().and_then(|()| beginning(text, expires_at))),
    };
    let is_download = parameters.optional("download", yes_or_no).unwrap_or(false);
    parameters.finish()?;
    Ok(Asked { expires_in, expires_at, conditions, is_download })
}

fn beginning(text: &str, expires_at: Timestamp) -> Result<Timestamp, Invalid> {
    let not_before = text.parse()?;
    if not_before < expires_at {
        Ok(not_before)
    } else {
        Err(Invalid::new("must be before the end that expires_in asks for"))
    }
}
