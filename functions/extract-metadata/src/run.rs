//! A run whose object was accepted: verify, read, publish; or, where another run had come as far, publish only.

use api::metrics;
use domain::{
    Failure, Job, JobStatus, JobType, Media, ObjectHead, Timestamp, Upload, UploadState, Work, WorkKind,
};
use probe::Metadata;
use table::{ChangeError, MediaChange, Record};

use crate::State;
use crate::judge::read_and_judge;
use crate::process::{ATTEMPTS, Delivery, Outcome, PROCESSING_DUE, ProcessError};

/// Whether a run has begun.
pub(crate) enum TakenOn<'a> {
    /// It has.
    Run(Box<Run<'a>>),
    /// The record is not what it was any more.
    Changed,
    /// The object, whose size was not declared, does not fit into its owner's quota.
    QuotaExceeded(Upload),
}

/// What is known of a run by now.
pub(crate) struct Run<'a> {
    pub(crate) state: &'a State,
    pub(crate) delivery: &'a Delivery,
    pub(crate) head: ObjectHead,
    pub(crate) upload: Upload,
    /// The record as this run read or wrote it last.
    pub(crate) media: Media,
    /// The job that is running.
    pub(crate) job: Job,
}

impl<'a> Run<'a> {
    /// Accepts the object, or goes on with the accepted one: a new attempt at the `extract_metadata` job.
    pub(crate) async fn begin(
        state: &'a State,
        delivery: &'a Delivery,
        head: ObjectHead,
        media: &Media,
    ) -> Result<TakenOn<'a>, ProcessError> {
        let now = state.clock.now();
        let version = delivery.object.version.clone();
        let begun = media.begin_processing(version, head.size_bytes, work(now), now);
        let job_type = JobType::ExtractMetadata;
        let job = Job::start(state.clock.new_id(), job_type, begun.attempt(job_type), now);
        Self::take_on(state, delivery, head, media, begun, job).await
    }

    /// Goes on with a file that is being published in parts: with the `upload_to_cdn` job that was handed over, or with a
    /// new attempt at it if the run before died or failed.
    pub(crate) async fn resume(
        state: &'a State,
        delivery: &'a Delivery,
        head: ObjectHead,
        media: &Media,
    ) -> Result<TakenOn<'a>, ProcessError> {
        let now = state.clock.now();
        let job_type = JobType::UploadToCdn;
        // A job changes only together with the record, so if this one is newer than `media`, nothing is written.
        let (resumed, job) = match state.table.job(media.id, job_type, media.attempt(job_type)).await? {
            Some(job) if job.status == JobStatus::Queued => {
                (media.continue_publishing(work(now), now), job.take_over())
            }
            _ => {
                let retried = media.retry_publishing(work(now), now);
                let job = Job::start(state.clock.new_id(), job_type, retried.attempt(job_type), now);
                (retried, job)
            }
        };
        Self::take_on(state, delivery, head, media, resumed, job).await
    }

    async fn take_on(
        state: &'a State,
        delivery: &'a Delivery,
        head: ObjectHead,
        previous: &Media,
        media: Media,
        job: Job,
    ) -> Result<TakenOn<'a>, ProcessError> {
        let upload = state.table.upload(media.upload_id, state.clock.now()).await?;
        let upload = upload.ok_or(ProcessError::UploadMissing)?;
        let change = MediaChange { jobs: vec![job.clone()], ..MediaChange::of(media.clone()) };
        match state.table.change_media_within(previous, &change, state.user_quota_bytes).await {
            Ok(true) => Ok(TakenOn::Run(Box::new(Self { state, delivery, head, upload, media, job }))),
            Ok(false) => Ok(TakenOn::QuotaExceeded(upload)),
            Err(ChangeError::Outdated) => Ok(TakenOn::Changed),
            Err(ChangeError::Table(error)) => Err(error.into()),
        }
    }

    /// Goes through to the end. A job that fails for reasons of ours is recorded as failed.
    pub(crate) async fn finish(mut self) -> Result<Outcome, ProcessError> {
        let ended = match self.media.copy_upload_id() {
            None => self.verify_read_publish().await,
            Some(_) => self.copy_in_parts().await,
        };
        let error = match ended {
            Ok(_) | Err(ProcessError::Superseded) => return ended,
            Err(error) => error,
        };
        match self.note_failure().await {
            Ok(()) => {}
            // What failed, failed because another run has taken over, or it makes no difference any more.
            Err(ProcessError::Superseded) => return Err(ProcessError::Superseded),
            Err(second_error) => {
                // The next attempt is a job of its own; this one stays `running`.
                tracing::error!(%error, %second_error, "the failure could not be noted");
            }
        }
        Err(error)
    }

    async fn verify_read_publish(&mut self) -> Result<Outcome, ProcessError> {
        let checksum_verified = match self.upload.verify(&self.head) {
            Ok(verified) => verified,
            Err(failure) => return self.reject(failure).await,
        };
        let object = &self.delivery.object;
        let source = self.state.ingest.source(&object.key, &object.version, self.head.size_bytes);
        match read_and_judge(&source, &self.media, self.state.max_duration).await? {
            Ok(metadata) => self.publish(metadata, checksum_verified).await,
            Err(failure) => self.reject(failure).await,
        }
    }

    async fn reject(&mut self, failure: Failure) -> Result<Outcome, ProcessError> {
        let now = self.state.clock.now();
        let job = self.job.clone().fail(failure.detail.clone(), now);
        let upload = self.upload.clone().end(UploadState::Completed, now);
        let version = self.delivery.object.version.clone();
        // The object stays for a while, unreadable for anyone, should the rule be wrong. The sweep removes it.
        self.write(vec![job], vec![upload], None, |media| {
            media.reject(version.clone(), failure.clone(), now)
        })
        .await?;
        let (media_id, code) = (self.media.id, &failure.code);
        tracing::info!({ metrics::UPLOADS_REJECTED } = 1, %media_id, code, "the media is rejected");
        Ok(Outcome::Rejected)
    }

    async fn note_failure(&mut self) -> Result<(), ProcessError> {
        let now = self.state.clock.now();
        let detail = "The storage was not available. It is tried again by itself, for a while.";
        let job = self.job.clone().fail(detail, now);
        self.write(vec![job], Vec::new(), None, |media| media.noted(now)).await
    }

    /// Writes a step. If the record changed in between, the step is made of what it became, as long as this is still
    /// the run that began last.
    pub(crate) async fn write(
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
        let object = &self.delivery.object;
        let record = self.state.table.media(object.key.media_id, self.state.clock.now()).await?;
        let Record::Media(media) = record else { return Err(ProcessError::Superseded) };
        let begun = |media: &Media| media.attempt(JobType::ExtractMetadata);
        let is_latest =
            begun(&media) == begun(&self.media) && media.attempt(self.job.job_type) == self.job.attempt;
        if is_latest && media.is_processing(&object.version) {
            self.media = *media;
            Ok(())
        } else {
            Err(ProcessError::Superseded)
        }
    }
}

/// What the sweep is to look after.
fn work(now: Timestamp) -> Work {
    Work { kind: WorkKind::Processing, due: now.plus(PROCESSING_DUE) }
}
