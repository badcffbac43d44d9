//! `UploadPartCopy`, and copies of objects that came in parts.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;

use super::{MINIMUM_PART_BYTES, Upload, big, files, listed};
use crate::support::{INGEST, Local, MEDIA, body};

#[tokio::test]
async fn a_copied_object_is_in_one_piece() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let parts = [upload.part(1, big(b'a')).await, upload.part(2, "b").await];
    upload.complete(&parts).await.unwrap();
    let copy =
        s3.copy_object().bucket(MEDIA).key("copy").copy_source(format!("{MEDIA}/a")).send().await.unwrap();
    let whole = [big(b'a'), b"b".to_vec()].concat();
    let put =
        s3.put_object().bucket(MEDIA).key("put").body(ByteStream::from(whole.clone())).send().await.unwrap();
    assert_eq!(copy.copy_object_result().unwrap().e_tag(), put.e_tag());
    s3.delete_object().bucket(MEDIA).key("a").send().await.unwrap();
    assert_eq!(body(&s3, MEDIA, "copy").await.unwrap(), whole);
    let head = s3.head_object().bucket(MEDIA).key("copy").part_number(1).send().await.unwrap();
    assert_eq!((head.parts_count(), head.e_tag()), (None, put.e_tag()));
    s3.delete_object().bucket(MEDIA).key("copy").send().await.unwrap();
    assert_eq!(files(&local), 1);
}

#[tokio::test]
async fn parts_are_copied_from_objects_and_ranges_of_them() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let source = Upload::begin(&s3, INGEST, "the source").await;
    let parts = [source.part(1, big(b'a')).await, source.part(2, b"0123456789".to_vec()).await];
    let source = source.complete(&parts).await.unwrap();
    let version = source.version_id().unwrap();
    s3.put_object().bucket(INGEST).key("the source").send().await.unwrap();

    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let copy = |number: i32, range: Option<String>| {
        let copy = s3.upload_part_copy().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(number);
        copy.copy_source(format!("{INGEST}/the%20source?versionId={version}")).set_copy_source_range(range)
    };
    let mut parts = Vec::new();
    let border = MINIMUM_PART_BYTES;
    for (number, range) in [
        (1, None),
        (2, Some(format!("bytes=1-{border}"))),
        (3, Some(format!("bytes={}-{}", border + 3, border + 5))),
    ] {
        let copied = copy(number, range).send().await.unwrap();
        assert_eq!(copied.copy_source_version_id(), Some(version));
        parts.push(listed(number, copied.copy_part_result().unwrap().e_tag().unwrap()));
    }
    let same = upload.part(4, "345").await;
    assert_eq!(parts[2].e_tag(), same.e_tag(), "a part's entity tag is its MD5, however it came");

    for range in ["0-2", "bytes=0", "bytes=-2", "bytes=2-", "bytes=5-2"] {
        let refused = copy(5, Some(range.to_owned())).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidArgument"), "{range}");
    }
    let outside = copy(5, Some(format!("bytes=0-{}", border + 10))).send().await.unwrap_err();
    assert_eq!(outside.code(), Some("InvalidArgument"));
    let refused = copy(5, None).copy_source_if_match("\"other\"").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("PreconditionFailed"));
    copy(5, None).copy_source_if_match(source.e_tag().unwrap()).send().await.unwrap();
    let missing = copy(5, None).copy_source(format!("{INGEST}/missing")).send().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchKey"));

    s3.delete_object().bucket(INGEST).key("the source").version_id(version).send().await.unwrap();
    upload.complete(&parts).await.unwrap();
    let whole = [big(b'a'), b"0123456789".to_vec()].concat();
    let expected = [&whole[..], &whole[1..=border], b"345"].concat();
    assert!(body(&s3, MEDIA, "a").await.unwrap() == expected);
    s3.delete_object().bucket(MEDIA).key("a").send().await.unwrap();
    assert_eq!(files(&local), 1, "the source's other version");
}
