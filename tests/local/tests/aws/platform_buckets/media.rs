//! `MediaBucket`: files and thumbnails are published, large files in parts.

use std::time::{Duration, Instant};

use buckets::{BucketError, CopyProgress, thumbnail_object_key};
use domain::{ImageType, ObjectVersion, PublishedObject, ThumbnailKey};
use local::aws::Answer;

use super::{Buckets, MIB, error};
use crate::support::{INGEST, MEDIA, body};

/// Four parts of a source of this length.
const SIZE_BYTES: u64 = 15 * MIB + 7;

/// A source whose every part is unlike the others.
fn source() -> Vec<u8> {
    (0..SIZE_BYTES).map(|index| u8::try_from(index / 1_000 % 251).unwrap()).collect()
}

/// Time enough.
fn later() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

impl Buckets {
    async fn put_source(&self, bytes: Vec<u8>) -> ObjectVersion {
        let put =
            self.local.operator_s3().put_object().bucket(INGEST).key(self.key.to_string()).body(bytes.into());
        put.send().await.unwrap();
        self.ingest.head_current(&self.key).await.unwrap().unwrap().0
    }

    async fn begin_copy(&self) -> String {
        let (content_type, filename) = ("video/mp4".parse().unwrap(), "é.mp4".parse().unwrap());
        self.media.begin_copy(self.key.media_id, &content_type, &filename).await.unwrap()
    }

    async fn copy_parts(
        &self,
        version: &ObjectVersion,
        id: &str,
        until: Instant,
    ) -> Result<CopyProgress, BucketError> {
        self.media.copy_parts(&self.ingest, &self.key, version, SIZE_BYTES, id, until).await
    }

    async fn published(&self, object: &PublishedObject) -> Vec<u8> {
        body(&self.local.operator_s3(), MEDIA, &object.key).await.unwrap()
    }
}

