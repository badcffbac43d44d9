//! A miniature whose deadline has passed.

use domain::{Media, Miniature, MiniatureState, Slot, SourceKey, Status, UploadState};
use table::MediaChange;

use crate::State;
use crate::settle::{Outcome, SettleError, TOLD_DUE, open_upload, tell, write, write_media};

/// Settles the miniature of a media that owes it. If its object is there, the event is late or lost; if not, or if the
/// media itself is not to be had, the miniature ends.
pub(crate) async fn settle(state: &State, media: &Media) -> Result<Outcome, SettleError> {
    let miniature = media.miniature.as_ref().filter(|miniature| miniature.work.is_some());
    let miniature = miniature.ok_or(SettleError::Unexpected(media.status()))?;
    let key = SourceKey { media_id: media.id, slot: Slot::Miniature };
    let now = state.clock.now();
    if is_wanted(media)
        && let Some((version, head)) = state.ingest.head_current(&key).await?
    {
        tell(state, key, version, &head, now).await?;
        let later = media.look_again_at_miniature(now.plus(TOLD_DUE), now);
        return write_media(state, media, later, Outcome::Told).await;
    }
    expire(state, media, miniature).await
}

/// An object that arrives for a media that is not to be had is deleted when its event comes, or with what the media's own
/// upload left, or by the bucket's lifecycle rule.
fn is_wanted(media: &Media) -> bool {
    !matches!(media.status(), Status::Rejected | Status::Expired | Status::Deleting)
}

async fn expire(state: &State, media: &Media, miniature: &Miniature) -> Result<Outcome, SettleError> {
    let now = state.clock.now();
    let upload = open_upload(state, miniature.upload_id).await?.end(UploadState::Expired, now);
    let expired = media.with_miniature(miniature.end(MiniatureState::Expired), now);
    let change = MediaChange { uploads: vec![upload], ..MediaChange::of(expired) };
    write(state, media, change, Outcome::Expired).await
}
