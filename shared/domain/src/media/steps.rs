//! The steps from one record of a media to the next.

use std::time::Duration;

use super::{Failure, Media, PublishedObject, State, Status};
use crate::{
    ChecksumAlgorithm, Crc64NvmeChecksum, JobType, MediaKind, Miniature, ObjectVersion, SizeBytes,
    ThumbnailKey, Timestamp, Work, WorkKind,
};

/// When the sweep looks whether a completed upload's event got lost.
const COMPLETED_DUE: Duration = Duration::from_mins(15);

/// When the sweep removes what an upload left that was given up or expired: once no URL that was signed for it can bring
/// more.
const LEFTOVERS_DUE: Duration = Duration::from_hours(2);

/// How long a rejected object is kept, and counts against the quota, in case the rule was wrong.
const REJECTED_KEPT: Duration = Duration::from_hours(24 * 7);

/// How long work that got stuck is left to itself at least, and how long at most before it is given up.
const STUCK_AFTER: Duration = Duration::from_hours(12);
const STUCK_FOR_GOOD_AFTER: Duration = Duration::from_hours(3 * 24);

/// What was measured of an accepted object.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// How long it plays.
    pub duration_seconds: f64,
    /// Its size.
    pub size_bytes: SizeBytes,
    /// S3's CRC-64/NVME of it.
    pub checksum_crc64nvme: Option<Crc64NvmeChecksum>,
    /// The declared checksum that was compared.
    pub checksum_verified: Option<ChecksumAlgorithm>,
}

/// What to do about an object that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first one: accept it and process it. Also: the accepted one, whose processing has not ended.
    Process,
    /// The accepted one, dealt with already: nothing.
    Settled,
    /// Not the accepted one: delete this version. The first accepted object wins.
    Discard,
}

impl Media {
    /// The name of its state.
    pub fn status(&self) -> Status {
        match self.state {
            State::AwaitingUpload => Status::AwaitingUpload,
            State::Completing => Status::Completing,
            State::Processing { .. } => Status::Processing,
            State::Ready { .. } => Status::Ready,
            State::Rejected { .. } => Status::Rejected,
            State::Failed { .. } => Status::Failed,
            State::Expired => Status::Expired,
            State::Deleting => Status::Deleting,
        }
    }

    /// Why it is not to be had, if that is so.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Rejected { failure, .. } | State::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// The object that was accepted, or that broke a rule.
    pub fn source(&self) -> Option<&ObjectVersion> {
        match &self.state {
            State::Processing { source, .. }
            | State::Ready { source, .. }
            | State::Rejected { source, .. }
            | State::Failed { source, .. } => Some(source),
            State::AwaitingUpload | State::Completing | State::Expired | State::Deleting => None,
        }
    }

    /// What to do about an object that arrived under its source key.
    pub fn on_arrival(&self, object: &ObjectVersion) -> Arrival {
        match &self.state {
            State::AwaitingUpload | State::Completing => Arrival::Process,
            State::Processing { source, .. } | State::Failed { source, .. }
                if source.is_same_version(object) =>
            {
                Arrival::Process
            }
            State::Ready { source, .. } | State::Rejected { source, .. }
                if source.is_same_version(object) =>
            {
                Arrival::Settled
            }
            _ => Arrival::Discard,
        }
    }

    /// Whether `object` is the accepted one and its processing has not ended: the condition under which a step of that
    /// processing may still change the record.
    pub fn is_processing(&self, object: &ObjectVersion) -> bool {
        matches!(&self.state, State::Processing { source, .. } if source.is_same_version(object))
    }

    /// Whether its object is still awaited.
    pub fn is_awaited(&self) -> bool {
        matches!(self.state, State::AwaitingUpload | State::Completing)
    }

    /// The client says that all bytes are there. The sweep looks soon whether S3's event of it got lost.
    #[must_use]
    pub fn complete(&self, now: Timestamp) -> Self {
        let work = Work { kind: WorkKind::Upload, due: now.plus(COMPLETED_DUE) };
        Self { work: Some(work), ..self.changed(State::Completing, now) }
    }

    /// What its upload comes to, now that its parts can be added up, counts against the quota. A declared size does already.
    #[must_use]
    pub fn reserving(&self, size_bytes: SizeBytes) -> Self {
        if self.size_bytes.is_some() {
            return self.clone();
        }
        let miniature_bytes = self.miniature.as_ref().map_or(0, Miniature::reserved_bytes);
        Self { reserved_bytes: size_bytes.saturating_add(miniature_bytes), ..self.clone() }
    }

