//! `GET /media/{media_id}/thumbnail/{key}`: redirects to a media's thumbnail: to its address on the CDN where there is one,
//! which is what records show then, else to a freshly signed URL.
//!
//! The key in the address, which nobody can guess, is what lets one see it, so an `<img>` needs no token. It is compared
//! in constant time. A wrong key, a media without a thumbnail and no media at all look the same.

use std::sync::Arc;
use std::time::Duration;

use api::refusals::{Aws, NotFound, Refused};
use api::{
    Answer, Clock, Environment, Function, Problem, Request, StartError, ThumbnailUrls, http_function, warm_up,
};
use buckets::{PlaybackMethod, S3PlaybackSigner};
use domain::{MediaId, ThumbnailKey};
use http::header::LOCATION;
use http::{Method, StatusCode};
use subtle::ConstantTimeEq;
use table::{Record, Table};
use utoipa::OpenApi;

/// How long the signed URL behind the redirect lives, if the credentials do.
const SIGNED_URL_LIFE: Duration = Duration::from_hours(1);

/// For how long the redirect may be kept: long enough for a page that is looked at again, and at most for a third of what
/// the signed URL lives, so that a kept one still leads somewhere.
const KEPT: Duration = Duration::from_mins(5);

struct State {
    table: Table,
    clock: Clock,
    thumbnails: ThumbnailUrls,
    playback: S3PlaybackSigner,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `MEDIA_BUCKET`, `PLAYBACK_ROLE_ARN` and, where there is one, `CDN_DOMAIN`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        clock: environment.clock(),
        thumbnails: ThumbnailUrls::of(&environment),
        playback: environment.s3_playback_signer(&aws)?,
    };
    tokio::join!(
        warm_up("table", state.table.open_for_media()),
        warm_up("credentials", state.playback.prepare(state.clock.now())),
    );
    Ok(http_function(state, handle))
}

/// Redirects to the thumbnail of a media.
#[utoipa::path(
    get,
    path = "/media/{media_id}/thumbnail/{key}",
    tag = "media",
    params(
        ("media_id" = MediaId, Path),
        ("key" = ThumbnailKey, Path, description = "As in the media's `thumbnail_url`."),
    ),
    responses(
        (status = 302, description = "To the image."),
        Refused<(NotFound, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let media_id: MediaId = request.path_id("media_id", "thumbnail")?;
    let key: ThumbnailKey = request.path_id("key", "thumbnail")?;
    let now = state.clock.now();
    let Record::Media(media) = state.table.media(media_id, now).await? else {
        return Err(Problem::not_found("thumbnail"));
    };
    if !media.thumbnail().is_some_and(|present| is_same(present, &key)) {
        return Err(Problem::not_found("thumbnail"));
    }
    if let Some(url) = state.thumbnails.on_cdn(media_id, &key) {
        return redirect(&url, KEPT);
    }
    let method = if request.method() == Method::HEAD { PlaybackMethod::Head } else { PlaybackMethod::Get };
    let signed = state.playback.presign_thumbnail(method, media_id, &key, SIGNED_URL_LIFE, now).await?;
    redirect(&signed.url, KEPT.min(now.until(signed.expires_at) / 3))
}

fn redirect(url: &str, kept: Duration) -> Result<Answer, Problem> {
    Answer::empty(StatusCode::FOUND).header(LOCATION, url)?.public(kept)
}

fn is_same(one: &ThumbnailKey, other: &ThumbnailKey) -> bool {
    one.as_str().as_bytes().ct_eq(other.as_str().as_bytes()).into()
}
