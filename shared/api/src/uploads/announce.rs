//! Announcing files: from what a client asks for to media and uploads that are recorded.

use aws_types::SdkConfig;
use buckets::IngestBucket;
use domain::{
    Caller, DeclaredSize, IdempotencyKey, IdempotentRequest, Media, MediaId, Miniature, MiniatureState,
    PART_SIZE_BYTES, PlannedMethod, Slot, SourceKey, State, Status, ThumbnailKey, Timestamp, Upload,
    UploadContentType, UploadId, UploadMethod, UploadState, Work, WorkKind,
};
use futures::stream::{self, StreamExt as _};
use ring::rand::SystemRandom;
use table::{Announced, Announcement, Outcomes, Record, Table};

use crate::environment::{Clock, Environment, EnvironmentError};
use crate::problem::{Code, Problem};
use crate::uploads::{FileRequest, UploadLimits};
use crate::warm_up::warm_up;

/// How many files of one request are worked on at a time.
pub(super) const CONCURRENT_FILES: usize = 16;

/// What announcing a file came to.
#[derive(Debug)]
pub(super) struct Recorded {
    /// The media.
    pub(super) media: Media,
    /// Those of its uploads that are awaited.
    pub(super) uploads: Vec<Upload>,
    /// Whether its owner had announced the same bytes before.
    pub(super) is_known: bool,
}

/// Announces files.
#[derive(Debug)]
pub struct Announcer {
    table: Table,
    ingest: IngestBucket,
    clock: Clock,
    limits: UploadLimits,
}

