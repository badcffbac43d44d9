//! How an upload is completed.
//!
//! Parts are listed and compared with the plan; then the record becomes `completing`, in a transaction with the work
//! that has the sweep look after it soon; then S3 joins them. From there on it is too late to abort, and whoever asks
//! again goes on: with what S3 still lists if the request before died, or with the object if it is there. If S3 finds that
//! the parts have changed, the upload is opened again. Each step is decided from the record as it is, and written on
//! condition that it still is that.
//!
//! A file whose size was not declared is as long as its parts together. What it comes to is counted against its owner's
//! quota in the transaction that makes the record `completing`; if it does not fit, nothing is joined.

use std::time::{Duration, Instant};

use aws_types::SdkConfig;
use buckets::{Completed, IngestBucket};
use domain::{
    Arrival, Media, MiniatureState, NamedParts, ObjectVersion, PartRules, SizeBytes, Slot,
    State as MediaState, Status, Upload, UploadMethod, total_size_bytes,
};
use probe::Metadata;
use table::{ChangeError, MediaChange, Record, Table};

use crate::environment::{Clock, Environment, EnvironmentError};
use crate::problem::{Code, Problem};

/// How often it is decided again because the record or the parts changed in between.
const ATTEMPTS: usize = 5;

/// How completing an upload ended, short of a problem.
#[derive(Debug)]
pub struct CompletedUpload {
    /// The media, as far as it is known.
    pub media: Media,
    /// Its metadata, once it is processed.
    pub metadata: Option<Metadata>,
    /// The object's tag; `None` while S3 is still making it.
    pub etag: Option<String>,
}

/// Completes uploads.
#[derive(Debug)]
pub struct Completer {
    table: Table,
    ingest: IngestBucket,
    clock: Clock,
    /// How long a client waits for S3.
    wait: Duration,
    user_quota_bytes: SizeBytes,
}

impl Completer {
    /// With `TABLE_NAME`, `INGEST_BUCKET`, `COMPLETE_WAIT_SECONDS` and `USER_QUOTA_BYTES`.
    pub fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Ok(Self {
            table: environment.table(aws)?,
            ingest: environment.ingest_bucket(aws)?,
            clock: environment.clock(),
            wait: Duration::from_secs(environment.parsed("COMPLETE_WAIT_SECONDS")?),
            user_quota_bytes: environment.parsed("USER_QUOTA_BYTES")?,
        })
    }

    /// The bucket that uploads are sent to.
    pub fn ingest(&self) -> &IngestBucket {
        &self.ingest
    }

    /// Completes an upload, whose client may have named the parts that they sent.
    pub async fn complete(
        &self,
        upload: &Upload,
        named: Option<&NamedParts>,
    ) -> Result<CompletedUpload, Problem> {
        Completion { state: self, upload, named, begun: Instant::now() }.run().await
    }
}

/// One request to complete an upload.
struct Completion<'a> {
    state: &'a Completer,
    upload: &'a Upload,
    /// The parts that the client named.
    named: Option<&'a NamedParts>,
    begun: Instant,
}

