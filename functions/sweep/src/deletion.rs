//! A media that was deleted: everything that belongs to it goes, and its record last, so that a deletion that dies halfway
//! is gone through again from the start.

use buckets::Deletion;
use domain::{Media, Status};
use table::ChangeError;

use crate::State;
use crate::leftovers::remove_uploaded;
use crate::settle::{Outcome, SettleError, write_media};

/// Removes a media. Of its published file and thumbnails the bucket keeps a version, for as long as its lifecycle rule says,
/// in case the deletion was a mistake.
pub(crate) async fn settle(state: &State, media: &Media) -> Result<Outcome, SettleError> {
    if media.status() != Status::Deleting {
        return Err(SettleError::Unexpected(media.status()));
    }
    let upload = state.table.upload(media.upload_id, state.clock.now()).await?;
    let uploaded = remove_uploaded(state, media, upload.as_ref()).await?;
    let published = state.media.unpublish(media.id).await?;
    let now = state.clock.now();
    // What was never published was never viewed.
    let is_unviewed = !media.was_begun_to_publish() || state.table.remove_views(media.id, now).await?;
    let is_all = state.table.remove_belongings(media.id).await? && is_unviewed;
    if [uploaded, published].contains(&Deletion::Partial) || !is_all {
        return write_media(state, media, media.look_again(now, now), Outcome::Later).await;
    }
    match state.table.bury(media, now).await {
        Ok(()) => Ok(Outcome::Deleted),
        Err(ChangeError::Outdated) => Ok(Outcome::Overtaken),
        Err(ChangeError::Table(error)) => Err(error.into()),
    }
}
