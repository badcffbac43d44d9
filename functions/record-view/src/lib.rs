//! `POST /media/{media_id}/view`: tells that the caller views a media.
//!
//! The client names the view, so that it can tell of it again when an answer got lost, or each time that its player goes
//! on: one name counts once a day. Without a name each request is a view of its own: the function makes one up, which is
//! as good as the client not trying again, because API Gateway never calls a function twice for one request. How views
//! are counted is said in `domain::view`.

use std::sync::Arc;

use api::refusals::{Aws, CurrentCaller, JsonBody, NotFound, NotReady, RateLimited, Refused};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, Request, StartError, UserLimit, ViewRecorder,
    http_function, playable, seconds, text, visible_media, warm_up,
};
use domain::{MAX_DECLARED_DURATION_SECONDS, MediaId, ViewId};
use http::StatusCode;
use serde::Serialize;
use table::{Recorded, Table};
use utoipa::{OpenApi, ToSchema};

const CANONICAL: &str = "POST /media/{media_id}/view";

struct State {
    table: Table,
    access: Access,
    clock: Clock,
    views: ViewRecorder,
    limit: UserLimit,
}

/// What a client says of a view. All of it may be left out, and the body with it.
#[derive(Debug, Default, PartialEq, ToSchema)]
struct ViewRequest {
    /// The view's own name, e.g. a UUID for each playing.
    view_id: Option<ViewId>,
    /// Where in the media the viewer is.
    #[schema(minimum = 0, maximum = 31_536_000, example = 4.2)]
    position_seconds: Option<f64>,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
struct ViewBody {
    /// The media.
    media_id: MediaId,
    /// The name that the view is recorded under.
    view_id: ViewId,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TOKEN_ISSUER`, `ACCESS_JWKS`, `VIEW_LOG_RETENTION_DAYS` and the variables of
/// [`UserLimit::of_views`].
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
        views: ViewRecorder::of(&environment)?,
        limit: UserLimit::of_views(&environment, &aws)?,
    };
    warm_up("table", state.table.open_for_media()).await;
    Ok(http_function(state, handle))
}

/// Records a view of a media that the caller may see and that is ready. It is stored when this is answered.
#[utoipa::path(
    post,
    path = "/media/{media_id}/view",
    tag = "streaming",
    params(("media_id" = MediaId, Path)),
    request_body = Option<ViewRequest>,
    responses(
        (status = 202, description = "It is recorded, or was before.", body = ViewBody),
        Refused<(CurrentCaller, NotFound, NotReady, JsonBody, RateLimited, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.current_caller(&request, &state.table).await?;
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let asked = ViewRequest::take(&request)?;
    state.limit.count(&request, caller.user_id, 1).await?;
    let now = state.clock.now();
    let media = visible_media(state.table.media(media_id, now).await?, &caller)?;
    playable(&media)?;

    let view_id = match asked.view_id {
        Some(view_id) => view_id,
        None => state.clock.new_id().to_string().parse().map_err(Problem::internal)?,
    };
    let mut view = request.view(&media, caller.user_id, view_id.clone(), now);
    view.position_seconds = asked.position_seconds;
    match state.views.record(&state.table, &view).await? {
        Recorded::Now | Recorded::Before => {
            Answer::json(StatusCode::ACCEPTED, &ViewBody { media_id, view_id })
        }
        Recorded::Closed => Err(Problem::not_found("media")),
    }
}

impl ViewRequest {
    fn take(request: &Request) -> Result<Self, Problem> {
        if request.body().is_empty() {
            return Ok(Self::default());
        }
        let mut fields = request.json_fields(CANONICAL)?;
        let view_id = fields.optional("view_id", text);
        let position_seconds =
            fields.optional("position_seconds", |value| seconds(value, 0.0..=MAX_DECLARED_DURATION_SECONDS));
        fields.finish()?;
        Ok(Self { view_id, position_seconds })
    }
}
