//! `GET /api/v1/s3-media/health/s3`: whether the bucket answers that files are played from.
//!
//! Anyone may ask, so S3 is asked every ten seconds at most: the function keeps what it said in between, and caches may keep
//! it too as long as it is good.

use std::sync::Arc;
use std::time::Duration;

use api::{Answer, Clock, Environment, Function, Problem, Request, StartError, http_function};
use buckets::MediaBucket;
use domain::Timestamp;
use http::StatusCode;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::{OpenApi, ToSchema};

/// The answer comes within 3 s.
const CHECK_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(10);

struct State {
    media_bucket: MediaBucket,
    region: String,
    clock: Clock,
    last_look: Mutex<Option<Look>>,
}

/// What was seen, and when.
#[derive(Clone, Copy)]
struct Look {
    at: Timestamp,
    status: Status,
}

/// How the bucket is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = StorageStatus)]
enum Status {
    Healthy,
    Unhealthy,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = StorageHealth)]
struct Report<'a> {
    /// Whether the bucket answers.
    #[schema(example = true)]
    success: bool,
    /// `s3`.
    #[schema(example = "s3")]
    service: &'static str,
    /// What the bucket is for, not its name.
    #[schema(example = "media")]
    bucket: &'static str,
    /// Where it is.
    #[schema(example = "eu-central-1")]
    region: &'a str,
    /// The same in a word.
    status: Status,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `MEDIA_BUCKET`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        media_bucket: environment.media_bucket(&aws)?,
        region: environment.required("AWS_REGION")?.to_owned(),
        clock: environment.clock(),
        last_look: Mutex::new(None),
    };
    Ok(http_function(state, handle))
}

/// Says whether the bucket answers, and 503 if it does not.
#[utoipa::path(
    get,
    path = "/api/v1/s3-media/health/s3",
    tag = "service",
    responses(
        (status = 200, description = "It answers.", body = Report),
        (status = 503, description = "It does not answer.", body = Report),
    ),
)]
async fn handle(state: Arc<State>, _request: Request) -> Result<Answer, Problem> {
    let status = look(&state).await;
    let success = status == Status::Healthy;
    let report = Report { success, service: "s3", bucket: "media", region: &state.region, status };
    if success {
        Answer::ok(&report)?.public(KEPT)
    } else {
        Answer::json(StatusCode::SERVICE_UNAVAILABLE, &report)
    }
}

/// The last look, or a new one if that is too long ago. Whoever asks at the same time waits for the same look.
async fn look(state: &State) -> Status {
    let mut last_look = state.last_look.lock().await;
    let now = state.clock.now();
    if let Some(look) = last_look.filter(|look| look.at.until(now) < KEPT) {
        return look.status;
    }
    let status = check(&state.media_bucket).await;
    *last_look = Some(Look { at: now, status });
    status
}

async fn check(bucket: &MediaBucket) -> Status {
    match tokio::time::timeout(CHECK_TIMEOUT, bucket.check()).await {
        Ok(Ok(())) => Status::Healthy,
        Ok(Err(error)) => {
            tracing::error!(%error, "the media bucket does not answer");
            Status::Unhealthy
        }
        Err(_) => {
            tracing::error!("the media bucket takes too long to answer");
            Status::Unhealthy
        }
    }
}
