//! One object from its arrival to its end: `ready`, `rejected`, or tried again.
//!
//! Each step reads what the record is, decides, and writes on condition that the record is still that. If it is not,
//! the step is decided again from what the record has become. Of several runs on one object the one that began last
//! goes on, and the others stop at their next write; one that comes later finds that there is nothing left to do.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use api::{ObjectCreated, QueueError, metrics};
use buckets::BucketError;
use domain::{Arrival, Failure, Media, Slot, State as MediaState, Upload, UploadState};
use probe::ProbeError;
use table::{ChangeError, MediaChange, Record, TableError};

use crate::State;
use crate::miniature;
use crate::run::{Run, TakenOn};

/// How often a step is decided again because the record changed under it.
pub(crate) const ATTEMPTS: usize = 5;

/// When the sweep looks whether processing got stuck: after the queue has given up.
pub(crate) const PROCESSING_DUE: Duration = Duration::from_hours(12);

/// Whether another attempt will be made if this one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It will.
    NotLast,
    /// It will not, until somebody redrives.
    Last,
}

/// An object that a message tells of, and how.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) object: ObjectCreated,
    pub(crate) attempt: Attempt,
    /// When the run is to hand over what is left.
    pub(crate) until: Instant,
}

/// How the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The media is ready.
    Ready,
    /// The miniature is published.
    Published,
    /// The object broke a rule.
    Rejected,
    /// Another run, told by a message of ours, goes on with it.
    HandedOver,
    /// Another object was accepted before, or the media ended: this one is deleted.
    Discarded,
    /// It was dealt with before.
    Settled,
    /// A run that began later is dealing with it, told by a message of its own.
    Superseded,
    /// The object is not there any more.
    Gone,
    /// No media has this object.
    Unknown,
}

/// Why the object could not be processed this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("the metadata could not be read: {0}")]
    Probe(#[from] ProbeError<BucketError>),
    #[error("the media has no upload")]
    UploadMissing,
    #[error("the object is not there")]
    ObjectMissing,
    #[error("the record kept changing")]
    Contended,
    #[error("the copy was given up by somebody else, again and again")]
    CopyGone,
    #[error("the copy takes longer than {} hours", .0.as_secs() / 3_600)]
    CopyTooSlow(Duration),
    /// No failure: see [`Outcome::Superseded`].
    #[error("a later run has taken over")]
    Superseded,
}

/// Processes one object. After the last attempt a media that still waits for it is `failed`.
pub(crate) async fn process(state: &State, delivery: &Delivery) -> Result<Outcome, ProcessError> {
    if delivery.object.key.slot == Slot::Miniature {
        return miniature::process(state, delivery).await;
    }
    let error = match process_source(state, delivery).await {
        Err(ProcessError::Superseded) => return Ok(Outcome::Superseded),
        Err(error) => error,
        ended => return ended,
    };
    // Another run may have ended it, and deleted the object under this one.
    if let Ok(ControlFlow::Break(outcome)) = look(state, &delivery.object).await {
        return Ok(outcome);
    }
    if delivery.attempt == Attempt::Last
        && let Err(second_error) = give_up(state, &delivery.object).await
    {
        tracing::error!(%second_error, "the media could not be marked as failed");
    }
    Err(error)
}

async fn process_source(state: &State, delivery: &Delivery) -> Result<Outcome, ProcessError> {
    let object = &delivery.object;
    for _ in 0..ATTEMPTS {
        let media = match look(state, object).await? {
            ControlFlow::Continue(media) => media,
            ControlFlow::Break(outcome) => return Ok(outcome),
        };
        let head = match state.ingest.head(&object.key, &object.version).await? {
            Some(head) => head,
            // S3 may not show an object yet, in the first minutes after a bucket began to keep versions.
            None if delivery.attempt == Attempt::NotLast => return Err(ProcessError::ObjectMissing),
            None => return gone(state, object, &media).await,
        };
        let run = match media.copy_upload_id() {
            None => Run::begin(state, delivery, head, &media).await?,
            Some(_) => Run::resume(state, delivery, head, &media).await?,
        };
        match run {
            TakenOn::Run(run) => return run.finish().await,
            TakenOn::QuotaExceeded(upload) => match refuse_over_quota(state, object, &media, upload).await {
                Err(ProcessError::Contended) => {}
                refused => return refused,
            },
            TakenOn::Changed => {}
        }
    }
    Err(ProcessError::Contended)
}

