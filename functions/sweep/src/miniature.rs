//! A miniature whose deadline has passed, or whose processing began long ago.

use domain::{
    Media, Miniature, MiniatureState, ObjectHead, ObjectVersion, Slot, SourceKey, Status, UploadState, Work,
};
use table::MediaChange;

use crate::State;
use crate::settle::{Outcome, SettleError, open_upload, tell, write, write_media};

/// Settles the miniature of a media that owes it. If its object is there, the event is late or lost; if not, or if the
/// media itself is not to be had, the miniature ends.
pub(crate) async fn settle(state: &State, media: &Media, work: Work) -> Result<Outcome, SettleError> {
    let miniature = media.miniature.as_ref().ok_or(SettleError::Unexpected(media.status()))?;
    if !is_wanted(media) {
        return end(state, media, miniature, Outcome::Expired).await;
    }
    let key = SourceKey { media_id: media.id, slot: Slot::Miniature };
    let Some((version, head)) = find(state, &key, miniature).await? else {
        return end(state, media, miniature, Outcome::Expired).await;
    };
    let now = state.clock.now();
    let Some(due) = media.next_look(work, now) else {
        return end(state, media, miniature, Outcome::GivenUp).await;
    };
    tell(state, key, version, &head, now).await?;
    write_media(state, media, media.look_again_at_miniature(due, now), Outcome::Told).await
}

/// An object that arrives for a media that is not to be had is deleted when its event comes, or with what the media's own
/// upload left, or by the bucket's lifecycle rule.
fn is_wanted(media: &Media) -> bool {
    !matches!(media.status(), Status::Rejected | Status::Expired | Status::Deleting)
}

/// The object that was accepted, or as long as none was, the one that is there.
async fn find(
    state: &State,
    key: &SourceKey,
    miniature: &Miniature,
) -> Result<Option<(ObjectVersion, ObjectHead)>, SettleError> {
    let MiniatureState::Processing { source } = &miniature.state else {
        return Ok(state.ingest.head_current(key).await?);
    };
    let head = state.ingest.head(key, source).await?;
    Ok(head.map(|head| (source.clone(), head)))
}

async fn end(
    state: &State,
    media: &Media,
    miniature: &Miniature,
    outcome: Outcome,
) -> Result<Outcome, SettleError> {
    let now = state.clock.now();
    let upload = open_upload(state, miniature.upload_id).await?.end(UploadState::Expired, now);
    let ended = media.with_miniature(miniature.end(MiniatureState::Expired), now);
    write(state, media, MediaChange { uploads: vec![upload], ..MediaChange::of(ended) }, outcome).await
}
