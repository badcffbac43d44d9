//! How announcements are put into transactions, and what a refusal says of each.

use aws_sdk_dynamodb::config::BehaviorVersion;
use aws_types::SdkConfig;
use domain::{
    ContentType, Description, MediaKind, Miniature, MiniatureState, Slot, State, ThumbnailKey, UploadMethod,
    UploadState, Visibility, Work, WorkKind,
};
use uuid::Uuid;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_000)
}

fn table() -> Table {
    Table::new(&SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build(), "table")
}

/// The parts of an announcement that make it longer.
#[derive(Clone, Copy, Default)]
struct With {
    key: bool,
    /// Of how many bytes a file with a digest is: files of one size have the same.
    digest_of: Option<SizeBytes>,
    miniature: bool,
}

fn announcement(number: u128, with: With) -> Announcement {
    let (media_id, upload_id) =
        (MediaId::new(Uuid::from_u128(number)), UploadId::new(Uuid::from_u128(number)));
    let content_type: ContentType = "video/mp4".parse().unwrap();
    let upload = Upload {
        id: upload_id,
        media_id,
        owner_id: UserId::new(Uuid::nil()),
        slot: Slot::Source,
        method: UploadMethod::Put,
        state: UploadState::Open,
        content_type: domain::UploadContentType::Media(content_type.clone()),
        size: domain::DeclaredSize::exact(10),
        checksum_sha256: None,
        checksum_crc64nvme: None,
        created_at: now(),
        deadline: now(),
        expires_at: None,
    };
    let work = |kind| Some(Work { kind, due: now() });
    let miniature = with.miniature.then(|| Miniature {
        upload_id: UploadId::new(Uuid::from_u128(number + 1_000)),
        size_bytes: 5,
        key: ThumbnailKey::new(number),
        state: MiniatureState::AwaitingUpload,
        work: work(WorkKind::Miniature),
    });
    let miniature_upload =
        miniature.as_ref().map(|miniature| Upload { id: miniature.upload_id, ..upload.clone() });
    let sha256 = with.digest_of.map(|_| "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse().unwrap());
    let media = Media {
        id: media_id,
        owner_id: UserId::new(Uuid::nil()),
        title: "T".parse().unwrap(),
        description: Description::empty(),
        tags: Vec::new(),
        kind: MediaKind::Video,
        content_type,
        filename: "a.mp4".parse().unwrap(),
        size_bytes: Some(with.digest_of.unwrap_or(10)),
        claims_digest: sha256.is_some(),
        checksum_sha256: sha256,
        checksum_crc64nvme: None,
        checksum_verified: None,
        visibility: Visibility::Members,
        state: State::AwaitingUpload,
        duration_seconds: None,
        thumbnail_url: None,
        miniature,
        retired_thumbnail_keys: Vec::new(),
        created_at: now(),
        updated_at: now(),
        version: 1,
        upload_id,
        work: work(WorkKind::Upload),
        reserved_bytes: 10,
        extract_metadata_attempts: 0,
        upload_to_cdn_attempts: 0,
    };
    let request = with.key.then(|| IdempotentRequest {
        key: "key".parse().unwrap(),
        file_index: u8::try_from(number).ok(),
        request_sha256: "asked".to_owned(),
    });
    Announcement { media, uploads: [upload].into_iter().chain(miniature_upload).collect(), request }
}

fn batch_of(announcements: &[Announcement], is_one_by_one: bool) -> Batch {
    let waiting = 0..announcements.len();
    table().batch(announcements, waiting, is_one_by_one, SizeBytes::MAX, now()).unwrap()
}

#[test]
fn an_announcement_takes_as_many_writes_as_were_counted() {
    for number in 0..8_u8 {
        let with = With {
            key: number & 1 != 0,
            digest_of: (number & 2 != 0).then_some(10),
            miniature: number & 4 != 0,
        };
        let announcement = announcement(1, with);
        let batch = batch_of(std::slice::from_ref(&announcement), false);
        assert_eq!(batch.transaction.len(), announcement.writes() + USAGE_WRITES);
        assert_eq!(batch.guards.len(), batch.transaction.len(), "each write guards something");
        assert!(matches!(batch.guards.last(), Some(Guard::Quota)));
    }
}

#[test]
fn a_batch_is_as_full_as_it_may_be() {
    let of =
        |with: With| -> Vec<Announcement> { (0..100).map(|number| announcement(number, with)).collect() };
    let plain = batch_of(&of(With::default()), false);
    assert_eq!((plain.members.len(), plain.transaction.len()), (33, 100));
    let keyed = batch_of(&of(With { key: true, ..With::default() }), false);
    assert_eq!((keyed.members.len(), keyed.transaction.len()), (24, 97));
    assert_eq!(batch_of(&of(With::default()), true).members, [0]);
    assert!(batch_of(&[], false).members.is_empty());
}

#[test]
fn of_one_digest_one_is_in_a_batch_and_the_others_do_not_end_it() {
    let digest_of = |size_bytes| With { digest_of: Some(size_bytes), ..With::default() };
    let announcements: Vec<Announcement> =
        [digest_of(1), digest_of(1), With::default(), digest_of(2), digest_of(1)]
            .into_iter()
            .zip(1..)
            .map(|(with, number)| announcement(number, with))
            .collect();
    assert_eq!(batch_of(&announcements, false).members, [0, 2, 3]);
}

fn stored_request(request_sha256: &str, media_id: MediaId) -> Item {
    let stored = StoredRequest { request_sha256: request_sha256.to_owned(), media_id, expires_at: 0 };
    serde_dynamo::to_item(stored).unwrap()
}

#[test]
fn a_refusal_says_what_stands_in_the_way_of_each() {
    let with = With { key: true, digest_of: Some(10), miniature: false };
    let announcements: Vec<Announcement> = (1..=3).map(|number| announcement(number, with)).collect();
    let guards = [
        Guard::Key(0),
        Guard::Digest(0),
        Guard::Key(1),
        Guard::Digest(1),
        Guard::Digest(2),
        Guard::Id,
        Guard::Quota,
    ];
    let (first, other) = (MediaId::new(Uuid::from_u128(8)), MediaId::new(Uuid::from_u128(9)));
    let digest = || Some(serde_dynamo::to_item(StoredDigest { media_id: other }).unwrap());
    let settled = |failed: Vec<(usize, Option<Item>)>| {
        let failed = failed.into_iter().map(|(index, item)| FailedCondition { index, item }).collect();
        settle(&announcements, &guards, failed)
    };

    // A key says more than a digest; another request under the key says no more than that.
    let all = settled(vec![
        (0, Some(stored_request("asked", first))),
        (1, digest()),
        (2, Some(stored_request("asked otherwise", first))),
        (3, digest()),
        (4, digest()),
        (6, None),
    ]);
    let expected = HashMap::from([
        (0, Announced::Repeated { media_id: first }),
        (1, Announced::KeyReused),
        (2, Announced::Duplicate { media_id: other }),
    ]);
    assert_eq!(all.unwrap(), expected);
    // A quota is the whole batch's.
    assert!(settled(vec![(6, None)]).unwrap().is_empty());
    // An id that is taken, a refusal without what is there, a write that was never made: faults of ours.
    for failed in [vec![(5, digest())], vec![(4, None)], vec![(7, None)]] {
        assert!(matches!(settled(failed), Err(TableError::Refused { .. })));
    }
}
