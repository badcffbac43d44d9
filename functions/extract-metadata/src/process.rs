//! One object from its arrival to its end: `ready`, `rejected`, or tried again.
//!
//! Each step reads what the record is, decides, and writes on condition that the record is still that. If it is not,
//! everything begins again with what it has become; so of two runs on one object one finishes, and the other finds
//! that there is nothing left to do.

use std::time::Duration;

use api::ObjectCreated;
use buckets::BucketError;
use domain::{
    Arrival, ChecksumAlgorithm, Failure, Job, JobType, Measurement, Media, ObjectHead, Slot,
    State as MediaState, Upload, UploadState, Work, WorkKind,
};
use probe::{Metadata, ProbeError};
use table::{ChangeError, MediaChange, Record, TableError};

use crate::State;
use crate::judge::read_and_judge;

/// How often one run begins again because the record changed under it.
const ATTEMPTS: usize = 5;

/// When the sweep looks whether processing got stuck: after the queue has given up.
const PROCESSING_DUE: Duration = Duration::from_hours(12);

/// Whether another attempt will be made if this one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It will.
    NotLast,
    /// It will not, until somebody redrives.
    Last,
}

/// How the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The media is ready.
    Ready,
    /// The object broke a rule.
    Rejected,
    /// Another object was accepted before, or the media ended: this one is deleted.
    Discarded,
    /// It was dealt with before.
    Settled,
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
    #[error("the metadata could not be read: {0}")]
    Probe(#[from] ProbeError<BucketError>),
    #[error("the media has no upload")]
    UploadMissing,
    #[error("the record kept changing")]
    Contended,
    /// Not an end: the run begins again.
    #[error("the record has changed in the meantime")]
    Outdated,
}

impl From<ChangeError> for ProcessError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Outdated => Self::Outdated,
            ChangeError::Table(error) => Self::Table(error),
        }
    }
}

/// Processes one object.
pub(crate) async fn process(
    state: &State,
    object: &ObjectCreated,
    attempt: Attempt,
) -> Result<Outcome, ProcessError> {
    for _ in 0..ATTEMPTS {
        match process_once(state, object, attempt).await {
            Err(ProcessError::Outdated) => {}
            ended => return ended,
        }
    }
    Err(ProcessError::Contended)
}

async fn process_once(
    state: &State,
    object: &ObjectCreated,
    attempt: Attempt,
) -> Result<Outcome, ProcessError> {
    if object.key.slot != Slot::Source {
        return Ok(Outcome::Unknown);
    }
    let media = match state.table.media(object.key.media_id, state.clock.now()).await? {
        Record::Media(media) => *media,
        Record::Tombstone { .. } => return discard(state, object).await,
        Record::Absent => return Ok(Outcome::Unknown),
    };
    match media.on_arrival(&object.version) {
        Arrival::Discard => discard(state, object).await,
        Arrival::Settled => {
            // The run that made it ready may have died before it deleted the source.
            if matches!(media.state, MediaState::Ready { .. }) {
                state.ingest.delete_version(&object.key, &object.version).await?;
            }
            Ok(Outcome::Settled)
        }
        Arrival::Process => match state.ingest.head(&object.key, &object.version).await? {
            Some(head) => Run::begin(state, object, head, &media).await?.finish(attempt).await,
            None => gone(state, object, &media).await,
        },
    }
}

async fn discard(state: &State, object: &ObjectCreated) -> Result<Outcome, ProcessError> {
    state.ingest.delete_version(&object.key, &object.version).await?;
    Ok(Outcome::Discarded)
}

/// The object is not there. If it was never accepted, the media goes on waiting for one; if it was, it is lost.
async fn gone(state: &State, object: &ObjectCreated, media: &Media) -> Result<Outcome, ProcessError> {
    if media.is_processing(&object.version) {
        let failure =
            Failure::new("source_missing", "The uploaded file is not there any more. Upload it again.");
        let failed = media.fail(object.version.clone(), failure, state.clock.now());
        let change = MediaChange { media: failed, upload: None, jobs: Vec::new(), metadata: None };
        state.table.change_media(media, &change).await?;
    }
    Ok(Outcome::Gone)
}

/// A run whose object was accepted, and what is known by now.
struct Run<'a> {
    state: &'a State,
    object: &'a ObjectCreated,
    head: ObjectHead,
    upload: Upload,
    /// The record as this run wrote it last.
    media: Media,
    /// The job that is running.
    job: Job,
}

impl<'a> Run<'a> {
    /// Accepts the object, or goes on with the accepted one: a new attempt at the `extract_metadata` job.
    async fn begin(
        state: &'a State,
        object: &'a ObjectCreated,
        head: ObjectHead,
        media: &Media,
    ) -> Result<Self, ProcessError> {
        let now = state.clock.now();
        let upload = state.table.upload(media.upload_id, now).await?.ok_or(ProcessError::UploadMissing)?;
        let work = Work { kind: WorkKind::Processing, due: now.plus(PROCESSING_DUE) };
        let begun = media.begin_processing(object.version.clone(), work, now);
        let job_type = JobType::ExtractMetadata;
        let job = Job::start(state.clock.new_id(), job_type, begun.attempt(job_type), now);
        let mut run = Self { state, object, head, upload, media: media.clone(), job: job.clone() };
        run.write(begun, vec![job], None, None).await?;
        Ok(run)
    }

