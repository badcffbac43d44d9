//! The steps from one record of a media to the next.

use std::time::Duration;

use super::{Failure, Media, PublishedObject, State, Status};
use crate::{
    ChecksumAlgorithm, Crc64NvmeChecksum, JobType, MediaKind, Miniature, ObjectVersion, SizeBytes, Timestamp,
    Work, WorkKind,
};

/// When the sweep looks whether a completed upload's event got lost.
const COMPLETED_DUE: Duration = Duration::from_mins(15);

/// When the sweep removes what an upload left that was given up or expired: once no URL that was signed for it can bring
/// more.
const LEFTOVERS_DUE: Duration = Duration::from_hours(2);

/// How long a rejected object is kept, and counts against the quota, in case the rule was wrong.
const REJECTED_KEPT: Duration = Duration::from_hours(24 * 7);

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
        Self { reserved_bytes: 0, work: None, ..self.changed(self.state.clone(), now) }
    }

    /// The sweep has done what it can for now, and looks again.
    #[must_use]
    pub fn look_again(&self, due: Timestamp, now: Timestamp) -> Self {
        let work = self.work.map(|work| Work { due, ..work });
        Self { work, ..self.changed(self.state.clone(), now) }
    }

    /// What to do about an object that arrived under its miniature's key.
    pub fn on_miniature_arrival(&self, object: &ObjectVersion) -> Arrival {
        match (&self.state, &self.miniature) {
            (State::Rejected { .. } | State::Expired | State::Deleting, _) | (_, None) => Arrival::Discard,
            (_, Some(miniature)) => miniature.on_arrival(object),
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

    /// An attempt at processing `source` begins; the sweep looks after it at `work.due`.
    #[must_use]
    pub fn begin_processing(&self, source: ObjectVersion, work: Work, now: Timestamp) -> Self {
        let copy_upload_id = match &self.state {
            State::Processing { source: present, copy_upload_id } if present.is_same_version(&source) => {
                copy_upload_id.clone()
            }
            _ => None,
        };
        Self {
            extract_metadata_attempts: self.extract_metadata_attempts.saturating_add(1),
            work: Some(work),
            ..self.changed(State::Processing { source, copy_upload_id }, now)
        }
    }

    /// The metadata is read, and publishing begins.
    #[must_use]
    pub fn begin_publishing(&self, now: Timestamp) -> Self {
        let upload_to_cdn_attempts = self.upload_to_cdn_attempts.saturating_add(1);
        Self { upload_to_cdn_attempts, ..self.changed(self.state.clone(), now) }
    }

    /// It is published: ready.
    #[must_use]
    pub fn publish(
        &self,
        source: ObjectVersion,
        published: PublishedObject,
        measurement: Measurement,
        now: Timestamp,
    ) -> Self {
        Self {
            duration_seconds: Some(measurement.duration_seconds),
            size_bytes: measurement.size_bytes,
            checksum_crc64nvme: measurement.checksum_crc64nvme,
            checksum_verified: measurement.checksum_verified,
            reserved_bytes: measurement
                .size_bytes
                .saturating_add(self.miniature.as_ref().map_or(0, Miniature::reserved_bytes)),
            work: None,
            ..self.changed(State::Ready { source, published }, now)
        }
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

    fn changed(&self, state: State, now: Timestamp) -> Self {
        Self { state, updated_at: now, version: self.version + 1, ..self.clone() }
    }
}
