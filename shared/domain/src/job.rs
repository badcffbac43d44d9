//! Jobs: the background work on a media, one record an attempt, so that its history can be told.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobType {
    /// Verifies the uploaded object and reads its technical metadata.
    ExtractMetadata,
    /// Publishes it to the media bucket, the CDN's origin.
    UploadToCdn,
}

impl JobType {
    /// All types.
    pub const ALL: [Self; 2] = [Self::ExtractMetadata, Self::UploadToCdn];
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// A place in the list of a media's jobs: before these attempts. They and not the jobs' ids place it, because attempts
/// are counted by the record, and ids made by the clocks of different instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobsBefore {
    /// Of [`JobType::ExtractMetadata`].
    pub extract_metadata: u32,
    /// Of [`JobType::UploadToCdn`].
    pub upload_to_cdn: u32,
}

impl JobsBefore {
    /// Before none: the list from its newest job on.
    pub const NONE: Self = Self { extract_metadata: u32::MAX, upload_to_cdn: u32::MAX };

    /// The attempt of this type.
    pub fn attempt(self, job_type: JobType) -> u32 {
        match job_type {
            JobType::ExtractMetadata => self.extract_metadata,
            JobType::UploadToCdn => self.upload_to_cdn,
        }
    }

    /// The place behind this job.
    #[must_use]
    fn after(self, job: &Job) -> Self {
        match job.job_type {
            JobType::ExtractMetadata => Self { extract_metadata: job.attempt, ..self },
            JobType::UploadToCdn => Self { upload_to_cdn: job.attempt, ..self },
        }
    }
}

/// A page of at most `limit` jobs of both types, each with the last attempt first, and where the list goes on if there are
/// more.
pub fn newest_jobs(
    [first, second]: [Vec<Job>; 2],
    mut before: JobsBefore,
    limit: usize,
) -> (Vec<Job>, Option<JobsBefore>) {
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    let mut page = Vec::new();
    while page.len() < limit {
        let is_first = match (first.peek(), second.peek()) {
            (Some(one), Some(other)) => one.id > other.id,
            (one, _) => one.is_some(),
        };
        let Some(job) = (if is_first { first.next() } else { second.next() }) else { break };
        before = before.after(&job);
        page.push(job);
    }
    let has_more = first.peek().is_some() || second.peek().is_some();
    (page, has_more.then_some(before))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn job(job_type: JobType, attempt: u32, id: u128) -> Job {
        Job::start(Uuid::from_u128(id), job_type, attempt, Timestamp::from_unix_seconds(0))
    }

    /// The last attempts of a type before this place, one more than a page has.
    fn read(jobs: &[Job], job_type: JobType, before: JobsBefore, limit: usize) -> Vec<Job> {
        let below = |job: &&Job| job.job_type == job_type && job.attempt < before.attempt(job_type);
        jobs.iter().rev().filter(below).take(limit + 1).cloned().collect()
    }

    proptest! {
        #[test]
        fn paging_shows_every_job_once_whatever_the_clocks_said(
            begun in proptest::collection::vec((any::<bool>(), 0..50_u128), 0..20), limit in 1..6_usize,
        ) {
            let mut attempts = [0, 0];
            let jobs: Vec<Job> = begun.into_iter().map(|(is_first, id)| {
                let attempt = &mut attempts[usize::from(is_first)];
                *attempt += 1;
                job(JobType::ALL[usize::from(is_first)], *attempt, id)
            }).collect();
            let (mut shown, mut before) = (Vec::new(), Some(JobsBefore::NONE));
            while let Some(place) = before {
                let page;
                let read = JobType::ALL.map(|job_type| read(&jobs, job_type, place, limit));
                (page, before) = newest_jobs(read, place, limit);
                prop_assert!(page.len() == limit || before.is_none(), "a page is full unless it is the last");
                shown.extend(page);
            }
            prop_assert_eq!(shown.len(), jobs.len());
            for job in &jobs {
                prop_assert!(shown.contains(job));
            }
        }
    }

    #[test]
    fn jobs_of_both_types_are_told_from_the_newest() {
        let extract = |attempt, id| job(JobType::ExtractMetadata, attempt, id);
        let publish = |attempt, id| job(JobType::UploadToCdn, attempt, id);
        let all = [vec![extract(3, 5), extract(2, 2), extract(1, 1)], vec![publish(2, 6), publish(1, 3)]];
        let (page, next) = newest_jobs(all, JobsBefore::NONE, 3);
        assert_eq!(page, [publish(2, 6), extract(3, 5), publish(1, 3)]);
        assert_eq!(next, Some(JobsBefore { extract_metadata: 3, upload_to_cdn: 1 }));
    }
}