    /// S3 found that the parts are not what they should be: the upload goes on until its deadline.
    #[must_use]
    pub fn reopen(&self, deadline: Timestamp, now: Timestamp) -> Self {
        let work = Work { kind: WorkKind::Upload, due: deadline };
        Self { work: Some(work), ..self.changed(State::AwaitingUpload, now) }
    }

    /// It was not uploaded: given up, or past its deadline. What it reserved is released, and what may have been sent is
    /// removed.
    #[must_use]
    pub fn expire(&self, now: Timestamp) -> Self {
        let work = Work { kind: WorkKind::Leftovers, due: now.plus(LEFTOVERS_DUE) };
        Self {
            reserved_bytes: 0,
            claims_digest: false,
            work: Some(work),
            ..self.changed(State::Expired, now)
        }
    }

    /// What its upload left is removed.
    #[must_use]
    pub fn without_leftovers(&self, now: Timestamp) -> Self {
        let reserved_bytes = if self.status() == Status::Ready { self.reserved_bytes } else { 0 };
        Self {
            reserved_bytes,
            retired_thumbnail_keys: Vec::new(),
            work: None,
            ..self.changed(self.state.clone(), now)
        }
    }

    /// Whether its publishing was ever begun: without that it was never ready.
    pub fn was_begun_to_publish(&self) -> bool {
        self.upload_to_cdn_attempts > 0
    }

    /// The sweep has done what it can for now, and looks again.
    #[must_use]
    pub fn look_again(&self, due: Timestamp, now: Timestamp) -> Self {
        let work = self.work.map(|work| Work { due, ..work });
        Self { work, ..self.changed(self.state.clone(), now) }
    }

    /// The same for its miniature.
    #[must_use]
    pub fn look_again_at_miniature(&self, due: Timestamp, now: Timestamp) -> Self {
        let miniature = self.miniature.clone().map(|miniature| {
            let work = miniature.work.map(|work| Work { due, ..work });
            Miniature { work, ..miniature }
        });
        Self { miniature, ..self.changed(self.state.clone(), now) }
    }

    /// When the sweep looks again at work that got stuck and that it told the queue of anew: each time after twice as long.
    /// `None` once that has been tried for about a week.
    pub fn next_look(&self, work: Work, now: Timestamp) -> Option<Timestamp> {
        let waited = self.updated_at.until(work.due);
        let next = waited.saturating_mul(2).max(STUCK_AFTER);
        (waited < STUCK_FOR_GOOD_AFTER).then(|| now.plus(next))
    }

    /// What to do about an object that arrived under its miniature's key.
    pub fn on_miniature_arrival(&self, object: &ObjectVersion) -> Arrival {
        match (&self.state, &self.miniature) {
            (State::Rejected { .. } | State::Expired | State::Deleting, _) | (_, None) => Arrival::Discard,
            (_, Some(miniature)) => miniature.on_arrival(object),
        }
    }

    /// The key of its thumbnail, if there is one to be shown.
    pub fn thumbnail(&self) -> Option<&ThumbnailKey> {
        match self.state {
            State::Rejected { .. } | State::Expired | State::Deleting => None,
            _ => self.miniature.as_ref().filter(|one| one.is_published()).map(|one| &one.key),
        }
    }

    /// Its miniature becomes this.
    #[must_use]
    pub fn with_miniature(&self, miniature: Miniature, now: Timestamp) -> Self {
        let before = self.miniature.as_ref().map_or(0, Miniature::reserved_bytes);
        let others = self.reserved_bytes.saturating_sub(before);
        Self {
            reserved_bytes: others.saturating_add(miniature.reserved_bytes()),
            miniature: Some(miniature),
            ..self.changed(self.state.clone(), now)
        }
    }

    /// An attempt at processing `source` begins; the sweep looks after it at `work.due`. A size that was not declared is
    /// known by then.
    #[must_use]
    pub fn begin_processing(
        &self,
        source: ObjectVersion,
        size_bytes: SizeBytes,
        work: Work,
        now: Timestamp,
    ) -> Self {
        let reserving = self.reserving(size_bytes);
        let copy_upload_id = match &self.state {
            State::Processing { source: present, copy_upload_id } if present.is_same_version(&source) => {
                copy_upload_id.clone()
            }
            _ => None,
        };
        Self {
            size_bytes: self.size_bytes.or(Some(size_bytes)),
            extract_metadata_attempts: self.extract_metadata_attempts.saturating_add(1),
            work: Some(work),
            ..reserving.changed(State::Processing { source, copy_upload_id }, now)
        }
    }

