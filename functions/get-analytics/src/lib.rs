//! `GET /media/{media_id}/analytics`: how often a media was viewed, by how many, in all and day by day.
//!
//! What is read are counters: at most `days + 1` small items of each shard, in one query each, however many views there
//! were.

use std::sync::Arc;

use api::refusals::{AccessToken, Aws, NotFound, Parameters, Refused, RoleInsufficient};
use api::{
    Access, Answer, Clock, Environment, Function, Problem, QueryParameters, Request, StartError,
    http_function, visible_media, warm_up, whole_number,
};
use domain::{ANALYTICS_DAYS, Action, Day, Invalid, MediaId, ViewCounts, daily_views, decide};
use serde::Serialize;
use table::Table;
use utoipa::{IntoParams, OpenApi, ToSchema};

const CANONICAL: &str = "GET /media/{media_id}/analytics";
const DEFAULT_DAYS: u16 = 30;

struct State {
    table: Table,
    access: Access,
    clock: Clock,
}

/// What the query may ask for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct AnalyticsParameters {
    /// How many days `daily` has; today is the last.
    #[param(minimum = 1, maximum = 365, default = 30)]
    days: Option<u16>,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
struct Analytics {
    /// The media.
    media_id: MediaId,
    /// Views of all time.
    #[schema(example = 3)]
    total_views: u64,
    /// Viewers of all time, each once.
    #[schema(example = 2)]
    unique_viewers: u64,
    /// How many days `daily` has.
    #[schema(minimum = 1, maximum = 365, example = 1)]
    days: u16,
    /// Each of these days in UTC, the last one today.
    #[schema(min_items = 1, max_items = 365)]
    daily: Vec<DailyViews>,
}

/// A day in UTC.
#[derive(Serialize, ToSchema)]
struct DailyViews {
    /// The day.
    date: Day,
    /// Its views.
    #[schema(example = 3)]
    views: u64,
    /// Its viewers, each once.
    #[schema(example = 2)]
    unique_viewers: u64,
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

/// Tells how often a media was viewed, to its owner and to admins.
#[utoipa::path(
    get,
    path = "/media/{media_id}/analytics",
    tag = "streaming",
    params(("media_id" = MediaId, Path), AnalyticsParameters),
    responses(
        (status = 200, description = "Its views.", body = Analytics),
        Refused<(AccessToken, NotFound, RoleInsufficient, Parameters, Aws)>,
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    let caller = state.access.caller(&request)?;
    let media_id: MediaId = request.path_id("media_id", "media")?;
    let mut parameters = QueryParameters::of_route(&request, CANONICAL);
    let days = parameters.optional("days", days).unwrap_or(DEFAULT_DAYS);
    parameters.finish()?;
    let now = state.clock.now();
    let media = visible_media(state.table.media(media_id, now).await?, &caller)?;
    Problem::unless_allowed(decide(&caller, Action::ViewAnalytics(&media)), "media")?;

    let last = Day::of(now);
    let first = last.minus(days - 1);
    let counted = state.table.counted_views(media_id, first).await?;
    let daily = daily_views(counted.of_days, first, last);
    Answer::ok(&Analytics {
        media_id,
        total_views: counted.total.views,
        unique_viewers: counted.total.unique_viewers,
        days,
        daily: daily.into_iter().map(DailyViews::from).collect(),
    })
}

/// How many days, at least one.
fn days(text: &str) -> Result<u16, Invalid> {
    let (first, last) = ANALYTICS_DAYS.into_inner();
    let days = whole_number(text, first.into()..=last.into())?;
    u16::try_from(days).map_err(|error| Invalid::new(error.to_string()))
}

impl From<(Day, ViewCounts)> for DailyViews {
    fn from((date, counts): (Day, ViewCounts)) -> Self {
        Self { date, views: counts.views, unique_viewers: counts.unique_viewers }
    }
}
