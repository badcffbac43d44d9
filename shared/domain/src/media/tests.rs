//! The machine of a media's states, by example and by property.

use std::time::Duration;

use super::*;
use crate::{JobType, WorkKind};
use uuid::Uuid;

const NOW: i64 = 1_000;

pub(super) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW)
}

pub(crate) fn object(version_id: &str) -> ObjectVersion {
    ObjectVersion { version_id: version_id.to_owned(), etag: "e".to_owned() }
}

fn work() -> Work {
    Work { kind: WorkKind::Upload, due: now() }
}

fn owed(kind: WorkKind, after: Duration) -> Work {
    Work { kind, due: now().plus(after) }
}

pub(crate) fn media(state: State) -> Media {
    Media {
        id: MediaId::new(Uuid::from_u128(1)),
        owner_id: UserId::new(Uuid::from_u128(2)),
        title: "T".parse().unwrap(),
        description: Description::empty(),
        tags: Vec::new(),
        kind: MediaKind::Video,
        content_type: "video/mp4".parse().unwrap(),
        filename: "a.mp4".parse().unwrap(),
        size_bytes: Some(10),
        checksum_sha256: None,
        checksum_crc64nvme: None,
        checksum_verified: None,
        visibility: Visibility::Members,
        state,
        duration_seconds: None,
        thumbnail_url: None,
        miniature: None,
        retired_thumbnail_keys: Vec::new(),
        created_at: now(),
        updated_at: now(),
        version: 1,
        upload_id: UploadId::new(Uuid::from_u128(3)),
        work: Some(work()),
        reserved_bytes: 10,
        claims_digest: true,
        extract_metadata_attempts: 0,
        upload_to_cdn_attempts: 0,
    }
}

fn measurement() -> Measurement {
    Measurement {
        duration_seconds: 1.5,
        size_bytes: 12,
        checksum_crc64nvme: None,
        checksum_verified: Some(ChecksumAlgorithm::Sha256),
    }
}

fn every_state(source: &ObjectVersion) -> Vec<State> {
    let failure = Failure::new("code", "detail");
    let published = PublishedObject { key: "media/1/source".to_owned(), etag: "e".to_owned() };
    vec![
        State::AwaitingUpload,
        State::Completing,
        State::Processing { source: source.clone(), copy_upload_id: None },
        State::Ready { source: source.clone(), published },
        State::Rejected { source: source.clone(), failure: failure.clone() },
        State::Failed { source: source.clone(), failure },
        State::Expired,
        State::Deleting,
    ]
}

#[test]
fn the_first_accepted_object_wins() {
    use Arrival::{Discard, Process, Settled};
    let (first, second) = (object("1"), object("2"));
    let arrivals = |object| every_state(&first).into_iter().map(move |state| media(state).on_arrival(object));
    // In the order of the states: awaiting_upload, completing, processing, ready, rejected, failed, expired, deleting.
    let again = [Process, Process, Process, Settled, Settled, Process, Discard, Discard];
    let another = [Process, Process, Discard, Discard, Discard, Discard, Discard, Discard];
    assert!(arrivals(&first).eq(again));
    assert!(arrivals(&second).eq(another));
}

#[test]
fn each_step_raises_the_version_and_settles_what_is_owed() {
    let source = object("1");
    let processing = media(State::AwaitingUpload).begin_processing(source.clone(), 10, work(), now());
    assert_eq!((processing.version, processing.attempt(JobType::ExtractMetadata)), (2, 1));
    assert!(processing.work.is_some() && processing.is_processing(&source));
    assert!(!processing.is_processing(&object("2")));

    let publishing = processing.begin_publishing(measurement(), now());
    assert_eq!((publishing.version, publishing.attempt(JobType::UploadToCdn)), (3, 1));
    assert_eq!((publishing.size_bytes, publishing.reserved_bytes), (Some(12), 12));
    assert_eq!(publishing.duration_seconds, Some(1.5));

    let published = PublishedObject { key: "k".to_owned(), etag: "e".to_owned() };
    let ready = publishing.publish(source.clone(), published, now());
    assert_eq!((ready.version, ready.status(), ready.work), (4, Status::Ready, None));

    let rejected = processing.reject(source.clone(), Failure::new("c", "d"), now());
    assert_eq!(
        (rejected.status(), rejected.reserved_bytes, rejected.claims_digest),
        (Status::Rejected, 10, false)
    );
    // What was rejected is kept, and counts, until the sweep removes it.
    assert_eq!(rejected.work, Some(owed(WorkKind::Leftovers, Duration::from_hours(24 * 7))));
    let removed = rejected.without_leftovers(now());
    assert_eq!((removed.status(), removed.reserved_bytes, removed.work), (Status::Rejected, 0, None));
    // What failed is kept for a redrive, and still counts.
    let failed = processing.fail(source, Failure::new("c", "d"), now());
    assert_eq!((failed.status(), failed.work, failed.reserved_bytes), (Status::Failed, None, 10));
}