    /// The metadata is read: what was measured is kept, and an attempt at publishing begins.
    #[must_use]
    pub fn begin_publishing(&self, measurement: Measurement, now: Timestamp) -> Self {
        let miniature_bytes = self.miniature.as_ref().map_or(0, Miniature::reserved_bytes);
        Self {
            duration_seconds: Some(measurement.duration_seconds),
            size_bytes: Some(measurement.size_bytes),
            checksum_crc64nvme: measurement.checksum_crc64nvme,
            checksum_verified: measurement.checksum_verified,
            reserved_bytes: measurement.size_bytes.saturating_add(miniature_bytes),
            upload_to_cdn_attempts: self.upload_to_cdn_attempts.saturating_add(1),
            ..self.changed(self.state.clone(), now)
        }
    }

    /// It is being published in parts, by this multipart upload of S3.
    #[must_use]
    pub fn begin_copy(&self, s3_upload_id: String, now: Timestamp) -> Self {
        let state = match self.state.clone() {
            State::Processing { source, .. } => {
                State::Processing { source, copy_upload_id: Some(s3_upload_id) }
            }
            other => other,
        };
        self.changed(state, now)
    }

    /// The multipart upload by which it is being published in parts. Its metadata is read then.
    pub fn copy_upload_id(&self) -> Option<&str> {
        match &self.state {
            State::Processing { copy_upload_id, .. } => copy_upload_id.as_deref(),
            _ => None,
        }
    }

    /// Another run goes on with the attempt at publishing that was handed over to it; the sweep looks after it at
    /// `work.due`.
    #[must_use]
    pub fn continue_publishing(&self, work: Work, now: Timestamp) -> Self {
        Self { work: Some(work), ..self.changed(self.state.clone(), now) }
    }

    /// Another attempt at publishing begins, with what the one before has copied; the sweep looks after it at
    /// `work.due`.
    #[must_use]
    pub fn retry_publishing(&self, work: Work, now: Timestamp) -> Self {
        let upload_to_cdn_attempts = self.upload_to_cdn_attempts.saturating_add(1);
        Self { upload_to_cdn_attempts, ..self.continue_publishing(work, now) }
    }

    /// It is published: ready.
    #[must_use]
    pub fn publish(&self, source: ObjectVersion, published: PublishedObject, now: Timestamp) -> Self {
        Self { work: None, ..self.changed(State::Ready { source, published }, now) }
    }

    /// The object broke a rule. It is kept for a while, and what it reserved until then, so that rejected files do not
    /// pile up beyond the quota.
    #[must_use]
    pub fn reject(&self, source: ObjectVersion, failure: Failure, now: Timestamp) -> Self {
        let work = Work { kind: WorkKind::Leftovers, due: now.plus(REJECTED_KEPT) };
        Self {
            claims_digest: false,
            work: Some(work),
            ..self.changed(State::Rejected { source, failure }, now)
        }
    }

    /// Processing failed as often as it is tried by itself. The object is kept for a redrive.
    #[must_use]
    pub fn fail(&self, source: ObjectVersion, failure: Failure, now: Timestamp) -> Self {
        Self { work: None, ..self.changed(State::Failed { source, failure }, now) }
    }

    /// Only a job of it changed.
    #[must_use]
    pub fn noted(&self, now: Timestamp) -> Self {
        self.changed(self.state.clone(), now)
    }

    /// Whether what was found in the file is what was announced, and within `max_duration`.
    pub fn judge(
        &self,
        kind: MediaKind,
        container: &str,
        duration_seconds: f64,
        max_duration: Duration,
    ) -> Result<(), Failure> {
        if kind != self.kind {
            let detail =
                format!("A {} file was announced, but this is {kind}. Upload it as {kind}/….", self.kind);
            return Err(Failure::new("kind_mismatch", detail));
        }
        if !self.content_type.admits(container) {
            let detail =
                format!("The file was announced as {}, but its content is {container}.", self.content_type);
            return Err(Failure::new("content_type_mismatch", detail));
        }
        if duration_seconds > max_duration.as_secs_f64() {
            let longest = max_duration.as_secs();
            let detail = format!("The file plays {duration_seconds:.0} seconds; {longest} are allowed here.");
            return Err(Failure::new("too_long", detail));
        }
        Ok(())
    }

    /// Which attempt at this type of job is the latest begun.
    pub fn attempt(&self, job_type: JobType) -> u32 {
        match job_type {
            JobType::ExtractMetadata => self.extract_metadata_attempts,
            JobType::UploadToCdn => self.upload_to_cdn_attempts,
        }
    }

    /// It in `state`, with the next version.
    pub(super) fn changed(&self, state: State, now: Timestamp) -> Self {
        Self { state, updated_at: now, version: self.version + 1, ..self.clone() }
    }
}
