//! `IngestBucket`: uploads in parts, objects in one piece, and what is left of them.

use std::time::{Duration, SystemTime};

use buckets::{BucketError, Completed, Deletion, PutOutcome};
use domain::{AwaitedPart, PartRules, Sha256Checksum, Timestamp, UploadContentType};
use futures::future::join_all;
use http::{Method, StatusCode};
use local::aws::Answer;

use super::{Buckets, MIB, error};
use crate::multipart::big;
use crate::support::{INGEST, body, send};

/// Time enough.
const LONG: Duration = Duration::from_mins(1);

/// Of `hello world`.
const SHA256: &str = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=";

fn video() -> UploadContentType {
    "video/mp4".parse().unwrap()
}

#[tokio::test]
async fn what_comes_in_signed_parts_becomes_one_object() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    assert_eq!(ingest.head_current(key).await.unwrap(), None);
    let id = buckets.begin().await;
    assert_eq!(ingest.list_parts(key, &id).await.unwrap(), Some(vec![]));

    let upload = buckets.upload(&id, 5 * MIB + 3);
    let Some(PartRules::Planned(plan)) = upload.part_rules() else { panic!("no plan") };
    let now = Timestamp::from(SystemTime::now());
    let signed = buckets
        .upload_signer()
        .presign_parts(&upload, plan.parts().map(AwaitedPart::from), now)
        .await
        .unwrap();
    assert_eq!(signed.iter().map(|part| part.size_bytes).collect::<Vec<_>>(), [Some(5 * MIB), Some(3)]);
    assert_eq!(buckets.count("AssumeRole"), 1);
    let longer = send(Method::PUT, &signed[1].url, &[], b"4444").await;
    assert_eq!(longer.refusal(), (403, "SignatureDoesNotMatch".to_owned()));
    for (part, bytes) in signed.iter().zip([big(b'a'), b"333".to_vec()]) {
        assert_eq!(send(Method::PUT, &part.url, &[], &bytes).await.status, StatusCode::OK);
    }

    let parts = ingest.list_parts(key, &id).await.unwrap().unwrap();
    assert_eq!(plan.missing(&parts), []);
    let Completed::Done(version) = ingest.complete_multipart(key, &id, &parts, LONG).await.unwrap() else {
        panic!("not done");
    };
    let (current, head) = ingest.head_current(key).await.unwrap().unwrap();
    assert_eq!(current, version);
    assert_eq!(ingest.head(key, &version).await.unwrap(), Some(head.clone()));
    assert_eq!((head.size_bytes, head.content_type.as_deref()), (5 * MIB + 3, Some("video/mp4")));
    assert!(head.checksum_sha256.is_none() && head.checksum_crc64nvme.is_some());
    let stored = body(&buckets.local.operator_s3(), INGEST, &key.to_string()).await.unwrap();
    assert!(stored == [big(b'a'), b"333".to_vec()].concat());
}

#[tokio::test]
async fn parts_are_listed_beyond_the_first_page() {
    let buckets = Buckets::start().await;
    let id = buckets.begin().await;
    join_all((1..=1_001).map(|number| buckets.send_part(&id, number, b"x".to_vec()))).await;
    let parts = buckets.ingest.list_parts(&buckets.key, &id).await.unwrap().unwrap();
    let numbers: Vec<u16> = parts.iter().map(|part| part.number.into()).collect();
    assert_eq!(numbers, (1..=1_001).collect::<Vec<_>>());
    assert_eq!(buckets.count("ListParts"), 2);
}

#[tokio::test]
async fn completing_again_and_aborting_late_change_nothing() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    let id = buckets.begin().await;
    let parts = [buckets.send_part(&id, 1, b"one".to_vec()).await];
    // The answer is lost, and the SDK asks again.
    let lost = buckets.answer("CompleteMultipartUpload", [Answer::DropAnswer]);
    let first = ingest.complete_multipart(key, &id, &parts, LONG).await.unwrap();
    drop(lost);
    assert_eq!(buckets.count("CompleteMultipartUpload"), 1, "and once it was cut");
    let (version, _) = ingest.head_current(key).await.unwrap().unwrap();
    let again = ingest.complete_multipart(key, &id, &parts, LONG).await.unwrap();
    for completed in [first, again] {
        assert!([Completed::Done(version.clone()), Completed::NoSuchUpload].contains(&completed));
    }
    ingest.abort_multipart(key, &id).await.unwrap();
    assert_eq!(ingest.list_parts(key, &id).await.unwrap(), None);
    assert_eq!(ingest.head_current(key).await.unwrap().unwrap().0, version);
}

#[tokio::test]
async fn an_aborted_upload_is_over() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    let id = buckets.begin().await;
    let parts = [buckets.send_part(&id, 1, b"one".to_vec()).await];
    for _ in 0..2 {
        ingest.abort_multipart(key, &id).await.unwrap();
    }
    assert_eq!(ingest.list_parts(key, &id).await.unwrap(), None);
    let completed = ingest.complete_multipart(key, &id, &parts, LONG).await.unwrap();
    assert_eq!(completed, Completed::NoSuchUpload);
    assert_eq!(ingest.head_current(key).await.unwrap(), None);
}

