//! Processing that began long ago and has not ended: its message got lost, or its runs keep dying.

use api::metrics;
use domain::{Failure, Media, Slot, SourceKey, State as MediaState, UploadState, Work};
use table::MediaChange;

use crate::State;
use crate::settle::{Outcome, SettleError, open_upload, tell, write, write_media};

/// Settles the processing of a media that owes it: tells the queue once more of the accepted object, each time later than
/// the time before, and for about a week.
pub(crate) async fn settle(state: &State, media: &Media, work: Work) -> Result<Outcome, SettleError> {
    let MediaState::Processing { source, .. } = &media.state else {
        return Err(SettleError::Unexpected(media.status()));
    };
    let key = SourceKey { media_id: media.id, slot: Slot::Source };
    let head = state.ingest.head(&key, source).await?;
    let now = state.clock.now();
    let Some(head) = head else {
        let upload = open_upload(state, media.upload_id).await?.end(UploadState::Completed, now);
        let rejected = media.reject(source.clone(), Failure::source_missing(), now);
        let change = MediaChange { uploads: vec![upload], ..MediaChange::of(rejected) };
        let outcome = write(state, media, change, Outcome::Rejected).await?;
        if outcome == Outcome::Rejected {
            tracing::warn!({ metrics::UPLOADS_REJECTED } = 1, media_id = %media.id, "the accepted object is lost");
        }
        return Ok(outcome);
    };
    let Some(due) = media.next_look(work, now) else {
        let failed = media.fail(source.clone(), Failure::processing_failed(), now);
        let outcome = write_media(state, media, failed, Outcome::GivenUp).await?;
        if outcome == Outcome::GivenUp {
            tracing::error!({ metrics::UPLOADS_FAILED } = 1, media_id = %media.id, "the media has failed");
        }
        return Ok(outcome);
    };
    tell(state, key, source.clone(), &head, now).await?;
    write_media(state, media, media.look_again(due, now), Outcome::Told).await
}
