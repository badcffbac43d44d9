//! Object created: verifies what was uploaded, reads its technical metadata, publishes it, and makes the media ready.
//!
//! S3 tells a queue, and Lambda hands over its messages in batches; a raw S3 event is taken too. Each object is
//! processed by `process`, which may run twice, late, out of order, or die halfway. What takes longer than one
//! invocation is handed over: the function sends the queue a message of its own, as S3 would tell of the object. A message whose object could not be
//! processed comes back after a pause that doubles with each attempt; after the last one the media is `failed`, and the
//! message goes to the dead-letter queue, from where a redrive processes it again. The messages of a function that was
//! killed come back after the queue's visibility timeout.

mod judge;
mod miniature;
mod process;
mod publish;
mod run;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{Clock, Environment, Function, Queue, StartError, long_event_function, metrics, object_created};
use aws_lambda_events::s3::S3EventRecord;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use buckets::{IngestBucket, MediaBucket, Publishing};
use domain::SizeBytes;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::Value;
use table::Table;

use crate::process::{Attempt, Delivery, process};

struct State {
    table: Table,
    clock: Clock,
    ingest: IngestBucket,
    media: MediaBucket,
    queue: Queue,
    max_duration: Duration,
    user_quota_bytes: SizeBytes,
    max_receive_count: u32,
    retry: Duration,
    /// How long before its end the function hands over what it cannot finish.
    handover: Duration,
}

/// An S3 event. S3's test event has no records.
#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records", default)]
    records: Vec<S3EventRecord>,
}

/// The function, with `TABLE_NAME`, `INGEST_BUCKET`, `MEDIA_BUCKET`, `INGEST_QUEUE_URL`, `MAX_DURATION_SECONDS`,
/// `USER_QUOTA_BYTES`, `MAX_RECEIVE_COUNT`, `RETRY_SECONDS`, `HANDOVER_SECONDS`, `SINGLE_COPY_UP_TO_BYTES` and `COPY_PART_SIZE_BYTES`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let publishing = Publishing {
        single_copy_up_to_bytes: environment.parsed("SINGLE_COPY_UP_TO_BYTES")?,
        part_size_bytes: environment.parsed("COPY_PART_SIZE_BYTES")?,
    };
    let state = State {
        table: environment.table(&aws)?,
        clock: environment.clock(),
        ingest: environment.ingest_bucket(&aws)?,
        media: environment.media_bucket(&aws)?.with_publishing(publishing),
        queue: environment.ingest_queue(&aws)?,
        max_duration: Duration::from_secs(environment.parsed("MAX_DURATION_SECONDS")?),
        user_quota_bytes: environment.parsed("USER_QUOTA_BYTES")?,
        max_receive_count: environment.parsed("MAX_RECEIVE_COUNT")?,
        retry: Duration::from_secs(environment.parsed("RETRY_SECONDS")?),
        handover: Duration::from_secs(environment.parsed("HANDOVER_SECONDS")?),
    };
    Ok(long_event_function(state, handle))
}

/// Processes a batch of the queue, or a raw S3 event.
async fn handle(state: Arc<State>, event: Value, deadline: Instant) -> Result<SqsBatchResponse, Error> {
    let until = deadline.checked_sub(state.handover).unwrap_or(deadline);
    let is_from_queue = event.pointer("/Records/0/eventSource").and_then(Value::as_str) == Some("aws:sqs");
    if is_from_queue {
        let batch: SqsEvent = serde_json::from_value(event)?;
        return Ok(handle_batch(&state, batch, until).await);
    }
    // Lambda tries an asynchronous event again by itself; this attempt cannot know whether it is the last.
    handle_notification(&state, event, Attempt::NotLast, until).await?;
    Ok(SqsBatchResponse::default())
}