impl Completion<'_> {
    /// Decides again as long as something changes in between, and not forever.
    async fn run(&self) -> Result<CompletedUpload, Problem> {
        for _ in 0..ATTEMPTS {
            let (media, metadata) = self.read().await?;
            let outcome = match self.upload.slot {
                Slot::Source => self.source(&media).await?,
                Slot::Miniature => self.miniature(&media).await?,
            };
            match outcome {
                Step::Object(media, ObjectVersion { etag, .. }) => {
                    return Ok(CompletedUpload { media: *media, metadata, etag: Some(etag) });
                }
                Step::StillWorking(media) => {
                    return Ok(CompletedUpload { media: *media, metadata, etag: None });
                }
                Step::Changed => {}
            }
        }
        Err(ChangeError::Outdated.into())
    }

    async fn read(&self) -> Result<(Media, Option<Metadata>), Problem> {
        let now = self.state.clock.now();
        match self.state.table.media_with_metadata(self.upload.media_id, now).await? {
            (Record::Media(media), metadata) if media.status() != Status::Deleting => Ok((*media, metadata)),
            _ => Err(Problem::not_found("upload")),
        }
    }

    async fn source(&self, media: &Media) -> Result<Step, Problem> {
        if let Some(source) = media.source() {
            return Ok(Step::object(media, source));
        }
        if !media.is_awaited() {
            return Err(Problem::upload_ended());
        }
        match (&self.upload.method, self.upload.part_rules()) {
            (UploadMethod::Multipart { s3_upload_id, .. }, Some(rules)) => {
                self.join(media, s3_upload_id, &rules).await
            }
            _ => self.find(media, object_missing()).await,
        }
    }

    /// Has S3 join the parts, if they are what they should be.
    async fn join(&self, media: &Media, s3_upload_id: &str, rules: &PartRules) -> Result<Step, Problem> {
        let (ingest, key) = (&self.state.ingest, self.upload.key());
        if rules.plan().is_none() && self.named.is_none() && media.status() == Status::AwaitingUpload {
            let detail = "Name the parts: of a file whose size was not declared, only its client knows when it is whole.";
            return Err(Problem::new(Code::PartsIncomplete, detail));
        }
        let Some(uploaded) = ingest.list_parts(&key, s3_upload_id).await? else {
            return self.find(media, Problem::upload_ended()).await;
        };
        let parts = match rules.assemble(uploaded, self.named) {
            Ok(parts) => parts,
            Err(error) => return self.refuse(media, error.into()).await,
        };
        let media = match self.complete(media, Some(total_size_bytes(&parts))).await? {
            Completing::Yes(media) => *media,
            Completing::Changed => return Ok(Step::Changed),
            Completing::QuotaExceeded => {
                return self.refuse(media, Problem::quota_exceeded(self.state.user_quota_bytes)).await;
            }
        };
        let left = self.state.wait.saturating_sub(self.begun.elapsed());
        match ingest.complete_multipart(&key, s3_upload_id, &parts, left).await? {
            Completed::Done(object) => Ok(Step::object(&media, &object)),
            Completed::StillWorking => Ok(Step::StillWorking(Box::new(media))),
            Completed::NoSuchUpload => self.find(&media, Problem::upload_ended()).await,
            // Which ones, and whether they are good now, the next listing tells.
            Completed::PartsChanged => self.reopen(&media).await.map(|_| Step::Changed),
        }
    }

    /// Lets the upload go on, and says why it is not complete.
    async fn refuse(&self, media: &Media, problem: Problem) -> Result<Step, Problem> {
        if self.reopen(media).await? { Err(problem) } else { Ok(Step::Changed) }
    }

    /// Looks for the object, which is there or `missing`.
    async fn find(&self, media: &Media, missing: Problem) -> Result<Step, Problem> {
        match self.state.ingest.head_current(&self.upload.key()).await? {
            Some((object, _)) => {
                // What it counts, if its size was not declared, is seen to when it is processed.
                Ok(match self.complete(media, None).await? {
                    Completing::Yes(media) => Step::object(&media, &object),
                    Completing::Changed | Completing::QuotaExceeded => Step::Changed,
                })
            }
            None => self.changed_or(media, missing).await,
        }
    }

    /// A miniature has no state in which it is being completed: it is there, or it is not.
    async fn miniature(&self, media: &Media) -> Result<Step, Problem> {
        let miniature = media.miniature.as_ref().ok_or_else(|| Problem::not_found("upload"))?;
        if let Some(source) = miniature.source() {
            return Ok(Step::object(media, source));
        }
        if miniature.state != MiniatureState::AwaitingUpload {
            return Err(Problem::upload_ended());
        }
        match self.state.ingest.head_current(&self.upload.key()).await? {
            Some((object, _)) if media.on_miniature_arrival(&object) == Arrival::Discard => {
                Err(Problem::upload_ended())
            }
            Some((object, _)) => Ok(Step::object(media, &object)),
            None => self.changed_or(media, object_missing()).await,
        }
    }

    /// What is not there may have been accepted and moved on since the record was read.
    async fn changed_or(&self, media: &Media, problem: Problem) -> Result<Step, Problem> {
        let (present, _) = self.read().await?;
        if present.version == media.version { Err(problem) } else { Ok(Step::Changed) }
    }

    /// The media in `completing`, counting as many bytes as there are, if that is known by now.
    async fn complete(&self, media: &Media, size_bytes: Option<SizeBytes>) -> Result<Completing, Problem> {
        let counting = size_bytes.map_or_else(|| media.clone(), |size_bytes| media.reserving(size_bytes));
        let is_counted = counting.reserved_bytes == media.reserved_bytes;
        if media.state == MediaState::Completing && is_counted {
            return Ok(Completing::Yes(Box::new(counting)));
        }
        let completing = counting.complete(self.state.clock.now());
        let uploads = vec![self.upload.clone().complete()];
        let change = MediaChange { uploads, ..MediaChange::of(completing) };
        match self.state.table.change_media_within(media, &change, self.state.user_quota_bytes).await {
            Ok(true) => Ok(Completing::Yes(Box::new(change.media))),
            Ok(false) => Ok(Completing::QuotaExceeded),
            Err(ChangeError::Outdated) => Ok(Completing::Changed),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets the upload go on. Whether it does; if not, the record has changed.
    async fn reopen(&self, media: &Media) -> Result<bool, Problem> {
        if media.state == MediaState::AwaitingUpload {
            return Ok(true);
        }
        let reopened = media.reopen(self.upload.deadline, self.state.clock.now());
        let uploads = vec![self.upload.clone().reopen()];
        let change = MediaChange { uploads, ..MediaChange::of(reopened) };
        match self.state.table.change_media(media, &change).await {
            Ok(()) => Ok(true),
            Err(ChangeError::Outdated) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the record says that the upload is being completed.
enum Completing {
    /// It does.
    Yes(Box<Media>),
    /// It has changed.
    Changed,
    /// It does not: the file does not fit into its owner's quota.
    QuotaExceeded,
}

/// What one look at record and bucket came to.
enum Step {
    /// The object is there.
    Object(Box<Media>, ObjectVersion),
    /// S3 is making it.
    StillWorking(Box<Media>),
    /// The record or the parts changed: look again.
    Changed,
}

impl Step {
    fn object(media: &Media, object: &ObjectVersion) -> Self {
        Self::Object(Box::new(media.clone()), object.clone())
    }
}

fn object_missing() -> Problem {
    Problem::new(
        Code::ObjectMissing,
        "The file is not there yet. Send it as the upload says, then complete again.",
    )
}
