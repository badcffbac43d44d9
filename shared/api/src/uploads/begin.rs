//! Beginning uploads that clients send themselves: announced, and signed.

use aws_types::SdkConfig;
use buckets::UploadSigner;
use domain::{Caller, IdempotencyKey, Media, Slot, Timestamp};
use futures::stream::{self, StreamExt as _};
use table::Table;

use super::announce::{CONCURRENT_FILES, Recorded};
use crate::body::UploadBody;
use crate::environment::{Environment, EnvironmentError};
use crate::problem::Problem;
use crate::uploads::{Announcer, FileRequest, UploadLimits, sign_upload};
use crate::warm_up::warm_up;

/// What announcing a file came to.
#[derive(Debug)]
pub struct Begun {
    /// The media.
    pub media: Media,
    /// How to send its file, if that is awaited.
    pub upload: Option<UploadBody>,
    /// How to send its miniature, if that is awaited.
    pub miniature_upload: Option<UploadBody>,
    /// Whether its owner had announced the same bytes before.
    pub is_known: bool,
}

/// Announces files and signs what uploads them.
#[derive(Debug)]
pub struct Uploads {
    announcer: Announcer,
    signer: UploadSigner,
}

impl Uploads {
    /// With `UPLOAD_ROLE_ARN` and the variables of [`Announcer::of`].
    pub fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        Ok(Self { announcer: Announcer::of(environment, aws)?, signer: environment.upload_signer(aws)? })
    }

    /// Announces without signing.
    pub fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    /// What the deployment allows.
    pub fn limits(&self) -> &UploadLimits {
        self.announcer.limits()
    }

    /// The table.
    pub fn table(&self) -> &Table {
        self.announcer.table()
    }

    /// Opens a connection to the table, and has credentials ready.
    pub async fn warm_up(&self) {
        tokio::join!(
            warm_up("table", Box::pin(self.table().open_for_users())),
            warm_up("credentials", Box::pin(self.signer.prepare(self.announcer.now()))),
        );
    }

    /// Announces one file. An upload in parts comes with the first `signed_parts` of them.
    pub async fn begin(
        &self,
        caller: &Caller,
        asked: FileRequest,
        key: Option<IdempotencyKey>,
        signed_parts: usize,
        api_url: &str,
    ) -> Result<Begun, Problem> {
        let now = self.announcer.now();
        // Before anything is recorded that could not be signed.
        self.signer.prepare(now).await?;
        let recorded = self.announcer.announce(caller, asked, key, now).await?;
        self.sign(recorded, signed_parts, api_url, now).await
    }

    /// Announces files, and answers for each on its own, in their order: one that cannot be taken fails no other, nor does
    /// one that was refused before. If the table fails halfway, those that it did not get to are told to try again; under
    /// an idempotency key the others are answered again then.
    pub async fn begin_all(
        &self,
        caller: &Caller,
        asked: Vec<Result<FileRequest, Problem>>,
        key: Option<&IdempotencyKey>,
        signed_parts: usize,
        api_url: &str,
    ) -> Result<Vec<Result<Begun, Problem>>, Problem> {
        let now = self.announcer.now();
        // Before anything is recorded that could not be signed.
        self.signer.prepare(now).await?;
        let recorded = self.announcer.announce_all(caller, asked, key, now).await?;
        let signed = recorded
            .into_iter()
            .map(|recorded| async move { self.sign(recorded?, signed_parts, api_url, now).await });
        Ok(stream::iter(signed).buffered(CONCURRENT_FILES).collect().await)
    }

    async fn sign(
        &self,
        recorded: Recorded,
        signed_parts: usize,
        api_url: &str,
        now: Timestamp,
    ) -> Result<Begun, Problem> {
        let Recorded { media, uploads, is_known } = recorded;
        let (mut source, mut miniature) = (None, None);
        for upload in &uploads {
            let signed = sign_upload(&self.signer, upload, signed_parts, api_url, now).await?;
            match upload.slot {
                Slot::Source => source = Some(signed),
                Slot::Miniature => miniature = Some(signed),
            }
        }
        Ok(Begun { media, upload: source, miniature_upload: miniature, is_known })
    }
}
