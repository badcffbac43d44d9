//! Does what is still owed: every few minutes it reads the work that is due and settles each item on its own.
//!
//! Uploads that nobody finished are expired, or finished if their object is there and S3's event of it got lost;
//! processing that got stuck is begun anew; what uploads left behind, and what belongs to deleted media and users, is
//! removed. Each step is a conditional write of what was read, so two sweeps at once do nothing twice, and one that dies
//! anywhere leaves the item due for the next.
//!
//! An item that fails holds up no other: it is logged, counted, and looked at again later. If the table cannot be read,
//! the invocation fails, and Lambda tries again by itself. Event: whatever the schedule sends. Answer: a [`Report`].

mod deletion;
mod leftovers;
mod miniature;
mod processing;
mod settle;
mod upload;
mod user_deletion;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{Clock, Environment, Function, Queue, StartError, long_event_function, metrics};
use buckets::{IngestBucket, MediaBucket};
use domain::Timestamp;
use futures::stream::{self, StreamExt as _};
use lambda_runtime::Error;
use serde::Serialize;
use serde_json::Value;
use table::{DuePage, DueWork, Table, TableError, WorkPlace, work_begins};

use crate::settle::{Outcome, SettleError, postpone, settle};

/// How many items are settled at a time: most of the time is spent waiting for AWS.
const CONCURRENT_ITEMS: usize = 8;

/// How many items one read brings, of each partition.
const PAGE_ITEMS: u16 = 50;

/// How long one item may take. Each call of its steps is bounded by less.
const ITEM_TIMEOUT: Duration = Duration::from_secs(50);

/// With less time left than this, no item is begun: one may take `ITEM_TIMEOUT`, and be put off after that.
const SHORTEST_TIME_LEFT: Duration = Duration::from_secs(70);

struct State {
    table: Table,
    clock: Clock,
    ingest: IngestBucket,
    media: MediaBucket,
    queue: Queue,
}

/// What a sweep came to.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many items ended how.
    settled: BTreeMap<Outcome, u32>,
    /// How many failed, or could not be read. Each is in the log.
    failed: u32,
    /// Whether the time was up before all was looked at. The rest is still due.
    is_unfinished: bool,
    /// For how long the oldest item had been due, in seconds; 0 if nothing was.
    #[serde(skip)]
    oldest_due_seconds: u64,
}

/// The function, with `TABLE_NAME`, `INGEST_BUCKET`, `MEDIA_BUCKET` and `INGEST_QUEUE_URL`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State {
        table: environment.table(&aws)?,
        clock: environment.clock(),
        ingest: environment.ingest_bucket(&aws)?,
        media: environment.media_bucket(&aws)?,
        queue: environment.ingest_queue(&aws)?,
    };
    Ok(long_event_function(state, handle))
}

/// Looks once at everything that is due now, a page of every partition at a time.
async fn handle(state: Arc<State>, _event: Value, deadline: Instant) -> Result<Report, Error> {
    let now = state.clock.now();
    let (mut report, mut first_failure) = (Report::default(), None);
    let mut places = work_begins();
    while !places.is_empty() {
        let mut due = Vec::new();
        for place in std::mem::take(&mut places) {
            match read(&state, &place, now, &mut report).await {
                Ok(page) => {
                    let overdue = page.work.iter().map(|due| due.work.due.until(now).as_secs());
                    report.oldest_due_seconds = overdue.fold(report.oldest_due_seconds, u64::max);
                    due.extend(page.work);
                    places.extend(page.next);
                }
                Err(error) => {
                    tracing::error!(%error, "a part of the work could not be read");
                    report.failed += 1;
                    first_failure.get_or_insert(error);
                }
            }
        }
        settle_all(&state, due, deadline, &mut report).await;
        if report.is_unfinished {
            break;
        }
    }
    tracing::info!(
        { metrics::SWEEP_SETTLED } = report.settled.values().sum::<u32>(),
        { metrics::SWEEP_FAILED } = report.failed,
        { metrics::SWEEP_OLDEST_DUE_SECONDS } = report.oldest_due_seconds,
        ?report,
        "swept"
    );
    first_failure.map_or(Ok(report), |error| Err(error.into()))
}

async fn read(
    state: &State,
    place: &WorkPlace,
    now: Timestamp,
    report: &mut Report,
) -> Result<DuePage, TableError> {
    let page = state.table.due_work(place, now, PAGE_ITEMS).await?;
    for (key, error) in &page.unreadable {
        tracing::error!(key, %error, "what is owed cannot be read");
        report.failed += 1;
    }
    Ok(page)
}

/// Settles items side by side, as long as there is time.
async fn settle_all(state: &State, due: Vec<DueWork>, deadline: Instant, report: &mut Report) {
    let is_time_left = || deadline.saturating_duration_since(Instant::now()) > SHORTEST_TIME_LEFT;
    let ended: Vec<Option<Result<Outcome, SettleError>>> = stream::iter(due)
        .map(|due| async move { if is_time_left() { Some(settle_one(state, due).await) } else { None } })
        .buffer_unordered(CONCURRENT_ITEMS)
        .collect()
        .await;
    for item in ended {
        match item {
            Some(Ok(outcome)) => *report.settled.entry(outcome).or_default() += 1,
            Some(Err(_)) => report.failed += 1,
            None => report.is_unfinished = true,
        }
    }
}

async fn settle_one(state: &State, due: DueWork) -> Result<Outcome, SettleError> {
    let (kind, subject) = (due.work.kind.as_str(), due.subject);
    let result = match tokio::time::timeout(ITEM_TIMEOUT, settle(state, &due)).await {
        Ok(result) => result,
        Err(_) => Err(SettleError::TooSlow),
    };
    match &result {
        Ok(outcome) => tracing::info!(kind, ?subject, ?outcome, "settled"),
        Err(error) => {
            tracing::error!(kind, ?subject, %error, "what is owed could not be settled");
            if let Err(error) = postpone(state, &due).await {
                tracing::error!(kind, ?subject, %error, "it could not be put off either, and is still due");
            }
        }
    }
    result
}
