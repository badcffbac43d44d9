//! `GET /media/stream/{media_id}`: redirects a player to a freshly signed URL of the file.
//!
//! Who asks is told by a stream token in the query, which a `<video>` tag can carry, or by an access token. Whether
//! they may see the media is asked at each use, so a media that was deleted or made private stops playing, and so does
//! one whose viewer was shut out. The URL behind the redirect outlives the token by an hour at most, so that what plays
//! plays on; a player that comes back later is given another one.
//!
//! What a player plays by a stream token is a view of whom the token was made for: one a day, however often the player
//! comes back. It plays whether the view could be recorded or not. A download is no view.

use std::sync::Arc;
use std::time::Duration;

use api::refusals::{
    AccessToken, AddressNotAllowed, Aws, NotFound, NotReady, Parameters, Refused, TokenNotYetValid,
};
use api::{
    Access, Answer, Clock, Code, Environment, Function, Problem, QueryParameters, Request, StartError,
    ViewRecorder, YesOrNo, http_function, note_caller, playable, visible_media, warm_up, yes_or_no,
};
use auth::{StreamClaims, TokenError, TokenVerifier};
use buckets::{Playback, PlaybackMethod, PlaybackSigner};
use domain::{Caller, MediaId, PlaybackConditions, Timestamp, UserId, ViewId};
use http::header::LOCATION;
use http::{Method, StatusCode};
use table::Table;
use utoipa::OpenApi;

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

/// Who plays, and from where they may.
struct Viewer {
    caller: Caller,
    conditions: PlaybackConditions,
    /// The view that their stream token stands for.
    view_id: Option<ViewId>,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS`, `CAPABILITY_JWKS`, `VIEW_LOG_RETENTION_DAYS` and the
/// variables of [`Environment::playback_signer`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let issuer = environment.required("TOKEN_ISSUER")?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        playback: environment.playback_signer(&aws).await?,
        tokens: TokenVerifier::new(issuer, environment.parsed("CAPABILITY_JWKS")?),
        views: ViewRecorder::of(&environment)?,
    };
    tokio::join!(
        warm_up("table", state.table.open_for_media()),
        warm_up("credentials", state.playback.prepare(state.clock.now())),
    );
    Ok(http_function(state, handle))
}

/// Redirects to the file of a media that is ready.
#[utoipa::path(
    get,
    path = "/media/stream/{media_id}",
    tag = "streaming",
    params(
        ("media_id" = MediaId, Path),
        ("download" = Option<YesOrNo>, Query, description = "`1`: the file is saved instead of shown."),
    ),
    responses(
        (status = 302, description = "To a signed URL, which answers `Range`."),
        Refused<(AccessToken, TokenNotYetValid, AddressNotAllowed, NotFound, NotReady, Parameters, Aws)>,
    ),
    security(("stream_token" = []), ("bearer" = []), ("oauth2" = [])),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let is_download = is_download(&request)?;
    let now = state.clock.now();
    let Viewer { caller, conditions, view_id } = viewer(&state, &request, media_id, now).await?;
    let media = visible_media(state.table.media(media_id, now).await?, &caller)?;
    let is_head = request.method() == Method::HEAD;
    let playback = Playback {
        method: if is_head { PlaybackMethod::Head } else { PlaybackMethod::Get },
        object: playable(&media)?,
        download_as: is_download.then_some(&media.filename),
        life: SIGNED_URL_LIFE,
        conditions,
    };
    let signed = state.playback.sign(playback, now).await?;
    if let Some(view_id) = view_id.filter(|_| !is_head && !is_download) {
        state.views.record_playback(&state.table, &request.view(&media, caller.user_id, view_id, now)).await;
    }
    Answer::empty(StatusCode::FOUND).header(LOCATION, &signed.url)
}

fn is_download(request: &Request) -> Result<bool, Problem> {
    // A player may have added parameters of its own: none is refused.
    let mut parameters = QueryParameters::of_route(request, "");
    let is_download = parameters.optional("download", yes_or_no).unwrap_or(false);
    parameters.finish()?;
    Ok(is_download)
}

async fn viewer(
    state: &State,
    request: &Request,
    media_id: MediaId,
    now: Timestamp,
) -> Result<Viewer, Problem> {
    let Some(token) = request.query("token") else {
        let caller = state.access.caller(request)?;
        return Ok(Viewer { caller, conditions: PlaybackConditions::default(), view_id: None });
    };
    let claims = state.tokens.verify(token, now)?;
    if claims.sub != media_id {
        return Err(TokenError::Invalid.into());
    }
    note_caller(claims.viewer);
    // What has begun needs no beginning any more.
    let conditions = PlaybackConditions { ip: claims.ip, not_before: None };
    check_address(state, request, &conditions)?;
    let view_id = claims.jti.to_string().parse().map_err(Problem::internal)?;
    Ok(Viewer { caller: caller(state, claims.viewer).await?, conditions, view_id: Some(view_id) })
}

fn check_address(state: &State, request: &Request, conditions: &PlaybackConditions) -> Result<(), Problem> {
    let Some(ip) = conditions.ip else { return Ok(()) };
    if !state.playback.keeps_conditions() {
        // It was made while there was a CDN.
        return Err(TokenError::Invalid.into());
    }
    if ip.contains(request.source_ip()) {
        return Ok(());
    }
    Err(Problem::new(
        Code::AddressNotAllowed,
        "This URL does not play for your address. Ask for one of yours.",
    ))
}

/// Whom the token was made for, as they are now: it may live a day, and what it was asked for with was not new either.
async fn caller(state: &State, user_id: UserId) -> Result<Caller, Problem> {
    match state.table.user(user_id).await? {
        Some(user) if !user.disabled => Ok(Caller { user_id, role: user.role }),
        _ => Err(TokenError::Invalid.into()),
    }
}