fn done(progress: CopyProgress) -> PublishedObject {
    match progress {
        CopyProgress::Done(object) => object,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_thumbnail_is_published_for_anybody_to_keep() {
    let buckets = Buckets::start().await;
    let version = buckets.put_source(b"an image".to_vec()).await;
    let (key, media_id) = (ThumbnailKey::new(1), buckets.key.media_id);
    let publish =
        || buckets.media.publish_thumbnail(&buckets.ingest, &buckets.key, &version, &key, ImageType::WebP);
    let object = publish().await.unwrap();
    assert_eq!(object.key, thumbnail_object_key(media_id, &key));
    assert_eq!(publish().await.unwrap(), object);
    assert_eq!(buckets.published(&object).await, b"an image");
    let head = buckets.local.operator_s3().head_object().bucket(MEDIA).key(&object.key).send().await.unwrap();
    assert_eq!(head.content_type(), Some("image/webp"));
    assert_eq!(head.cache_control(), Some("public, max-age=31536000, immutable"));
    assert_eq!(head.content_disposition(), None);
    assert_eq!(head.e_tag(), Some(format!("\"{}\"", object.etag).as_str()));
}

#[tokio::test]
async fn a_large_file_is_published_in_parts_as_a_small_one_is() {
    let buckets = Buckets::start().await;
    assert!(buckets.media.copies_in_parts(SIZE_BYTES) && !buckets.media.copies_in_parts(6 * MIB));
    let version = buckets.put_source(source()).await;
    // A later object under the same key is not what is copied.
    buckets.put_source(b"another".to_vec()).await;
    let id = buckets.begin_copy().await;
    let object = done(buckets.copy_parts(&version, &id, later()).await.unwrap());
    assert!(buckets.published(&object).await == source());
    let head = || buckets.local.operator_s3().head_object().bucket(MEDIA).key(&object.key).send();
    let in_parts = head().await.unwrap();
    assert_eq!(in_parts.e_tag(), Some(format!("\"{}\"", object.etag).as_str()));
    assert!(object.etag.ends_with("-4"), "{object:?}");

    let (content_type, filename) = ("video/mp4".parse().unwrap(), "é.mp4".parse().unwrap());
    let publish = buckets.media.publish(&buckets.ingest, &buckets.key, &version, &content_type, &filename);
    assert_eq!(publish.await.unwrap().key, object.key);
    let at_once = head().await.unwrap();
    assert_ne!(at_once.e_tag(), in_parts.e_tag());
    assert_eq!(at_once.content_type(), in_parts.content_type());
    assert_eq!(at_once.cache_control(), in_parts.cache_control());
    assert_eq!(at_once.content_disposition(), in_parts.content_disposition());
    assert_eq!(at_once.content_length(), in_parts.content_length());
}

#[tokio::test]
async fn a_copy_goes_on_where_a_run_stopped() {
    let buckets = Buckets::start().await;
    let version = buckets.put_source(source()).await;
    let id = buckets.begin_copy().await;
    let past = Instant::now();
    let nothing = buckets.copy_parts(&version, &id, past).await.unwrap();
    assert_eq!(nothing, CopyProgress::NotYet { copied: 0, of: 4 });

    // Of parts 1 to 4, two are held up.
    let slow = std::iter::repeat_n(Answer::Delay(Duration::from_hours(1)), 2);
    let slow = buckets.answer("UploadPartCopy", slow);
    let until = Instant::now() + Duration::from_secs(2);
    let CopyProgress::NotYet { copied, of: 4 } = buckets.copy_parts(&version, &id, until).await.unwrap()
    else {
        panic!("published, though two parts cannot have been copied");
    };
    drop(slow);
    assert!((1..=2).contains(&copied), "{copied}");
    let copied_before = buckets.count("UploadPartCopy");
    let object = done(buckets.copy_parts(&version, &id, later()).await.unwrap());
    assert!(buckets.published(&object).await == source());
    let copied_now = buckets.count("UploadPartCopy") - copied_before;
    assert!(copied_now <= 4 - usize::from(copied), "{copied_now} after {copied}");
}

#[tokio::test]
async fn a_part_of_another_length_is_copied_again() {
    let buckets = Buckets::start().await;
    let version = buckets.put_source(source()).await;
    let id = buckets.begin_copy().await;
    let s3 = crate::multipart::without_checksum(&buckets.local.operator_s3());
    for number in [2, 9] {
        let part = s3.upload_part().bucket(MEDIA).key(format!("media/{}/source", buckets.key.media_id));
        part.upload_id(&id).part_number(number).body(b"other".to_vec().into()).send().await.unwrap();
    }
    let object = done(buckets.copy_parts(&version, &id, later()).await.unwrap());
    assert!(buckets.published(&object).await == source());
}

#[tokio::test]
async fn a_file_whose_copy_has_ended_is_published_or_its_copy_is_gone() {
    let buckets = Buckets::start().await;
    let version = buckets.put_source(source()).await;
    let id = buckets.begin_copy().await;
    for _ in 0..2 {
        buckets.media.abort_copy(buckets.key.media_id, &id).await.unwrap();
    }
    assert_eq!(buckets.copy_parts(&version, &id, later()).await.unwrap(), CopyProgress::Gone);

    let id = buckets.begin_copy().await;
    let lost = buckets.answer("CompleteMultipartUpload", [Answer::DropAnswer]);
    let object = done(buckets.copy_parts(&version, &id, later()).await.unwrap());
    drop(lost);
    assert_eq!(done(buckets.copy_parts(&version, &id, later()).await.unwrap()), object);

    // Something else under the key is not the file.
    buckets.local.operator_s3().put_object().bucket(MEDIA).key(&object.key).send().await.unwrap();
    assert_eq!(buckets.copy_parts(&version, &id, later()).await.unwrap(), CopyProgress::Gone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_at_once_publish_one_object() {
    let buckets = Buckets::start().await;
    let version = buckets.put_source(source()).await;
    let id = buckets.begin_copy().await;
    let run = || buckets.copy_parts(&version, &id, later());
    let (one, other) = tokio::join!(run(), run());
    let objects = [done(one.unwrap()), done(other.unwrap())];
    assert_eq!(objects[0], objects[1]);
    assert!(buckets.published(&objects[0]).await == source());
    // Under the latest version there is no other.
    let s3 = buckets.local.operator_s3();
    let head = s3.head_object().bucket(MEDIA).key(&objects[0].key).send().await.unwrap();
    let delete = s3.delete_object().bucket(MEDIA).key(&objects[0].key).version_id(head.version_id().unwrap());
    delete.send().await.unwrap();
    assert_eq!(body(&s3, MEDIA, &objects[0].key).await, None);
}

#[tokio::test]
async fn parts_outlive_a_complete_that_failed_or_came_too_late() {
    let buckets = Buckets::start().await;
    let version = buckets.put_source(source()).await;
    let id = buckets.begin_copy().await;
    let failing = std::iter::repeat_n(error(200, "InternalError"), 9);
    let failing = buckets.answer("CompleteMultipartUpload", failing);
    let failed = buckets.copy_parts(&version, &id, later()).await.unwrap_err();
    assert!(matches!(failed, BucketError::Unavailable { .. }), "{failed}");
    drop(failing);
    let too_late = buckets.copy_parts(&version, &id, Instant::now()).await.unwrap();
    assert_eq!(too_late, CopyProgress::NotYet { copied: 4, of: 4 });
    done(buckets.copy_parts(&version, &id, later()).await.unwrap());
    assert_eq!(buckets.count("UploadPartCopy"), 4);
}

#[tokio::test]
async fn another_version_than_the_accepted_one_is_never_published() {
    let buckets = Buckets::start().await;
    let version = buckets.put_source(source()).await;
    let other = ObjectVersion { etag: "0123".to_owned(), ..version.clone() };
    let id = buckets.begin_copy().await;
    let refused = buckets.copy_parts(&other, &id, later()).await.unwrap_err();
    assert!(matches!(refused, BucketError::Refused { .. }), "{refused}");
    buckets.ingest.delete_version(&buckets.key, &version).await.unwrap();
    let missing = buckets.copy_parts(&version, &id, later()).await.unwrap_err();
    assert!(matches!(missing, BucketError::Missing { .. }), "{missing}");
    assert_eq!(buckets.count("UploadPartCopy"), 0);
}
