//! A run whose object was accepted: verify, read, publish.

use api::ObjectCreated;
use domain::{
    ChecksumAlgorithm, Failure, Job, JobType, Measurement, Media, ObjectHead, Upload, UploadState, Work,
    WorkKind,
};
use probe::Metadata;
use table::{ChangeError, MediaChange, Record};

use crate::State;
use crate::judge::read_and_judge;
use crate::process::{ATTEMPTS, Outcome, PROCESSING_DUE, ProcessError};

/// What is known of a run by now.
pub(crate) struct Run<'a> {
    state: &'a State,
    object: &'a ObjectCreated,
    head: ObjectHead,
    upload: Upload,
    /// The record as this run read or wrote it last.
    media: Media,
    /// The job that is running.
    job: Job,
}

impl<'a> Run<'a> {
    /// Accepts the object, or goes on with the accepted one: a new attempt at the `extract_metadata` job. `None` if the
    /// record is not `media` any more.
    pub(crate) async fn begin(
        state: &'a State,
        object: &'a ObjectCreated,
        head: ObjectHead,
        media: &Media,
    ) -> Result<Option<Self>, ProcessError> {
        let now = state.clock.now();
        let upload = state.table.upload(media.upload_id, now).await?.ok_or(ProcessError::UploadMissing)?;
        let work = Work { kind: WorkKind::Processing, due: now.plus(PROCESSING_DUE) };
        let begun = media.begin_processing(object.version.clone(), work, now);
        let job_type = JobType::ExtractMetadata;
        let job = Job::start(state.clock.new_id(), job_type, begun.attempt(job_type), now);
        let change = MediaChange { jobs: vec![job.clone()], ..MediaChange::of(begun.clone()) };
        match state.table.change_media(media, &change).await {
            Ok(()) => Ok(Some(Self { state, object, head, upload, media: begun, job })),
            Err(ChangeError::Outdated) => Ok(None),
            Err(ChangeError::Table(error)) => Err(error.into()),
        }
    }

    /// Goes through to the end. A job that fails for reasons of ours is recorded as failed.
    pub(crate) async fn finish(mut self) -> Result<Outcome, ProcessError> {
        let ended = self.verify_read_publish().await;
        match &ended {
            Ok(_) | Err(ProcessError::Superseded) => {}
            Err(error) => {
                if let Err(second_error) = self.note_failure().await {
                    // The next attempt is a job of its own; this one stays `running`.
                    tracing::error!(%error, %second_error, "the failure could not be noted");
                }
            }
        }
        ended
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
            checksum_crc64nvme: self.head.checksum_crc64nvme.clone(),
            checksum_verified,
        };
        self.begin_publishing(metadata).await?;
        let (state, object) = (self.state, self.object);
        let Media { content_type, filename, .. } = &self.media;
        let published =
            state.media.publish(&state.ingest, &object.key, &object.version, content_type, filename).await?;
        let now = state.clock.now();
        let jobs = vec![self.job.clone().succeed(now)];
        let upload = self.upload.clone().end(UploadState::Completed, now);
        self.write(jobs, vec![upload], None, |media| {
            media.publish(object.version.clone(), published.clone(), measurement.clone(), now)
        })
        .await?;
        self.delete_source().await;
        Ok(Outcome::Ready)
    }

    /// The metadata is recorded, its job done, and the `upload_to_cdn` job begins.
    async fn begin_publishing(&mut self, metadata: Metadata) -> Result<(), ProcessError> {
        let now = self.state.clock.now();
        let job_type = JobType::UploadToCdn;
        // Only the run that began last goes on, so nobody else begins this job.
        let attempt = self.media.begin_publishing(now).attempt(job_type);
        let next = Job::start(self.state.clock.new_id(), job_type, attempt, now);
        let done = self.job.clone().succeed(now);
        self.write(vec![done, next.clone()], Vec::new(), Some(metadata), |media| media.begin_publishing(now))
            .await?;
        self.job = next;
        Ok(())
    }

    async fn reject(&mut self, failure: Failure) -> Result<Outcome, ProcessError> {
        let now = self.state.clock.now();
        let job = self.job.clone().fail(failure.detail.clone(), now);
        let upload = self.upload.clone().end(UploadState::Completed, now);
        let version = self.object.version.clone();
        // The object stays until the bucket's lifecycle rule ends it, unreadable for anyone, should the rule be wrong.
        self.write(vec![job], vec![upload], None, |media| {
            media.reject(version.clone(), failure.clone(), now)
        })
        .await?;
        Ok(Outcome::Rejected)
    }

    async fn note_failure(&mut self) -> Result<(), ProcessError> {
        let now = self.state.clock.now();
        let detail = "The storage was not available. It is tried again by itself, for a while.";
        let job = self.job.clone().fail(detail, now);
        self.write(vec![job], Vec::new(), None, |media| media.noted(now)).await
    }

    /// The published copy is what counts now; what stays behind, the bucket's lifecycle rule deletes.
    async fn delete_source(&self) {
        if let Err(error) = self.state.ingest.delete_version(&self.object.key, &self.object.version).await {
            tracing::warn!(%error, "the source of a published media could not be deleted");
        }
    }

    /// Writes a step. If the record changed in between, the step is made of what it became, as long as this is still
    /// the run that began last.
    async fn write(
        &mut self,
        jobs: Vec<Job>,
        uploads: Vec<Upload>,
        metadata: Option<Metadata>,
        step: impl Fn(&Media) -> Media,
    ) -> Result<(), ProcessError> {
        let mut change = MediaChange { media: step(&self.media), uploads, jobs, metadata };
        for _ in 0..ATTEMPTS {
            match self.state.table.change_media(&self.media, &change).await {
                Ok(()) => {
                    self.media = change.media;
                    return Ok(());
                }
                Err(ChangeError::Outdated) => self.read_again().await?,
                Err(ChangeError::Table(error)) => return Err(error.into()),
            }
            change.media = step(&self.media);
        }
        Err(ProcessError::Contended)
    }

    async fn read_again(&mut self) -> Result<(), ProcessError> {
        let record = self.state.table.media(self.object.key.media_id, self.state.clock.now()).await?;
        let Record::Media(media) = record else { return Err(ProcessError::Superseded) };
        let attempt = |media: &Media| media.attempt(JobType::ExtractMetadata);
        if media.is_processing(&self.object.version) && attempt(&media) == attempt(&self.media) {
            self.media = *media;
            Ok(())
        } else {
            Err(ProcessError::Superseded)
        }
    }
}
