//! `GET /media/{media_id}/jobs`: every attempt at the background work on a media, the newest first, page by page.

use std::sync::Arc;

use api::body::JobBody;
use api::refusals::{AccessToken, Aws, NotFound, Parameters, Refused, RoleInsufficient};
use api::{
    Access, Answer, Clock, Environment, Function, List, Page, PageParameters, Problem, QueryParameters,
    Request, StartError, http_function, visible_media, warm_up,
};
use domain::{Action, JobsBefore, MediaId, decide, newest_jobs};
use table::Table;
use utoipa::OpenApi;

const CANONICAL: &str = "GET /media/{media_id}/jobs";

struct State {
    table: Table,
    access: Access,
    clock: Clock,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `TOKEN_ISSUER` and `ACCESS_JWKS`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        access: Access::of(&environment)?,
        clock: environment.clock(),
    };
    warm_up("table", state.table.open_for_media()).await;
    Ok(http_function(state, handle))
}

/// Lists the jobs of a media, for its owner and for admins.
#[utoipa::path(
    get,
    path = "/media/{media_id}/jobs",
    tag = "media",
    params(("media_id" = MediaId, Path), PageParameters),
    responses(
        (status = 200, description = "A page of jobs.", body = List<JobBody>),
        Refused<(AccessToken, NotFound, RoleInsufficient, Parameters, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.caller(&request)?;
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let mut parameters = QueryParameters::of_route(&request, CANONICAL);
    let page = Page::take(&mut parameters, format!("jobs {media_id}"));
    parameters.finish()?;
    let media = visible_media(state.table.media(media_id, state.clock.now()).await?, &caller)?;
    Problem::unless_allowed(decide(&caller, Action::ViewJobs(&media)), "media")?;

    let before = page.after.unwrap_or(JobsBefore::NONE);
    // One more than the page has tells whether there are more.
    let jobs = state.table.jobs(media_id, before, page.limit + 1).await?;
    let (jobs, next) = newest_jobs(jobs, before, page.limit);
    Answer::ok(&List {
        items: jobs.iter().map(JobBody::from).collect(),
        next_cursor: next.map(|place| page.cursor_after(place)),
    })
}
