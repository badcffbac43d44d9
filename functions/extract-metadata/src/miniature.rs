//! A miniature from its arrival to its end: published, rejected, or tried again.
//!
//! The object is accepted, verified by what S3 says of it and by its content, copied to a key that was chosen when it was
//! announced, and deleted. The first accepted object wins. Several runs on it may overlap: they copy the same bytes to
//! the same place, and one of them writes the end. What becomes of the media's own file makes no difference, as long as
//! the media is to be had.

use std::ops::ControlFlow;

use api::ObjectCreated;
use domain::{
    Arrival, Failure, ImageType, Media, Miniature, MiniatureState, ObjectHead, Upload, UploadContentType,
    UploadState,
};
use table::{ChangeError, MediaChange, Record};

use crate::State;
use crate::judge::read_and_judge_image;
use crate::process::{ATTEMPTS, Attempt, Delivery, Outcome, PROCESSING_DUE, ProcessError};

/// A miniature that an object is for, and its media, as read or written last.
struct Awaiting {
    media: Media,
    miniature: Miniature,
}

/// Processes the object of a miniature. After the last attempt it waits for a redrive, or for the sweep.
pub(crate) async fn process(state: &State, delivery: &Delivery) -> Result<Outcome, ProcessError> {
    let error = match accept_and_publish(state, delivery).await {
        Err(error) => error,
        ended => return ended,
    };
    // Another run may have ended it, and deleted the object under this one.
    match look(state, &delivery.object).await {
        Ok(ControlFlow::Break(outcome)) => Ok(outcome),
        Ok(ControlFlow::Continue(_)) | Err(_) => Err(error),
    }
}

async fn accept_and_publish(state: &State, delivery: &Delivery) -> Result<Outcome, ProcessError> {
    let Delivery { object, attempt, .. } = delivery;
    let awaiting = match look(state, object).await? {
        ControlFlow::Continue(awaiting) => awaiting,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    let head = match state.ingest.head(&object.key, &object.version).await? {
        Some(head) => head,
        // S3 may not show an object yet, in the first minutes after a bucket began to keep versions.
        None if *attempt == Attempt::NotLast => return Err(ProcessError::ObjectMissing),
        None => return Ok(Outcome::Gone),
    };
    let upload = state.table.upload(awaiting.miniature.upload_id, state.clock.now()).await?;
    let upload = upload.ok_or(ProcessError::UploadMissing)?;
    let accepted = match accept(state, object, awaiting).await? {
        ControlFlow::Continue(accepted) => accepted,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    let source = object.version.clone();
    let (end, outcome) = match verify(state, object, &upload, &head).await? {
        Ok(image_type) => {
            let key = &accepted.miniature.key;
            state
                .media
                .publish_thumbnail(&state.ingest, &object.key, &object.version, key, image_type)
                .await?;
            (MiniatureState::Published { source }, Outcome::Published)
        }
        Err(failure) => (MiniatureState::Rejected { source, failure }, Outcome::Rejected),
    };
    let ended = vec![upload.end(UploadState::Completed, state.clock.now())];
    match write(state, object, accepted, ended, |miniature| miniature.end(end.clone())).await? {
        ControlFlow::Continue(_) => {}
        ControlFlow::Break(outcome) => return Ok(outcome),
    }
    // Also of what was rejected: it counts no longer against its owner's quota.
    state.ingest.delete_version(&object.key, &object.version).await?;
    Ok(outcome)
}

/// Whether the miniature still waits for this object. If not, what is left to be done about the object is done.
async fn look(state: &State, object: &ObjectCreated) -> Result<ControlFlow<Outcome, Awaiting>, ProcessError> {
    let media = match state.table.media(object.key.media_id, state.clock.now()).await? {
        Record::Media(media) => *media,
        Record::Tombstone { .. } => return discard(state, object, Outcome::Discarded).await,
        Record::Absent => return Ok(ControlFlow::Break(Outcome::Unknown)),
    };
    match (media.on_miniature_arrival(&object.version), media.miniature.clone()) {
        (Arrival::Process, Some(miniature)) => Ok(ControlFlow::Continue(Awaiting { media, miniature })),
        // The run that ended it may have died before it deleted the object.
        (Arrival::Settled, _) => discard(state, object, Outcome::Settled).await,
        _ => discard(state, object, Outcome::Discarded).await,
    }
}

async fn discard<T>(
    state: &State,
    object: &ObjectCreated,
    outcome: Outcome,
) -> Result<ControlFlow<Outcome, T>, ProcessError> {
    state.ingest.delete_version(&object.key, &object.version).await?;
    Ok(ControlFlow::Break(outcome))
}

/// From now on, no other object is the miniature.
async fn accept(
    state: &State,
    object: &ObjectCreated,
    awaiting: Awaiting,
) -> Result<ControlFlow<Outcome, Awaiting>, ProcessError> {
    if awaiting.miniature.state != MiniatureState::AwaitingUpload {
        return Ok(ControlFlow::Continue(awaiting));
    }
    let due = state.clock.now().plus(PROCESSING_DUE);
    write(state, object, awaiting, Vec::new(), |miniature| miniature.accept(object.version.clone(), due))
        .await
}

/// Whether the object is what was declared, by what S3 says of it and by its content.
async fn verify(
    state: &State,
    object: &ObjectCreated,
    upload: &Upload,
    head: &ObjectHead,
) -> Result<Result<ImageType, Failure>, ProcessError> {
    let UploadContentType::Image(image_type) = upload.content_type else {
        return Err(ProcessError::UploadMissing);
    };
    if let Err(failure) = upload.verify(head) {
        return Ok(Err(failure));
    }
    let source = state.ingest.source(&object.key, &object.version, head.size_bytes);
    Ok(read_and_judge_image(&source, image_type).await?.map(|()| image_type))
}

/// Writes a step. If the record changed in between, most likely by a run on the media's own file, the step is made of what
/// it became, as long as the miniature waits for this object.
async fn write(
    state: &State,
    object: &ObjectCreated,
    mut awaiting: Awaiting,
    uploads: Vec<Upload>,
    step: impl Fn(&Miniature) -> Miniature,
) -> Result<ControlFlow<Outcome, Awaiting>, ProcessError> {
    for _ in 0..ATTEMPTS {
        let miniature = step(&awaiting.miniature);
        let media = awaiting.media.with_miniature(miniature.clone(), state.clock.now());
        let change = MediaChange { uploads: uploads.clone(), ..MediaChange::of(media) };
        match state.table.change_media(&awaiting.media, &change).await {
            Ok(()) => return Ok(ControlFlow::Continue(Awaiting { media: change.media, miniature })),
            Err(ChangeError::Outdated) => match look(state, object).await? {
                ControlFlow::Continue(now) => awaiting = now,
                ended @ ControlFlow::Break(_) => return Ok(ended),
            },
            Err(ChangeError::Table(error)) => return Err(error.into()),
        }
    }
    Err(ProcessError::Contended)
}
