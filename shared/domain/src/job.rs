//! Jobs: the background work on a media, one record an attempt, so that its history can be told.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobType {
    /// Verifies the uploaded object and reads its technical metadata.
    ExtractMetadata,
    /// Publishes it to the media bucket, the CDN's origin.
    UploadToCdn,
}

impl fmt::Display for JobType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ExtractMetadata => "extract_metadata",
            Self::UploadToCdn => "upload_to_cdn",
        })
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Handed over, and not gone on with yet.
    Queued,
    /// Begun. A job whose function died stays so, and the next attempt is a job of its own.
    Running,
    /// Done.
    Succeeded,
    /// Ended without success; `error` says why.
    Failed,
}

/// One attempt at a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, a UUID of version 7.
    pub id: Uuid,
    /// What it does.
    #[serde(rename = "type")]
    pub job_type: JobType,
    /// Where it stands.
    pub status: JobStatus,
    /// Which attempt at this type of job for this media, from 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it failed, in words that a user can act on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Job {
    /// An attempt that begins now.
    pub fn start(id: Uuid, job_type: JobType, attempt: u32, now: Timestamp) -> Self {
        Self {
            id,
            job_type,
            status: JobStatus::Running,
            attempt,
            started_at: now,
            finished_at: None,
            error: None,
        }
    }

    /// The attempt, left to another run to go on with.
    #[must_use]
    pub fn hand_over(self) -> Self {
        Self { status: JobStatus::Queued, ..self }
    }

    /// The attempt, which the present run goes on with.
    #[must_use]
    pub fn take_over(self) -> Self {
        Self { status: JobStatus::Running, ..self }
    }

    /// The attempt, done.
    #[must_use]
    pub fn succeed(self, now: Timestamp) -> Self {
        Self { status: JobStatus::Succeeded, finished_at: Some(now), ..self }
    }

    /// The attempt, ended by an error.
    #[must_use]
    pub fn fail(self, error: impl Into<String>, now: Timestamp) -> Self {
        Self { status: JobStatus::Failed, finished_at: Some(now), error: Some(error.into()), ..self }
    }
}