#[test]
fn a_size_that_was_not_declared_is_known_once_the_object_is_there() {
    let awaited = Media { size_bytes: None, reserved_bytes: 5, ..media(State::AwaitingUpload) };
    let completing = awaited.reserving(12).complete(now());
    assert_eq!((completing.size_bytes, completing.reserved_bytes), (None, 12));
    assert_eq!(completing.expire(now()).reserved_bytes, 0);
    let processing = awaited.begin_processing(object("1"), 13, work(), now());
    assert_eq!((processing.size_bytes, processing.reserved_bytes), (Some(13), 13));
    // It is known then, and so is a size that was declared.
    let again = processing.begin_processing(object("1"), 14, work(), now());
    assert_eq!((again.size_bytes, again.reserved_bytes), (Some(13), 13));
    assert_eq!(media(State::AwaitingUpload).reserving(12), media(State::AwaitingUpload));
}

#[test]
fn what_was_written_before_sizes_could_be_unknown_reads_as_it_was() {
    let stored = serde_json::to_value(media(State::AwaitingUpload)).unwrap();
    assert_eq!(stored["size_bytes"], 10);
    assert_eq!(serde_json::from_value::<Media>(stored).unwrap(), media(State::AwaitingUpload));
    let unknown = Media { size_bytes: None, ..media(State::AwaitingUpload) };
    assert_eq!(serde_json::from_value::<Media>(serde_json::to_value(&unknown).unwrap()).unwrap(), unknown);
}

#[test]
fn an_upload_is_completed_reopened_or_given_up() {
    let awaited = media(State::AwaitingUpload);
    let completing = awaited.complete(now());
    assert_eq!((completing.version, completing.status()), (2, Status::Completing));
    assert_eq!(completing.work, Some(owed(WorkKind::Upload, Duration::from_mins(15))));

    let deadline = now().plus(Duration::from_hours(1));
    let reopened = completing.reopen(deadline, now());
    assert_eq!((reopened.status(), reopened.claims_digest), (Status::AwaitingUpload, true));
    assert_eq!(reopened.work, Some(owed(WorkKind::Upload, Duration::from_hours(1))));

    for given_up in [awaited.expire(now()), completing.expire(now())] {
        assert_eq!((given_up.status(), given_up.reserved_bytes), (Status::Expired, 0));
        assert!(!given_up.claims_digest);
        // Later than the last URL that may have been signed for it.
        assert_eq!(given_up.work, Some(owed(WorkKind::Leftovers, Duration::from_hours(2))));
    }
}

#[test]
fn stuck_work_is_looked_at_ever_more_rarely_and_then_no_more() {
    let hours = |hours| Duration::from_hours(hours);
    let begun = owed(WorkKind::Processing, hours(12));
    let mut media = media(State::AwaitingUpload).begin_processing(object("1"), 10, begun, now());
    let mut waits = Vec::new();
    // However late the sweep is.
    let late = hours(100);
    while let Some(due) = media.next_look(media.work.unwrap(), media.work.unwrap().due.plus(late)) {
        let looked = media.work.unwrap().due.plus(late);
        waits.push(looked.until(due));
        media = media.look_again(due, looked);
        assert_eq!(media.work, Some(Work { kind: WorkKind::Processing, due }));
    }
    assert_eq!(waits, [hours(24), hours(48), hours(96)]);
}

