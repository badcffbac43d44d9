//! An upload whose deadline has passed, or whose client said long ago that it is complete.
//!
//! The object decides. If it is there, its event is late or lost. If it is not, what the client said is carried out as
//! far as the parts are there; otherwise the upload goes on until its deadline, and ends after it.

use std::time::Duration;

use buckets::Completed;
use domain::{
    Media, Slot, SourceKey, Status, Upload, UploadMethod, UploadState, UploadedPart, total_size_bytes,
};
use table::MediaChange;

use crate::State;
use crate::settle::{Outcome, SettleError, open_upload, tell, write, write_media};

/// When the sweep looks whether a message of the object was enough. What is never processed is told of until the bucket's
/// lifecycle rule removes the object; then the upload expires.
const TOLD_DUE: Duration = Duration::from_hours(1);

/// How long one look waits for S3 to join parts.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// When the sweep looks again whether S3 has joined them.
const JOINING_DUE: Duration = Duration::from_mins(15);

/// Settles the upload of a media that owes it.
pub(crate) async fn settle(state: &State, media: &Media) -> Result<Outcome, SettleError> {
    if !media.is_awaited() {
        return Err(SettleError::Unexpected(media.status()));
    }
    if let Some(told) = tell_if_there(state, media).await? {
        return Ok(told);
    }
    let upload = open_upload(state, media.upload_id).await?;
    match (&upload.method, media.status()) {
        (UploadMethod::Multipart { s3_upload_id, .. }, Status::Completing) => {
            join(state, media, &upload, s3_upload_id).await
        }
        _ => give_back_or_expire(state, media, upload).await,
    }
}

/// Told before the look is put off: whoever dies in between tells twice, which changes nothing.
async fn tell_if_there(state: &State, media: &Media) -> Result<Option<Outcome>, SettleError> {
    let key = SourceKey { media_id: media.id, slot: Slot::Source };
    let Some((version, head)) = state.ingest.head_current(&key).await? else { return Ok(None) };
    let now = state.clock.now();
    tell(state, key, version, &head, now).await?;
    let later = media.look_again(now.plus(TOLD_DUE), now);
    write_media(state, media, later, Outcome::Told).await.map(Some)
}

/// The function that was to complete the upload died, or gave up waiting for S3.
async fn join(
    state: &State,
    media: &Media,
    upload: &Upload,
    s3_upload_id: &str,
) -> Result<Outcome, SettleError> {
    let Some(parts) = state.ingest.list_parts(&upload.key(), s3_upload_id).await? else {
        // Joined since the look at the object, or aborted, and then no part can come any more.
        return match tell_if_there(state, media).await? {
            Some(told) => Ok(told),
            None => expire(state, media, upload.clone()).await,
        };
    };
    let Some(parts) = whole_file(media, upload, parts) else {
        return give_back_or_expire(state, media, upload.clone()).await;
    };
    let joined = state.ingest.complete_multipart(&upload.key(), s3_upload_id, &parts, JOIN_TIMEOUT).await?;
    let now = state.clock.now();
    match joined {
        Completed::Done(_) => {
            write_media(state, media, media.look_again(now.plus(TOLD_DUE), now), Outcome::Joined).await
        }
        Completed::NoSuchUpload | Completed::StillWorking => {
            write_media(state, media, media.look_again(now.plus(JOINING_DUE), now), Outcome::Later).await
        }
        Completed::PartsChanged => give_back_or_expire(state, media, upload.clone()).await,
    }
}

/// The parts that make up the file, if all of it is there. Of a file whose size was not declared, that is what was counted
/// when its client completed it: nobody knows of parts that came later whether they belong to it.
fn whole_file(media: &Media, upload: &Upload, parts: Vec<UploadedPart>) -> Option<Vec<UploadedPart>> {
    let parts = upload.part_rules()?.assemble(parts, None).ok()?;
    let counted = media.reserving(total_size_bytes(&parts));
    (counted.reserved_bytes == media.reserved_bytes).then_some(parts)
}

/// The client may go on until the deadline.
async fn give_back_or_expire(state: &State, media: &Media, upload: Upload) -> Result<Outcome, SettleError> {
    let now = state.clock.now();
    if upload.deadline <= now {
        return expire(state, media, upload).await;
    }
    let reopened = media.reopen(upload.deadline, now);
    let uploads = vec![Upload { state: UploadState::Open, ..upload }];
    write(state, media, MediaChange { uploads, ..MediaChange::of(reopened) }, Outcome::Reopened).await
}

/// What it reserved is released at once. Its parts go now, or if that fails with what else it left.
async fn expire(state: &State, media: &Media, upload: Upload) -> Result<Outcome, SettleError> {
    let now = state.clock.now();
    let uploads = vec![upload.clone().end(UploadState::Expired, now)];
    let change = MediaChange { uploads, ..MediaChange::of(media.expire(now)) };
    let outcome = write(state, media, change, Outcome::Expired).await?;
    if let (Outcome::Expired, UploadMethod::Multipart { s3_upload_id, .. }) = (outcome, &upload.method)
        && let Err(error) = state.ingest.abort_multipart(&upload.key(), s3_upload_id).await
    {
        tracing::warn!(media_id = %media.id, %error, "the parts of an expired upload stay until its leftovers go");
    }
    Ok(outcome)
}
