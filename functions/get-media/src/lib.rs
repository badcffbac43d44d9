//! `GET /media/{media_id}`: one media with its technical metadata.

use std::sync::Arc;

use api::body::MediaBody;
use api::refusals::{AccessToken, Aws, NotFound, Refused};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, ThumbnailUrls, http_function,
    visible_media, warm_up,
};
use domain::MediaId;
use table::Table;
use utoipa::OpenApi;

struct State {
    table: Table,
    access: Access,
    clock: Clock,
    thumbnails: ThumbnailUrls,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER`, `ACCESS_JWKS` and, where there is one, `CDN_DOMAIN`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        thumbnails: ThumbnailUrls::of(&environment),
    };
    warm_up("table", state.table.open_for_metadata()).await;
    Ok(http_function(state, handle))
}

/// Answers a media that the caller may see, with an `ETag`.
#[utoipa::path(
    get,
    path = "/media/{media_id}",
    tag = "media",
    params(("media_id" = MediaId, Path)),
    responses(
        (status = 200, description = "The media.", body = MediaBody),
        (status = 304, description = "The client has it in this version."),
        Refused<(AccessToken, NotFound, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.caller(&request)?;
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let (record, metadata) = state.table.media_with_metadata(media_id, state.clock.now()).await?;
    let media = visible_media(record, &caller)?;
    let thumbnails = state.thumbnails.base(&request);
    Answer::ok(&MediaBody::new(&media, metadata.as_ref(), &thumbnails))?
        .versioned(media.version, request.header("if-none-match"))
}