#[test]
fn a_miniature_counts_while_it_is_there() {
    use crate::{MiniatureState, ThumbnailKey};
    let miniature = Miniature {
        upload_id: UploadId::new(Uuid::nil()),
        size_bytes: 5,
        key: ThumbnailKey::new(1),
        state: MiniatureState::AwaitingUpload,
        work: None,
    };
    let awaited =
        Media { miniature: Some(miniature.clone()), reserved_bytes: 15, ..media(State::AwaitingUpload) };
    assert_eq!(awaited.on_miniature_arrival(&object("1")), Arrival::Process);
    let later = owed(WorkKind::Miniature, Duration::from_hours(1));
    let with_work =
        Miniature { work: Some(Work { kind: WorkKind::Miniature, due: now() }), ..miniature.clone() };
    let expired = Media { miniature: Some(with_work), ..awaited.expire(now()) };
    let looked_at = expired.look_again_at_miniature(later.due, now());
    assert_eq!(looked_at.miniature.as_ref().and_then(|miniature| miniature.work), Some(later));
    // Looking reserves nothing again, and leaves the media's own work alone.
    assert_eq!((looked_at.reserved_bytes, looked_at.work), (0, expired.work));
    let published =
        awaited.with_miniature(miniature.end(MiniatureState::Published { source: object("1") }), now());
    assert_eq!((published.version, published.reserved_bytes), (2, 15));
    assert_eq!(published.on_miniature_arrival(&object("2")), Arrival::Discard);
    let never_sent = awaited.with_miniature(miniature.end(MiniatureState::Expired), now());
    assert_eq!(never_sent.reserved_bytes, 10);
    // Of a media that is not to be had, nothing is shown.
    assert_eq!(awaited.expire(now()).on_miniature_arrival(&object("1")), Arrival::Discard);
    assert_eq!(media(State::AwaitingUpload).on_miniature_arrival(&object("1")), Arrival::Discard);
}

#[test]
fn a_thumbnail_is_shown_while_its_media_is_there() {
    use crate::{MiniatureState, ThumbnailKey};
    let awaited = Miniature {
        upload_id: UploadId::new(Uuid::nil()),
        size_bytes: 5,
        key: ThumbnailKey::new(1),
        state: MiniatureState::AwaitingUpload,
        work: None,
    };
    let published = awaited.end(MiniatureState::Published { source: object("1") });
    let has_thumbnail = |state: &State, miniature: &Miniature| {
        Media { miniature: Some(miniature.clone()), ..media(state.clone()) }.thumbnail().is_some()
    };
    // In the order of the states: awaiting_upload, completing, processing, ready, rejected, failed, expired, deleting.
    let shown = [true, true, true, true, false, true, false, false];
    assert!(every_state(&object("2")).iter().map(|state| has_thumbnail(state, &published)).eq(shown));
    assert!(every_state(&object("2")).iter().all(|state| !has_thumbnail(state, &awaited)));
}

#[test]
fn whoever_goes_on_goes_on_with_the_copy() {
    let source = object("1");
    let copying = State::Processing { source: source.clone(), copy_upload_id: Some("u".to_owned()) };
    let again = media(copying.clone()).begin_processing(source.clone(), 10, work(), now());
    assert_eq!(again.state, copying);

    let processing = media(State::Processing { source, copy_upload_id: None });
    assert_eq!(processing.copy_upload_id(), None);
    let begun = processing.begin_publishing(measurement(), now()).begin_copy("u".to_owned(), now());
    assert_eq!((&begun.state, begun.copy_upload_id()), (&copying, Some("u")));
    // Who takes over goes on with the attempt; who has to try again begins one.
    let continued = begun.continue_publishing(work(), now());
    assert_eq!((&continued.state, continued.attempt(JobType::UploadToCdn)), (&copying, 1));
    let retried = begun.retry_publishing(work(), now());
    assert_eq!((&retried.state, retried.attempt(JobType::UploadToCdn)), (&copying, 2));
    for goes_on in [continued, retried] {
        assert_eq!((goes_on.version, goes_on.work), (begun.version + 1, Some(work())));
        assert_eq!(goes_on.attempt(JobType::ExtractMetadata), begun.attempt(JobType::ExtractMetadata));
    }

    let failed = State::Failed { source: object("1"), failure: Failure::new("c", "d") };
    let redriven = media(failed).begin_processing(object("1"), 10, work(), now());
    assert_eq!(redriven.state, State::Processing { source: object("1"), copy_upload_id: None });
}