/// The messages of a batch side by side: most of the time is spent waiting for S3.
async fn handle_batch(state: &State, batch: SqsEvent, until: Instant) -> SqsBatchResponse {
    let messages = &batch.records;
    let handled = messages.iter().map(|message| handle_message(state, message, until));
    let handled: Vec<bool> = futures::future::join_all(handled).await;
    let failed: BTreeSet<&Option<String>> = messages
        .iter()
        .zip(&handled)
        .filter(|(_, handled)| !**handled)
        .map(|(message, _)| &message.message_id)
        .collect();
    // A message that came twice in one batch is kept twice, for the copy that failed.
    for (message, handled) in messages.iter().zip(&handled) {
        if *handled && failed.contains(&message.message_id) {
            come_back_after(state, message, Duration::ZERO).await;
        }
    }
    let failures = failed.into_iter().map(|message_id| {
        let mut failure = BatchItemFailure::default();
        // Without an id Lambda keeps the whole batch, which is what a failure that cannot be named asks for.
        failure.item_identifier = message_id.clone().unwrap_or_default();
        failure
    });
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failures.collect();
    response
}

/// Whether the message was dealt with. If not, it comes back later.
async fn handle_message(state: &State, message: &SqsMessage, until: Instant) -> bool {
    let receive_count = receive_count(message);
    let attempt = if receive_count >= state.max_receive_count { Attempt::Last } else { Attempt::NotLast };
    let body = message.body.as_deref().unwrap_or_default();
    let result = match serde_json::from_str(body) {
        Ok(notification) => handle_notification(state, notification, attempt, until).await,
        Err(error) => Err(error.into()),
    };
    let Err(error) = result else { return true };
    tracing::error!(message_id = message.message_id, receive_count, %error, "the message was not processed");
    retry_later(state, message, receive_count).await;
    false
}

fn receive_count(message: &SqsMessage) -> u32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// Twice as long after each attempt. If the queue cannot be told, its own, longer time applies.
async fn retry_later(state: &State, message: &SqsMessage, receive_count: u32) {
    const LONGEST: Duration = Duration::from_hours(1);
    // After the last attempt it goes on to the dead-letter queue at once.
    let is_last = receive_count >= state.max_receive_count;
    let doubled = state.retry.saturating_mul(2_u32.saturating_pow(receive_count.saturating_sub(1)));
    come_back_after(state, message, if is_last { Duration::ZERO } else { doubled.min(LONGEST) }).await;
}

async fn come_back_after(state: &State, message: &SqsMessage, delay: Duration) {
    let Some(receipt_handle) = &message.receipt_handle else { return };
    if let Err(error) = state.queue.retry_after(receipt_handle, delay).await {
        tracing::warn!(%error, "the message comes back only after the queue's visibility timeout");
    }
}

/// Processes every object of a notification, also after one that fails; answers the first failure.
async fn handle_notification(
    state: &State,
    notification: Value,
    attempt: Attempt,
    until: Instant,
) -> Result<(), Error> {
    let notification: Notification = serde_json::from_value(notification)?;
    let mut first_failure = None;
    for record in &notification.records {
        if let Err(error) = handle_record(state, record, attempt, until).await {
            tracing::error!(key = record.s3.object.key, %error, "the object was not processed");
            first_failure.get_or_insert(error);
        }
    }
    first_failure.map_or(Ok(()), Err)
}

async fn handle_record(
    state: &State,
    record: &S3EventRecord,
    attempt: Attempt,
    until: Instant,
) -> Result<(), Error> {
    let Some(object) = object_created(record)? else {
        let (event_name, key) = (&record.event_name, &record.s3.object.key);
        tracing::warn!(event_name, key, "the event is not about an upload");
        return Ok(());
    };
    let begun = Instant::now();
    let delivery = Delivery { object, attempt, until };
    let outcome = process(state, &delivery).await?;
    let Delivery { object, .. } = &delivery;
    tracing::info!(
        key = %object.key,
        version_id = object.version.version_id,
        ?outcome,
        { metrics::PROCESSING_MS } = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        "processed"
    );
    Ok(())
}