/// The media that the object is to be processed for. If there is none, what is left to be done about the object is done.
async fn look(state: &State, object: &ObjectCreated) -> Result<ControlFlow<Outcome, Media>, ProcessError> {
    let media = match state.table.media(object.key.media_id, state.clock.now()).await? {
        Record::Media(media) => *media,
        Record::Tombstone { .. } => return discard(state, object).await.map(ControlFlow::Break),
        Record::Absent => return Ok(ControlFlow::Break(Outcome::Unknown)),
    };
    match media.on_arrival(&object.version) {
        Arrival::Process => Ok(ControlFlow::Continue(media)),
        Arrival::Discard => discard(state, object).await.map(ControlFlow::Break),
        Arrival::Settled => settled(state, object, &media).await.map(ControlFlow::Break),
    }
}

async fn discard(state: &State, object: &ObjectCreated) -> Result<Outcome, ProcessError> {
    state.ingest.delete_version(&object.key, &object.version).await?;
    Ok(Outcome::Discarded)
}

/// The run that made the media ready may have died before it deleted the source.
async fn settled(state: &State, object: &ObjectCreated, media: &Media) -> Result<Outcome, ProcessError> {
    if matches!(media.state, MediaState::Ready { .. }) {
        state.ingest.delete_version(&object.key, &object.version).await?;
    }
    Ok(Outcome::Settled)
}

/// The object is not there, and will not be. If it was never accepted, the media goes on waiting for one; if it was,
/// it is lost.
async fn gone(state: &State, object: &ObjectCreated, media: &Media) -> Result<Outcome, ProcessError> {
    if media.is_processing(&object.version) {
        let rejected = media.reject(object.version.clone(), Failure::source_missing(), state.clock.now());
        change(state, media, rejected).await?;
        tracing::warn!({ metrics::UPLOADS_REJECTED } = 1, media_id = %media.id, "the accepted object is lost");
    }
    Ok(Outcome::Gone)
}

/// What does not fit into the quota is not kept, unlike what broke another rule: it would not count.
async fn refuse_over_quota(
    state: &State,
    object: &ObjectCreated,
    media: &Media,
    upload: Upload,
) -> Result<Outcome, ProcessError> {
    let now = state.clock.now();
    let failure = Failure::quota_exceeded(state.user_quota_bytes);
    let rejected = media.reject(object.version.clone(), failure, now);
    let uploads = vec![upload.end(UploadState::Completed, now)];
    match state.table.change_media(media, &MediaChange { uploads, ..MediaChange::of(rejected) }).await {
        Ok(()) => {}
        Err(ChangeError::Outdated) => return Err(ProcessError::Contended),
        Err(ChangeError::Table(error)) => return Err(error.into()),
    }
    tracing::info!({ metrics::UPLOADS_REJECTED } = 1, media_id = %media.id, "the file exceeds its owner's quota");
    if let Err(error) = state.ingest.delete_version(&object.key, &object.version).await {
        tracing::warn!(%error, "a file that exceeds its owner's quota is left to the sweep");
    }
    Ok(Outcome::Rejected)
}

/// Nothing more is tried by itself. The object is kept for a redrive.
async fn give_up(state: &State, object: &ObjectCreated) -> Result<(), ProcessError> {
    for _ in 0..ATTEMPTS {
        let record = state.table.media(object.key.media_id, state.clock.now()).await?;
        let Record::Media(media) = record else { return Ok(()) };
        if media.on_arrival(&object.version) != Arrival::Process {
            return Ok(());
        }
        let failed = media.fail(object.version.clone(), Failure::processing_failed(), state.clock.now());
        match change(state, &media, failed).await {
            Err(ProcessError::Contended) => {}
            Ok(()) => {
                tracing::error!({ metrics::UPLOADS_FAILED } = 1, media_id = %media.id, "the media has failed");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Err(ProcessError::Contended)
}

/// Writes a change of the record alone.
async fn change(state: &State, previous: &Media, media: Media) -> Result<(), ProcessError> {
    match state.table.change_media(previous, &MediaChange::of(media)).await {
        Ok(()) => Ok(()),
        Err(ChangeError::Outdated) => Err(ProcessError::Contended),
        Err(ChangeError::Table(error)) => Err(error.into()),
    }
}
