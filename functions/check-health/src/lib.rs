//! `GET /health`: whether what the platform stands on answers: the table, both buckets, the queue.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use api::{Answer, Environment, Function, Problem, Queue, Request, StartError, http_function};
use buckets::{IngestBucket, MediaBucket};
use http::StatusCode;
use serde::Serialize;
use table::Table;
use utoipa::{OpenApi, ToSchema};

/// The checks run side by side, and the answer comes within 3 s.
const CHECK_TIMEOUT: Duration = Duration::from_millis(2_500);

struct State {
    table: Table,
    ingest_bucket: IngestBucket,
    media_bucket: MediaBucket,
    queue: Queue,
}

/// How one of them is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CheckStatus)]
enum Health {
    Ok,
    Failed,
}

/// How each of them is.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthChecks)]
struct Checks {
    /// The table of DynamoDB.
    table: Health,
    /// The bucket that files are sent to.
    ingest_bucket: Health,
    /// The bucket that files are played from.
    media_bucket: Health,
    /// The queue of what was sent.
    queue: Health,
}

/// What is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
struct Report {
    /// `ok` if all are.
    status: Health,
    /// Each of them.
    checks: Checks,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `TABLE_NAME`, `INGEST_BUCKET`, `MEDIA_BUCKET` and `INGEST_QUEUE_URL`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        ingest_bucket: environment.ingest_bucket(&aws)?,
        media_bucket: environment.media_bucket(&aws)?,
        queue: environment.ingest_queue(&aws)?,
    };
    Ok(http_function(state, handle))
}

/// Asks each of them, and answers 503 if one fails.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    responses(
        (status = 200, description = "All of them answer.", body = Report),
        (status = 503, description = "One of them fails.", body = Report),
    ),
)]
async fn handle(state: Arc<State>, _request: Request) -> Result<Answer, Problem> {
    let (table, ingest_bucket, media_bucket, queue) = futures::join!(
        check("table", state.table.check()),
        check("ingest_bucket", state.ingest_bucket.check()),
        check("media_bucket", state.media_bucket.check()),
        check("queue", state.queue.check()),
    );
    let is_ok = [table, ingest_bucket, media_bucket, queue].iter().all(|health| *health == Health::Ok);
    let (code, status) =
        if is_ok { (StatusCode::OK, Health::Ok) } else { (StatusCode::SERVICE_UNAVAILABLE, Health::Failed) };
    Answer::json(code, &Report { status, checks: Checks { table, ingest_bucket, media_bucket, queue } })
}

async fn check<E: Display>(what: &str, check: impl Future<Output = Result<(), E>>) -> Health {
    match tokio::time::timeout(CHECK_TIMEOUT, check).await {
        Ok(Ok(())) => Health::Ok,
        Ok(Err(error)) => {
            tracing::error!(what, %error, "the health check failed");
            Health::Failed
        }
        Err(_) => {
            tracing::error!(what, "the health check took too long");
            Health::Failed
        }
    }
}
