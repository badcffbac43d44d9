//! What is left of an upload that ended without being published: parts, objects, and the thumbnail of a media that nobody
//! will see. For an object that was rejected, the time that it was kept for is over.
//!
//! Everything is removed before that is written down, so whoever dies in between removes nothing twice but what is gone.

use buckets::Deletion;
use domain::{Media, MiniatureState, Slot, SourceKey, Status, Upload, UploadMethod, UploadState};
use table::MediaChange;

use crate::State;
use crate::settle::{Outcome, SettleError, write, write_media};

/// Removes what the uploads of a media left.
pub(crate) async fn settle(state: &State, media: &Media) -> Result<Outcome, SettleError> {
    remove_retired_thumbnails(state, media).await?;
    if media.status() == Status::Ready {
        let removed = media.without_leftovers(state.clock.now());
        return write_media(state, media, removed, Outcome::Removed).await;
    }
    // The last look before objects are deleted.
    if !matches!(media.status(), Status::Expired | Status::Rejected) {
        return Err(SettleError::Unexpected(media.status()));
    }
    let upload = state.table.upload(media.upload_id, state.clock.now()).await?;
    if remove_uploaded(state, media, upload.as_ref()).await? == Deletion::Partial {
        let now = state.clock.now();
        return write_media(state, media, media.look_again(now, now), Outcome::Later).await;
    }
    if let Some(miniature) = &media.miniature {
        // Whatever its state says: a run may have died between publishing it and saying so.
        state.media.delete_thumbnail(media.id, &miniature.key).await?;
    }
    without_leftovers(state, media, upload).await
}

/// Removes what was sent for a media. The record of its upload may be gone a week after its end; then the bucket's
/// lifecycle rule ends what S3 knows of it.
pub(crate) async fn remove_uploaded(
    state: &State,
    media: &Media,
    upload: Option<&Upload>,
) -> Result<Deletion, SettleError> {
    if let Some(upload) = upload
        && let UploadMethod::Multipart { s3_upload_id, .. } = &upload.method
    {
        state.ingest.abort_multipart(&upload.key(), s3_upload_id).await?;
    }
    let slots = [Some(Slot::Source), media.miniature.as_ref().map(|_| Slot::Miniature)];
    for slot in slots.into_iter().flatten() {
        let key = SourceKey { media_id: media.id, slot };
        if state.ingest.delete_all(&key).await? == Deletion::Partial {
            return Ok(Deletion::Partial);
        }
    }
    Ok(Deletion::Complete)
}

/// Removes thumbnails under keys that somebody may know who is not to see them any more.
async fn remove_retired_thumbnails(state: &State, media: &Media) -> Result<(), SettleError> {
    for key in &media.retired_thumbnail_keys {
        state.media.delete_thumbnail(media.id, key).await?;
    }
    Ok(())
}

async fn without_leftovers(
    state: &State,
    media: &Media,
    upload: Option<Upload>,
) -> Result<Outcome, SettleError> {
    let now = state.clock.now();
    let mut removed = media.without_leftovers(now);
    let mut uploads: Vec<Upload> = upload.into_iter().filter(has_not_ended).collect();
    if let Some(miniature) = &media.miniature
        && !matches!(miniature.state, MiniatureState::Rejected { .. })
    {
        uploads.extend(state.table.upload(miniature.upload_id, now).await?.filter(has_not_ended));
        removed = removed.with_miniature(miniature.end(MiniatureState::Expired), now);
    }
    let uploads = uploads.into_iter().map(|upload| upload.end(UploadState::Expired, now)).collect();
    write(state, media, MediaChange { uploads, ..MediaChange::of(removed) }, Outcome::Removed).await
}

fn has_not_ended(upload: &Upload) -> bool {
    upload.expires_at.is_none()
}
