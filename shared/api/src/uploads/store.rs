//! Storing a file that came with its request, in its client's place.
//!
//! It is announced like any other, and then put under its key on condition that nothing is there. Whoever dies between
//! the two leaves a media that awaits its upload; the same file, sent again, is recognised by its SHA-256 or by the
//! idempotency key, and stored then. Which of several comes first does not matter: they are the same bytes.

use buckets::PutOutcome;
use domain::{Caller, IdempotencyKey, Media, Slot, Status, Upload, UploadContentType};
use futures::future::try_join_all;

use super::announce::Recorded;
use super::file_form::Content;
use crate::problem::{Code, Problem};
use crate::uploads::{Announcer, FileForm};

/// A file that is stored, and will be processed.
#[derive(Debug)]
pub struct Stored {
    /// The media, as it was before the object arrived.
    pub media: Media,
    /// Whether its owner had announced the same bytes before.
    pub is_known: bool,
}

impl Announcer {
    /// Announces a file that came in a form, and stores it.
    ///
    /// Needs `s3:PutObject` on `uploads/*` of the ingest bucket.
    pub async fn store(
        &self,
        caller: &Caller,
        form: FileForm,
        key: Option<IdempotencyKey>,
    ) -> Result<Stored, Problem> {
        let FileForm { asked, file, miniature } = form;
        let Recorded { media, uploads, is_known } =
            self.announce(caller, asked.clone(), key, self.now()).await?;
        let is_awaited = uploads.iter().any(|upload| upload.slot == Slot::Source);
        if !is_awaited && matches!(media.status(), Status::AwaitingUpload | Status::Expired) {
            return Err(Problem::new(
                Code::UploadEnded,
                "The upload that this Idempotency-Key began was never sent, and has ended. Send the file again under a fresh key.",
            ));
        }
        let sent = uploads.iter().filter_map(|upload| match upload.slot {
            Slot::Source => Some((upload, &file)),
            // Of a media that was announced before, another miniature may be awaited.
            Slot::Miniature => miniature
                .as_ref()
                .zip(asked.miniature.as_ref())
                .filter(|(content, asked)| {
                    let content_type = UploadContentType::Image(asked.content_type);
                    upload.declares(&content_type, content.size_bytes(), &content.sha256)
                })
                .map(|(content, _)| (upload, content)),
        });
        try_join_all(sent.map(|(upload, content)| self.put(upload, content))).await?;
        Ok(Stored { media, is_known })
    }

    /// Under the type that was declared first, so that the object is what its record says. What S3 was told of parts, if
    /// it was announced in parts, is left to the bucket's lifecycle rule.
    async fn put(&self, upload: &Upload, content: &Content) -> Result<(), Problem> {
        let Content { bytes, sha256 } = content;
        match self.ingest().put(&upload.key(), &upload.content_type, bytes.clone(), sha256).await? {
            PutOutcome::Stored | PutOutcome::Exists => Ok(()),
        }
    }
}