    async fn finish(mut self, attempt: Attempt) -> Result<Outcome, ProcessError> {
        match self.verify_read_publish().await {
            Err(ProcessError::Outdated) => Err(ProcessError::Outdated),
            Err(error) => {
                self.note_failure(&error, attempt).await;
                Err(error)
            }
            ended => ended,
        }
    }

    async fn verify_read_publish(&mut self) -> Result<Outcome, ProcessError> {
        let checksum_verified = match self.upload.verify(&self.head) {
            Ok(verified) => verified,
            Err(failure) => return self.reject(failure).await,
        };
        let source = self.state.ingest.source(&self.object.key, &self.object.version, self.head.size_bytes);
        match read_and_judge(&source, &self.media, self.state.max_duration).await? {
            Ok(metadata) => self.publish(metadata, checksum_verified).await,
            Err(failure) => self.reject(failure).await,
        }
    }

    async fn publish(
        &mut self,
        metadata: Metadata,
        checksum_verified: Option<ChecksumAlgorithm>,
    ) -> Result<Outcome, ProcessError> {
        let measurement = Measurement {
            duration_seconds: metadata.duration_seconds,
            size_bytes: self.head.size_bytes,
            checksum_crc64nvme: self
                .head
                .checksum_crc64nvme
                .as_deref()
                .and_then(|checksum| checksum.parse().ok()),
            checksum_verified,
        };
        self.begin_publishing(metadata).await?;
        let Media { content_type, filename, .. } = &self.media;
        let (ingest, version) = (&self.state.ingest, &self.object.version);
        let published =
            self.state.media.publish(ingest, &self.object.key, version, content_type, filename).await?;
        let now = self.state.clock.now();
        let ready = self.media.publish(version.clone(), published, measurement, now);
        let job = self.job.clone().succeed(now);
        let upload = self.upload.clone().end(UploadState::Completed, now);
        self.write(ready, vec![job], Some(upload), None).await?;
        self.delete_source().await;
        Ok(Outcome::Ready)
    }

    /// The metadata is recorded, its job done, and the `upload_to_cdn` job begins.
    async fn begin_publishing(&mut self, metadata: Metadata) -> Result<(), ProcessError> {
        let now = self.state.clock.now();
        let publishing = self.media.begin_publishing(now);
        let job_type = JobType::UploadToCdn;
        let next = Job::start(self.state.clock.new_id(), job_type, publishing.attempt(job_type), now);
        let done = self.job.clone().succeed(now);
        self.write(publishing, vec![done, next.clone()], None, Some(metadata)).await?;
        self.job = next;
        Ok(())
    }

    async fn reject(&mut self, failure: Failure) -> Result<Outcome, ProcessError> {
        let now = self.state.clock.now();
        let job = self.job.clone().fail(failure.detail.clone(), now);
        let upload = self.upload.clone().end(UploadState::Completed, now);
        let rejected = self.media.reject(self.object.version.clone(), failure, now);
        // The object stays until the bucket's lifecycle rule ends it, unreadable for anyone, should the rule be wrong.
        self.write(rejected, vec![job], Some(upload), None).await?;
        Ok(Outcome::Rejected)
    }

    /// The job failed for reasons of ours. What cannot be noted is in the log, and the next attempt is a job of its own.
    async fn note_failure(&mut self, error: &ProcessError, attempt: Attempt) {
        let now = self.state.clock.now();
        let (detail, media) = match attempt {
            Attempt::NotLast => {
                ("The storage was not available. It is tried again by itself.", self.media.noted(now))
            }
            Attempt::Last => {
                let detail = "The file could not be processed. It is kept; ask the operator to try again.";
                let failure = Failure::new("processing_failed", detail);
                (detail, self.media.fail(self.object.version.clone(), failure, now))
            }
        };
        let job = self.job.clone().fail(detail, now);
        if let Err(second_error) = self.write(media, vec![job], None, None).await {
            tracing::error!(%error, %second_error, "the failure could not be noted");
        }
    }

    /// The published copy is what counts now; what stays behind, the bucket's lifecycle rule deletes.
    async fn delete_source(&self) {
        if let Err(error) = self.state.ingest.delete_version(&self.object.key, &self.object.version).await {
            tracing::warn!(%error, "the source of a published media could not be deleted");
        }
    }

    async fn write(
        &mut self,
        media: Media,
        jobs: Vec<Job>,
        upload: Option<Upload>,
        metadata: Option<Metadata>,
    ) -> Result<(), ChangeError> {
        let change = MediaChange { media, upload, jobs, metadata };
        self.state.table.change_media(&self.media, &change).await?;
        self.media = change.media;
        Ok(())
    }
}