impl Announcer {
    /// With `TABLE_NAME`, `INGEST_BUCKET` and the variables of [`UploadLimits::of`].
    pub fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Ok(Self {
            table: environment.table(aws)?,
            ingest: environment.ingest_bucket(aws)?,
            clock: environment.clock(),
            limits: UploadLimits::of(environment)?,
        })
    }

    /// What the deployment allows.
    pub fn limits(&self) -> &UploadLimits {
        &self.limits
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn ingest(&self) -> &IngestBucket {
        &self.ingest
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Opens a connection to the table.
    pub async fn warm_up(&self) {
        warm_up("table", Box::pin(self.table.open_for_users())).await;
    }

    /// Announces one file.
    pub(super) async fn announce(
        &self,
        caller: &Caller,
        asked: FileRequest,
        key: Option<IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Recorded, Problem> {
        let asked = named(asked, key, None);
        let mut recorded = self.announce_each(caller, vec![asked], now).await?;
        recorded.pop().unwrap_or_else(|| Err(Problem::internal("a file was announced without an outcome")))
    }

    /// Announces files, and answers for each on its own, in their order. Those that were refused before stay so.
    pub(super) async fn announce_all(
        &self,
        caller: &Caller,
        asked: Vec<Result<FileRequest, Problem>>,
        key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Vec<Result<Recorded, Problem>>, Problem> {
        let asked = asked.into_iter().enumerate().map(|(index, asked)| {
            let file_index = u8::try_from(index).map_err(Problem::internal)?;
            named(asked?, key.cloned(), Some(file_index))
        });
        self.announce_each(caller, asked.collect(), now).await
    }

    async fn announce_each(
        &self,
        caller: &Caller,
        asked: Vec<Result<NamedRequest, Problem>>,
        now: Timestamp,
    ) -> Result<Vec<Result<Recorded, Problem>>, Problem> {
        let drafts: Vec<Result<Announcement, Problem>> = stream::iter(asked)
            .map(|asked| async { self.draft(caller, asked?, now).await })
            .buffered(CONCURRENT_FILES)
            .collect()
            .await;
        let announcements: Vec<Announcement> =
            drafts.iter().filter_map(|draft| draft.as_ref().ok().cloned()).collect();
        let Outcomes { announced, failure } =
            self.table.announce(&announcements, self.limits.user_quota_bytes, now).await;
        if let Some(error) = failure {
            if announced.iter().all(Option::is_none) {
                return Err(error.into());
            }
            tracing::error!(%error, "the table failed before all files of a request were recorded");
        }
        let mut announced = announced.into_iter();
        let outcomes = drafts.into_iter().map(|draft| {
            let outcome = if draft.is_ok() { announced.next().flatten() } else { None };
            async move {
                let announcement = draft?;
                // Not withdrawn: it may be recorded.
                let outcome =
                    outcome.ok_or_else(|| Problem::unavailable("the table failed before this file"))?;
                self.recorded(announcement, outcome, now).await
            }
        });
        Ok(stream::iter(outcomes).buffered(CONCURRENT_FILES).collect().await)
    }

    /// What is to be recorded. Of an upload in parts, S3 is told first.
    async fn draft(
        &self,
        caller: &Caller,
        (asked, request): NamedRequest,
        now: Timestamp,
    ) -> Result<Announcement, Problem> {
        let media_id = MediaId::new(self.clock.new_id());
        let deadline = now.plus(self.limits.deadline);
        let content_type = UploadContentType::Media(asked.content_type.clone());
        let part_size_bytes = match asked.method {
            PlannedMethod::Put | PlannedMethod::Post => None,
            PlannedMethod::Multipart(plan) => Some(plan.part_size_bytes()),
            PlannedMethod::FreeParts => Some(*PART_SIZE_BYTES.start()),
        };
        let method = match part_size_bytes {
            Some(part_size_bytes) => {
                let key = SourceKey { media_id, slot: Slot::Source };
                let s3_upload_id = self.ingest.create_multipart(&key, &content_type).await?;
                UploadMethod::Multipart { s3_upload_id, part_size_bytes }
            }
            None if asked.method == PlannedMethod::Post => UploadMethod::Post,
            None => UploadMethod::Put,
        };
        let upload = Upload {
            id: UploadId::new(self.clock.new_id()),
            media_id,
            owner_id: caller.user_id,
            slot: Slot::Source,
            method,
            state: UploadState::Open,
            content_type,
            size: self.limits.declared_size(asked.size_bytes, asked.method),
            checksum_sha256: asked.checksum_sha256.clone(),
            checksum_crc64nvme: asked.checksum_crc64nvme.clone(),
            created_at: now,
            deadline,
            expires_at: None,
        };
        let miniature_upload = asked.miniature.as_ref().map(|miniature| Upload {
            id: UploadId::new(self.clock.new_id()),
            slot: Slot::Miniature,
            method: if upload.method == UploadMethod::Post { UploadMethod::Post } else { UploadMethod::Put },
            content_type: UploadContentType::Image(miniature.content_type),
            size: DeclaredSize::exact(miniature.size_bytes),
            checksum_sha256: miniature.checksum_sha256.clone(),
            checksum_crc64nvme: None,
            ..upload.clone()
        });
        let miniature = miniature_upload.as_ref().map(awaited_miniature).transpose()?;
        let media = announced_media(asked, &upload, miniature, now);
        let uploads = [upload].into_iter().chain(miniature_upload).collect();
        Ok(Announcement { media, uploads, request })
    }

    async fn recorded(
        &self,
        announcement: Announcement,
        outcome: Announced,
        now: Timestamp,
    ) -> Result<Recorded, Problem> {
        if outcome != Announced::Created {
            self.withdraw(&announcement).await;
        }
        match outcome {
            Announced::Created => {
                let Announcement { media, uploads, .. } = announcement;
                Ok(Recorded { media, uploads, is_known: false })
            }
            Announced::QuotaExceeded => Err(Problem::quota_exceeded(self.limits.user_quota_bytes)),
            Announced::KeyReused => Err(Problem::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was used for another request. Use a fresh key for each request.",
            )),
            Announced::Repeated { media_id } => {
                let known = self.known(media_id, now).await?;
                known.ok_or_else(|| {
                    Problem::new(
                        Code::IdempotencyKeyReused,
                        "What this Idempotency-Key created was deleted. Use a fresh key to create it again.",
                    )
                })
            }
            Announced::Duplicate { media_id } => {
                let known = self.known(media_id, now).await?;
                // Its upload may be just about to end: then neither is this file here nor is there a way to send it.
                let is_there = |known: &Recorded| {
                    known.media.claims_digest
                        && (known.media.status() != Status::AwaitingUpload
                            || known.uploads.iter().any(|upload| upload.slot == Slot::Source))
                };
                let known = known.filter(is_there).ok_or_else(|| {
                    Problem::new(
                        Code::ChangedMeanwhile,
                        "The same file was announced before, and is being given up. Try again in a few minutes.",
                    )
                })?;
                Ok(Recorded { is_known: true, ..known })
            }
        }
    }

    /// Undoes what S3 was told of an upload that was not recorded.
    async fn withdraw(&self, announcement: &Announcement) {
        for upload in &announcement.uploads {
            if let UploadMethod::Multipart { s3_upload_id, .. } = &upload.method
                && let Err(error) = self.ingest.abort_multipart(&upload.key(), s3_upload_id).await
            {
                tracing::warn!(%error, "a multipart upload that was not needed is left to the lifecycle rule");
            }
        }
    }

    /// A media that was announced before.
    async fn known(&self, media_id: MediaId, now: Timestamp) -> Result<Option<Recorded>, Problem> {
        let media = match self.table.media(media_id, now).await? {
            Record::Media(media) if media.status() != Status::Deleting => *media,
            _ => return Ok(None),
        };
        let mut uploads = Vec::new();
        if media.status() == Status::AwaitingUpload {
            uploads.extend(self.table.upload(media.upload_id, now).await?);
        }
        if let Some(Miniature { upload_id, state: MiniatureState::AwaitingUpload, .. }) = &media.miniature {
            uploads.extend(self.table.upload(*upload_id, now).await?);
        }
        // One that has just ended, or is to be ended by the sweep, is not begun again.
        uploads.retain(|upload| upload.is_open(now));
        Ok(Some(Recorded { media, uploads, is_known: false }))
    }
}

/// A file, and the request for it if the client named that.
type NamedRequest = (FileRequest, Option<IdempotentRequest>);

fn named(
    asked: FileRequest,
    key: Option<IdempotencyKey>,
    file_index: Option<u8>,
) -> Result<NamedRequest, Problem> {
    let Some(key) = key else { return Ok((asked, None)) };
    let request = IdempotentRequest { key, file_index, request_sha256: asked.sha256()? };
    Ok((asked, Some(request)))
}

fn announced_media(
    asked: FileRequest,
    upload: &Upload,
    miniature: Option<Miniature>,
    now: Timestamp,
) -> Media {
    let miniature_bytes = miniature.as_ref().map_or(0, Miniature::reserved_bytes);
    Media {
        id: upload.media_id,
        owner_id: upload.owner_id,
        title: asked.title,
        description: asked.description,
        tags: asked.tags,
        kind: asked.content_type.kind(),
        content_type: asked.content_type,
        filename: asked.filename,
        size_bytes: asked.size_bytes,
        claims_digest: asked.checksum_sha256.is_some(),
        checksum_sha256: asked.checksum_sha256,
        checksum_crc64nvme: asked.checksum_crc64nvme,
        checksum_verified: None,
        visibility: asked.visibility,
        state: State::AwaitingUpload,
        duration_seconds: asked.duration_seconds,
        thumbnail_url: asked.thumbnail_url,
        miniature,
        retired_thumbnail_keys: Vec::new(),
        created_at: now,
        updated_at: now,
        version: 1,
        upload_id: upload.id,
        work: Some(Work { kind: WorkKind::Upload, due: upload.deadline }),
        reserved_bytes: upload.size.reserved_bytes().saturating_add(miniature_bytes),
        extract_metadata_attempts: 0,
        upload_to_cdn_attempts: 0,
    }
}

/// A fresh key that nobody can guess.
pub fn thumbnail_key() -> Result<ThumbnailKey, Problem> {
    let random: ring::rand::Random<[u8; 16]> = ring::rand::generate(&SystemRandom::new())
        .map_err(|_| Problem::internal("the system has no randomness"))?;
    Ok(ThumbnailKey::new(u128::from_be_bytes(random.expose())))
}

fn awaited_miniature(upload: &Upload) -> Result<Miniature, Problem> {
    Ok(Miniature {
        upload_id: upload.id,
        size_bytes: upload.size.reserved_bytes(),
        key: thumbnail_key()?,
        state: MiniatureState::AwaitingUpload,
        work: Some(Work { kind: WorkKind::Miniature, due: upload.deadline }),
    })
}
