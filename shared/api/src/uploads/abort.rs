//! How an upload is given up.
//!
//! The record changes first, in one transaction with the work that removes what the upload left; then S3 is told. So
//! whatever is sent meanwhile, or arrives late, belongs to a media that has ended, and is removed. Once an upload is
//! being completed it is too late: of an abort and a completion at the same time one is refused.

use aws_types::SdkConfig;
use buckets::IngestBucket;
use domain::{
    Media, MiniatureState, Slot, State as MediaState, Status, Timestamp, Upload, UploadMethod, UploadState,
};
use table::{ChangeError, MediaChange, Record, Table};

use crate::environment::{Clock, Environment, EnvironmentError};
use crate::problem::{Code, Problem};

/// How often it is decided again because the record changed in between.
const ATTEMPTS: usize = 5;

/// Gives uploads up.
#[derive(Debug)]
pub struct Aborter {
    table: Table,
    ingest: IngestBucket,
    clock: Clock,
}

impl Aborter {
    /// With `TABLE_NAME` and `INGEST_BUCKET`.
    pub fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Ok(Self {
            table: environment.table(aws)?,
            ingest: environment.ingest_bucket(aws)?,
            clock: environment.clock(),
        })
    }

    /// Gives an upload up: of a media, with which the media expires, or of its miniature alone. One that has ended without
    /// an object is left as it is.
    pub async fn abort(&self, upload: &Upload) -> Result<(), Problem> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let media = match self.table.media(upload.media_id, now).await? {
                Record::Media(media) if media.status() != Status::Deleting => *media,
                _ => return Err(Problem::not_found("upload")),
            };
            let Some(aborted) = aborted(&media, upload, now)? else { return Ok(()) };
            let uploads = vec![upload.clone().end(UploadState::Aborted, now)];
            let change = MediaChange { uploads, ..MediaChange::of(aborted) };
            match self.table.change_media(&media, &change).await {
                Ok(()) => {
                    self.end_multipart(upload).await;
                    return Ok(());
                }
                Err(ChangeError::Outdated) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChangeError::Outdated.into())
    }

    /// Has S3 end an upload in parts. If that fails, the sweep does it with the rest of what the upload left.
    async fn end_multipart(&self, upload: &Upload) {
        if let UploadMethod::Multipart { s3_upload_id, .. } = &upload.method
            && let Err(error) = self.ingest.abort_multipart(&upload.key(), s3_upload_id).await
        {
            tracing::warn!(upload_id = %upload.id, %error, "the parts of an aborted upload are left to the sweep");
        }
    }
}

/// What the media becomes; `None` if the upload has ended without an object already.
fn aborted(media: &Media, upload: &Upload, now: Timestamp) -> Result<Option<Media>, Problem> {
    let too_late = || {
        Problem::new(Code::UploadEnded, "This upload was completed. DELETE the media if you do not want it.")
    };
    match (upload.slot, &media.state, &media.miniature) {
        (Slot::Source, MediaState::AwaitingUpload, _) => Ok(Some(media.expire(now))),
        (Slot::Source, MediaState::Expired, _) => Ok(None),
        (Slot::Miniature, _, Some(miniature)) => match miniature.state {
            MiniatureState::AwaitingUpload => {
                Ok(Some(media.with_miniature(miniature.end(MiniatureState::Expired), now)))
            }
            MiniatureState::Expired => Ok(None),
            MiniatureState::Processing { .. }
            | MiniatureState::Published { .. }
            | MiniatureState::Rejected { .. } => Err(too_late()),
        },
        (Slot::Source, _, _) | (Slot::Miniature, _, None) => Err(too_late()),
    }
}
