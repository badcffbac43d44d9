//! `GET /media/stream/{media_id}`: redirects a player to a freshly signed URL of the file.
//!
//! Who asks is told by a stream token in the query, which a `<video>` tag can carry, or by an access token. Whether
//! they may see the media is asked at each use, so a media that was deleted or made private stops playing, and so does
//! one whose viewer was shut out.
//!
//! What a player plays by a stream token is a view of whom the token was made for: one a day, however often the player
//! comes back. It plays whether the view could be recorded or not.

use std::sync::Arc;
use std::time::Duration;

use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, ViewRecorder, http_function,
    playable, visible_media, warm_up,
};
use auth::{ACCESS_TOKEN_LIFE, StreamClaims, TokenError, TokenVerifier};
use buckets::{PlaybackMethod, PlaybackSigner};
use domain::{Caller, MediaId, Timestamp, ViewId};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{Method, StatusCode};
use table::Table;

/// How long the signed URL behind the redirect lives, if the credentials do.
const SIGNED_URL_LIFE: Duration = Duration::from_hours(1);

struct State {
    table: Table,
    access: Access,
    clock: Clock,
    playback: PlaybackSigner,
    tokens: TokenVerifier<StreamClaims>,
    views: ViewRecorder,
}

/// Who plays.
struct Viewer {
    caller: Caller,
    /// The view that their stream token stands for.
    view_id: Option<ViewId>,
}

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS`, `CAPABILITY_JWKS`, `MEDIA_BUCKET`,
/// `PLAYBACK_ROLE_ARN` and `VIEW_LOG_RETENTION_DAYS`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let issuer = environment.required("TOKEN_ISSUER")?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        playback: environment.playback_signer(&aws)?,
        tokens: TokenVerifier::new(issuer, environment.parsed("CAPABILITY_JWKS")?),
        views: ViewRecorder::of(&environment)?,
    };
    tokio::join!(
        warm_up("table", state.table.open_for_media()),
        warm_up("credentials", state.playback.prepare()),
    );
    Ok(http_function(state, handle))
}

/// Redirects to the file of a media that is ready.
#[utoipa::path(
    get,
    path = "/media/stream/{media_id}",
    tag = "streaming",
    params(
        ("media_id" = String, Path, format = Uuid),
        ("token" = Option<String>, Query, description = "A stream token; without it the caller has to be signed in."),
    ),
    responses(
        (status = 302, description = "To a signed URL, which answers `Range`.", headers(("Location" = String))),
        (status = 401, description = "`token_missing`, `token_invalid`, `token_expired`", body = api::ProblemBody),
        (status = 404, description = "`not_found`", body = api::ProblemBody),
        (status = 409, description = "`not_ready`", body = api::ProblemBody),
    )
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let now = state.clock.now();
    let Viewer { caller, view_id } = viewer(&state, &request, media_id, now).await?;
    let media = visible_media(state.table.media(media_id, now).await?, &caller)?;
    let published = playable(&media)?;
    let method = if request.method() == Method::HEAD { PlaybackMethod::Head } else { PlaybackMethod::Get };
    let signed = state.playback.presign(method, published, SIGNED_URL_LIFE, now).await?;
    if let Some(view_id) = view_id.filter(|_| method == PlaybackMethod::Get) {
        state.views.record_playback(&state.table, &request.view(&media, caller.user_id, view_id, now)).await;
    }
    Answer::empty(StatusCode::FOUND).header(LOCATION, &signed.url)?.header(CACHE_CONTROL, "no-store")
}

async fn viewer(
    state: &State,
    request: &Request,
    media_id: MediaId,
    now: Timestamp,
) -> Result<Viewer, Problem> {
    let Some(token) = request.query("token") else {
        return Ok(Viewer { caller: state.access.caller(request)?, view_id: None });
    };
    let claims = state.tokens.verify(token, now)?;
    if claims.sub != media_id {
        return Err(TokenError::Invalid.into());
    }
    let view_id = claims.jti.to_string().parse().map_err(Problem::internal)?;
    Ok(Viewer { caller: caller(state, &claims, now).await?, view_id: Some(view_id) })
}

/// Whom the token was made for. It may live a day; what it says of their role is believed no longer than an access token
/// would be.
async fn caller(state: &State, claims: &StreamClaims, now: Timestamp) -> Result<Caller, Problem> {
    let user_id = claims.viewer;
    if Timestamp::from_unix_seconds(claims.iat).until(now) < ACCESS_TOKEN_LIFE {
        return Ok(Caller { user_id, role: claims.viewer_role });
    }
    match state.table.user(user_id).await? {
        Some(user) if !user.disabled => Ok(Caller { user_id, role: user.role }),
        _ => Err(TokenError::Invalid.into()),
    }
}
