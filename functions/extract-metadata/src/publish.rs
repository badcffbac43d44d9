//! Publishing: the second half of a run, and all of one that goes on where another stopped.
//!
//! A file that one request copies is published at once. A larger one is copied in parts by a multipart upload, whose id is
//! recorded before the first part: whoever comes later goes on with it, without reading the file again. A run whose time
//! is nearly up leaves its job to another one and sends the message that begins it. It dies in between: its own message
//! comes back and does the same.

use std::time::Duration;

use api::metrics;
use buckets::CopyProgress;
use domain::{ChecksumAlgorithm, Job, JobType, Measurement, Media, PublishedObject, UploadState};
use probe::Metadata;

use crate::process::{Outcome, ProcessError};
use crate::run::Run;

/// How often a run begins the copy. It has to again only if somebody else gave it up.
const COPIES: usize = 3;

/// How long one attempt may take, all runs together: 50 TB, the most that S3 stores, at 600 MB/s.
const LONGEST_ATTEMPT: Duration = Duration::from_hours(24);

impl Run<'_> {
    pub(crate) async fn publish(
        &mut self,
        metadata: Metadata,
        checksum_verified: Option<ChecksumAlgorithm>,
    ) -> Result<Outcome, ProcessError> {
        self.begin_publishing(metadata, checksum_verified).await?;
        if self.state.media.copies_in_parts(self.head.size_bytes) {
            return self.copy_in_parts().await;
        }
        let object = &self.delivery.object;
        let Media { content_type, filename, .. } = &self.media;
        let (ingest, bucket) = (&self.state.ingest, &self.state.media);
        let published = bucket.publish(ingest, &object.key, &object.version, content_type, filename).await?;
        self.make_ready(published).await
    }

    /// The metadata is recorded, its job done, and the `upload_to_cdn` job begins.
    async fn begin_publishing(
        &mut self,
        metadata: Metadata,
        checksum_verified: Option<ChecksumAlgorithm>,
    ) -> Result<(), ProcessError> {
        let now = self.state.clock.now();
        let measurement = Measurement {
            duration_seconds: metadata.duration_seconds,
            size_bytes: self.head.size_bytes,
            checksum_crc64nvme: self.head.checksum_crc64nvme.clone(),
            checksum_verified,
        };
        let step = |media: &Media| media.begin_publishing(measurement.clone(), now);
        let job_type = JobType::UploadToCdn;
        // Only the run that began last goes on, so nobody else begins this job.
        let attempt = step(&self.media).attempt(job_type);
        let next = Job::start(self.state.clock.new_id(), job_type, attempt, now);
        let done = self.job.clone().succeed(now);
        self.write(vec![done, next.clone()], Vec::new(), Some(metadata), step).await?;
        self.job = next;
        Ok(())
    }

    /// Copies what is not copied yet, as far as time allows.
    pub(crate) async fn copy_in_parts(&mut self) -> Result<Outcome, ProcessError> {
        let (state, delivery, size_bytes) = (self.state, self.delivery, self.head.size_bytes);
        let object = &delivery.object;
        let mut begun = self.media.copy_upload_id().map(str::to_owned);
        for _ in 0..COPIES {
            let s3_upload_id = match begun.take() {
                Some(s3_upload_id) => s3_upload_id,
                None => self.begin_copy().await?,
            };
            let copy = state.media.copy_parts(
                &state.ingest,
                &object.key,
                &object.version,
                size_bytes,
                &s3_upload_id,
                delivery.until,
            );
            match copy.await? {
                CopyProgress::Done(published) => return self.make_ready(published).await,
                CopyProgress::NotYet { copied, of } => {
                    tracing::info!(media_id = %self.media.id, copied, of, "another run goes on with the copy");
                    return self.hand_over().await;
                }
                CopyProgress::Gone => {
                    tracing::warn!(media_id = %self.media.id, "the copy is gone; another one is begun");
                }
            }
        }
        Err(ProcessError::CopyGone)
    }

    /// Begins a copy in parts, and records it. One that cannot be recorded nobody would go on with.
    async fn begin_copy(&mut self) -> Result<String, ProcessError> {
        let state = self.state;
        let Media { id: media_id, content_type, filename, .. } = &self.media;
        let media_id = *media_id;
        let s3_upload_id = state.media.begin_copy(media_id, content_type, filename).await?;
        let now = state.clock.now();
        let written = self
            .write(Vec::new(), Vec::new(), None, |media| media.begin_copy(s3_upload_id.clone(), now))
            .await;
        if written.is_err()
            && let Err(error) = state.media.abort_copy(media_id, &s3_upload_id).await
        {
            tracing::warn!(%error, "a copy that was not recorded is left to the bucket's lifecycle rule");
        }
        written.map(|()| s3_upload_id)
    }

    /// Leaves the job to another run, and sends the message that begins it.
    async fn hand_over(&mut self) -> Result<Outcome, ProcessError> {
        let (state, object) = (self.state, &self.delivery.object);
        let now = state.clock.now();
        if self.job.started_at.until(now) > LONGEST_ATTEMPT {
            return Err(ProcessError::CopyTooSlow(LONGEST_ATTEMPT));
        }
        let left = vec![self.job.clone().hand_over()];
        self.write(left, Vec::new(), None, |media| media.noted(now)).await?;
        let message = object.message(state.ingest.name(), self.head.size_bytes, now);
        state.queue.send(message, Duration::ZERO).await?;
        Ok(Outcome::HandedOver)
    }

    async fn make_ready(&mut self, published: PublishedObject) -> Result<Outcome, ProcessError> {
        let now = self.state.clock.now();
        let version = self.delivery.object.version.clone();
        let jobs = vec![self.job.clone().succeed(now)];
        let upload = self.upload.clone().end(UploadState::Completed, now);
        self.write(jobs, vec![upload], None, |media| media.publish(version.clone(), published.clone(), now))
            .await?;
        tracing::info!(
            { metrics::UPLOADS_READY } = 1,
            { metrics::PUBLISHED_BYTES } = self.head.size_bytes,
            media_id = %self.media.id,
            "the media is ready"
        );
        self.delete_source().await;
        Ok(Outcome::Ready)
    }

    /// The published copy is what counts now; what stays behind, the bucket's lifecycle rule deletes.
    async fn delete_source(&self) {
        let object = &self.delivery.object;
        if let Err(error) = self.state.ingest.delete_version(&object.key, &object.version).await {
            tracing::warn!(%error, "the source of a published media could not be deleted");
        }
    }
}