#[test]
fn a_file_has_to_be_what_was_announced() {
    let media = media(State::AwaitingUpload);
    let day = Duration::from_hours(24);
    let code = |kind, container, duration| {
        media.judge(kind, container, duration, day).err().map(|failure| failure.code)
    };
    assert_eq!(code(MediaKind::Video, "mp4", 86_400.0), None);
    assert_eq!(code(MediaKind::Audio, "mp4", 1.0).as_deref(), Some("kind_mismatch"));
    assert_eq!(code(MediaKind::Video, "matroska", 1.0).as_deref(), Some("content_type_mismatch"));
    assert_eq!(code(MediaKind::Video, "mp4", 86_400.5).as_deref(), Some("too_long"));
}

#[test]
fn a_record_reads_back_in_every_state() {
    for state in every_state(&object("1")) {
        let media = media(state);
        let written = serde_json::to_value(&media).unwrap();
        assert_eq!(written["status"], serde_json::to_value(media.status()).unwrap());
        assert_eq!(serde_json::from_value::<Media>(written).unwrap(), media);
    }
}

/// One thing that happens to a media: an event tells of an object, or a run that processes one takes a step.
#[derive(Clone, Debug)]
enum Happening {
    Arrival(u8),
    Publish(u8),
    Reject(u8),
    Fail(u8),
    Complete,
    Reopen,
    Expire,
}

fn happening() -> impl proptest::strategy::Strategy<Value = Happening> {
    use proptest::prelude::*;
    prop_oneof![
        (0..3_u8).prop_map(Happening::Arrival),
        (0..3_u8).prop_map(Happening::Publish),
        (0..3_u8).prop_map(Happening::Reject),
        (0..3_u8).prop_map(Happening::Fail),
        Just(Happening::Complete),
        Just(Happening::Reopen),
        Just(Happening::Expire),
    ]
}

/// What a step writes: only while its object is the one in processing, as `extract-metadata` does, and only while the
/// object is awaited, as the functions of an upload do.
fn next(media: &Media, happening: &Happening) -> Option<Media> {
    let number = match happening {
        Happening::Arrival(number)
        | Happening::Publish(number)
        | Happening::Reject(number)
        | Happening::Fail(number) => number,
        Happening::Complete => return media.is_awaited().then(|| media.complete(now())),
        Happening::Reopen => {
            return (media.status() == Status::Completing).then(|| media.reopen(now(), now()));
        }
        Happening::Expire => return media.is_awaited().then(|| media.expire(now())),
    };
    let source = object(&number.to_string());
    if matches!(happening, Happening::Arrival(_)) {
        let is_processed = media.on_arrival(&source) == Arrival::Process;
        return is_processed.then(|| media.begin_processing(source, 10, work(), now()));
    }
    if !media.is_processing(&source) {
        return None;
    }
    let failure = Failure::new("code", "detail");
    Some(match happening {
        Happening::Publish(_) => {
            let published = PublishedObject { key: "k".to_owned(), etag: "e".to_owned() };
            media.begin_publishing(measurement(), now()).publish(source, published, now())
        }
        Happening::Reject(_) => media.reject(source, failure, now()),
        _ => media.fail(source, failure, now()),
    })
}

fn accepted(media: &Media) -> Option<&ObjectVersion> {
    match &media.state {
        State::Processing { source, .. }
        | State::Ready { source, .. }
        | State::Rejected { source, .. }
        | State::Failed { source, .. } => Some(source),
        _ => None,
    }
}

proptest::proptest! {
    #[test]
    fn whatever_happens_one_object_is_accepted_and_ends_stay(
        happenings in proptest::collection::vec(happening(), 0..20),
    ) {
        let mut media = media(State::AwaitingUpload);
        for happening in happenings {
            let Some(changed) = next(&media, &happening) else { continue };
            proptest::prop_assert!(changed.version > media.version);
            if let Some(first) = accepted(&media) {
                proptest::prop_assert_eq!(accepted(&changed), Some(first));
            }
            let was_at_an_end = matches!(media.status(), Status::Ready | Status::Rejected | Status::Expired);
            proptest::prop_assert!(!was_at_an_end, "{:?} became {:?}", media.status(), changed.status());
            let is_settled = matches!(changed.status(), Status::Ready | Status::Failed);
            proptest::prop_assert_eq!(changed.work.is_none(), is_settled);
            // Whatever is not there to be played or tried again lets its owner upload the same file again.
            let is_given_up = matches!(changed.status(), Status::Rejected | Status::Expired);
            proptest::prop_assert_eq!(changed.claims_digest, !is_given_up);
            media = changed;
        }
    }
}