#[tokio::test]
async fn an_upload_whose_parts_changed_goes_on() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    let id = buckets.begin().await;
    let first = buckets.send_part(&id, 1, big(b'a')).await;
    let last = buckets.send_part(&id, 2, b"b".to_vec()).await;
    let changed = buckets.send_part(&id, 1, b"too small".to_vec()).await;
    for parts in [vec![first, last.clone()], vec![last.clone(), changed.clone()], vec![changed, last.clone()]]
    {
        let completed = ingest.complete_multipart(key, &id, &parts, LONG).await.unwrap();
        assert_eq!(completed, Completed::PartsChanged, "{parts:?}");
    }
    let parts = [buckets.send_part(&id, 1, big(b'c')).await, last];
    let completed = ingest.complete_multipart(key, &id, &parts, LONG).await.unwrap();
    assert!(matches!(completed, Completed::Done(_)));
}

#[tokio::test]
async fn a_slow_complete_is_not_waited_for() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    let id = buckets.begin().await;
    let parts = [buckets.send_part(&id, 1, b"one".to_vec()).await];
    let slow = buckets.answer("CompleteMultipartUpload", [Answer::Delay(Duration::from_hours(1))]);
    let within = Duration::from_millis(200);
    let completed = ingest.complete_multipart(key, &id, &parts, within).await.unwrap();
    assert_eq!(completed, Completed::StillWorking);
    drop(slow);
    let completed = ingest.complete_multipart(key, &id, &parts, LONG).await.unwrap();
    assert!(matches!(completed, Completed::Done(_)));
}

/// S3 may say 200 first and find out later.
#[tokio::test]
async fn an_error_behind_a_200_is_an_error() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    let id = buckets.begin().await;
    let parts = [buckets.send_part(&id, 1, b"one".to_vec()).await];
    let failing =
        buckets.answer("CompleteMultipartUpload", std::iter::repeat_n(error(200, "InternalError"), 9));
    let failed = ingest.complete_multipart(key, &id, &parts, LONG).await.unwrap_err();
    assert!(
        matches!(&failed, BucketError::Unavailable { reason, .. } if reason.contains("InternalError")),
        "{failed}"
    );
    drop(failing);
    assert_eq!(ingest.head_current(key).await.unwrap(), None);
}

#[tokio::test]
async fn an_object_is_put_once() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    let sha256: Sha256Checksum = SHA256.parse().unwrap();
    let put = async |bytes: &'static [u8]| ingest.put(key, &video(), bytes.into(), &sha256).await;
    let damaged = put(b"hello worlD").await.unwrap_err();
    assert!(matches!(damaged, BucketError::Refused { .. }), "{damaged}");
    assert_eq!(put(b"hello world").await.unwrap(), PutOutcome::Stored);
    assert_eq!(put(b"hello world").await.unwrap(), PutOutcome::Exists);
    let (_, head) = ingest.head_current(key).await.unwrap().unwrap();
    assert_eq!((head.size_bytes, head.content_type.as_deref()), (11, Some("video/mp4")));
    assert_eq!((head.checksum_sha256, head.checksum_crc64nvme), (Some(sha256.clone()), None));
}

#[tokio::test]
async fn a_put_that_met_another_request_is_tried_again() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    let conflict = || error(409, "ConditionalRequestConflict");
    let put = async || ingest.put(key, &video(), b"hello world"[..].into(), &SHA256.parse().unwrap()).await;
    let always = buckets.answer("PutObject", std::iter::repeat_n(conflict(), 99));
    let gave_up = put().await.unwrap_err();
    assert!(matches!(gave_up, BucketError::Unavailable { .. }), "{gave_up}");
    drop(always);
    let _twice = buckets.answer("PutObject", [conflict(), conflict()]);
    assert_eq!(put().await.unwrap(), PutOutcome::Stored);
}

#[tokio::test]
async fn all_versions_are_deleted_and_what_hides_them() {
    let buckets = Buckets::start().await;
    let Buckets { ingest, key, .. } = &buckets;
    let s3 = buckets.local.operator_s3();
    assert_eq!(ingest.delete_all(key).await.unwrap(), Deletion::Complete);
    let put = || s3.put_object().bucket(INGEST).key(key.to_string()).body(b"x".to_vec().into()).send();
    for _ in 0..2 {
        put().await.unwrap();
        s3.delete_object().bucket(INGEST).key(key.to_string()).send().await.unwrap();
        assert_eq!(ingest.head_current(key).await.unwrap(), None);
        put().await.unwrap();
    }
    assert_eq!(crate::multipart::files(&buckets.local), 4);
    assert_eq!(ingest.delete_all(key).await.unwrap(), Deletion::Complete);
    assert_eq!(crate::multipart::files(&buckets.local), 0);

    for _ in 0..101 {
        put().await.unwrap();
    }
    assert_eq!(ingest.delete_all(key).await.unwrap(), Deletion::Partial);
    assert_eq!(crate::multipart::files(&buckets.local), 1);
    assert_eq!(ingest.delete_all(key).await.unwrap(), Deletion::Complete);
    assert_eq!(ingest.head_current(key).await.unwrap(), None);
}
