//! One item of work: what it asks for as its media, or its user, is now, and how that ends.
//!
//! Nothing is decided from the item itself. It says where to look; what is there says what is still owed.

use std::time::Duration;

use api::{ObjectCreated, QueueError};
use buckets::BucketError;
use domain::{Media, MediaId, ObjectHead, ObjectVersion, SourceKey, Timestamp, Upload, UploadId, WorkKind};
use serde::Serialize;
use table::{ChangeError, DueWork, MediaChange, Record, Subject, TableError};

use crate::{State, deletion, leftovers, miniature, processing, upload, user_deletion};

/// How often an item is decided again because its media changed under it: that of a miniature is due with that of its
/// media.
const ATTEMPTS: usize = 5;

/// When an item that failed is looked at again.
const FAILED_DUE: Duration = Duration::from_mins(15);

/// How an item was settled, for now or for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The object is there: the queue was told of it, as S3 would.
    Told,
    /// All parts are there: S3 made one object of them, and tells of it.
    Joined,
    /// Parts are missing: the upload goes on.
    Reopened,
    /// It was not uploaded in time.
    Expired,
    /// The accepted object is lost.
    Rejected,
    /// It stays stuck: it is left to a redrive, or a miniature to oblivion.
    GivenUp,
    /// What an upload left is removed.
    Removed,
    /// A media or a user is deleted.
    Deleted,
    /// There is more to do, or to wait for.
    Later,
    /// The media, or the user, is gone.
    Forgotten,
    /// Somebody else changed the media or the user: what is owed now, if anything, is another item, or looked at next
    /// time.
    Overtaken,
}

/// Why an item could not be settled this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettleError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("the media is {0:?}, which does not owe this")]
    Unexpected(domain::Status),
    #[error("the upload has no record")]
    UploadMissing,
    #[error("who was to get the media is not there")]
    ReceiverMissing,
    #[error("it took too long")]
    TooSlow,
}

/// Does what an item asks for, if it is still owed.
pub(crate) async fn settle(state: &State, due: &DueWork) -> Result<Outcome, SettleError> {
    match due.subject {
        Subject::Media { media_id, .. } => settle_media(state, due, media_id).await,
        Subject::User { user_id } => user_deletion::settle(state, due, user_id).await,
    }
}

async fn settle_media(state: &State, due: &DueWork, media_id: MediaId) -> Result<Outcome, SettleError> {
    for _ in 0..ATTEMPTS {
        let Record::Media(media) = state.table.media(media_id, state.clock.now()).await? else {
            state.table.forget_work(due).await?;
            return Ok(Outcome::Forgotten);
        };
        if !due.is_owed_by(&media) {
            break;
        }
        let outcome = match due.work.kind {
            WorkKind::Upload => upload::settle(state, &media).await?,
            WorkKind::Miniature => miniature::settle(state, &media, due.work).await?,
            WorkKind::Processing => processing::settle(state, &media, due.work).await?,
            WorkKind::Leftovers => leftovers::settle(state, &media).await?,
            WorkKind::MediaDeletion => deletion::settle(state, &media).await?,
            WorkKind::UserDeletion => return Err(SettleError::Unexpected(media.status())),
        };
        if outcome != Outcome::Overtaken {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Overtaken)
}

/// Puts an item off that failed, so that what fails each time is not what each sweep begins with.
pub(crate) async fn postpone(state: &State, due: &DueWork) -> Result<(), SettleError> {
    let now = state.clock.now();
    let later = now.plus(FAILED_DUE);
    let media_id = match due.subject {
        Subject::Media { media_id, .. } => media_id,
        Subject::User { user_id } => return user_deletion::postpone(state, due, user_id, later).await,
    };
    let Record::Media(media) = state.table.media(media_id, now).await? else { return Ok(()) };
    if due.is_owed_by(&media) {
        let put_off = match due.work.kind {
            WorkKind::Miniature => media.look_again_at_miniature(later, now),
            _ => media.look_again(later, now),
        };
        write(state, &media, MediaChange::of(put_off), Outcome::Later).await?;
    }
    Ok(())
}

/// Writes a step whose success is `outcome`.
pub(crate) async fn write(
    state: &State,
    previous: &Media,
    change: MediaChange,
    outcome: Outcome,
) -> Result<Outcome, SettleError> {
    match state.table.change_media(previous, &change).await {
        Ok(()) => Ok(outcome),
        Err(ChangeError::Outdated) => Ok(Outcome::Overtaken),
        Err(ChangeError::Table(error)) => Err(error.into()),
    }
}

/// The same for a step that changes the media alone.
pub(crate) async fn write_media(
    state: &State,
    previous: &Media,
    media: Media,
    outcome: Outcome,
) -> Result<Outcome, SettleError> {
    write(state, previous, MediaChange::of(media), outcome).await
}

/// The record of an upload whose media waits for it.
pub(crate) async fn open_upload(state: &State, id: UploadId) -> Result<Upload, SettleError> {
    state.table.upload(id, state.clock.now()).await?.ok_or(SettleError::UploadMissing)
}

/// Tells the queue of an object, as S3 would.
pub(crate) async fn tell(
    state: &State,
    key: SourceKey,
    version: ObjectVersion,
    head: &ObjectHead,
    now: Timestamp,
) -> Result<(), SettleError> {
    let object = ObjectCreated { key, version };
    let message = object.message(state.ingest.name(), head.size_bytes, now);
    Ok(state.queue.send(message, Duration::ZERO).await?)
}
