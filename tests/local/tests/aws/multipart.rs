//! Multipart uploads, after the API reference of each operation and "Amazon S3 multipart upload limits".

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use serde_json::{Value, json};

use crate::support::{INGEST, Local, MEDIA, QUEUE_ARN, function, policy, stack};

pub(crate) type Client = aws_sdk_s3::Client;

/// The least that a part may have which is not the last.
pub(crate) const MINIMUM_PART_BYTES: usize = 5 * 1024 * 1024;

/// An upload under way. Nothing is declared about checksums, as in uploads by presigned URLs.
pub(crate) struct Upload {
    pub(crate) s3: Client,
    pub(crate) bucket: &'static str,
    pub(crate) key: String,
    pub(crate) id: String,
}

impl Upload {
    pub(crate) async fn begin(s3: &Client, bucket: &'static str, key: &str) -> Upload {
        let created = without_checksum(s3).create_multipart_upload().bucket(bucket).key(key).send();
        let id = created.await.unwrap().upload_id.unwrap();
        Upload { s3: s3.clone(), bucket, key: key.to_owned(), id }
    }

    pub(crate) async fn part(&self, number: i32, body: impl Into<Vec<u8>>) -> CompletedPart {
        let e_tag = self.try_part(number, body.into()).await.unwrap();
        listed(number, &e_tag)
    }

    /// The entity tag, or the code of the error.
    pub(crate) async fn try_part(&self, number: i32, body: Vec<u8>) -> Result<String, String> {
        let part = without_checksum(&self.s3).upload_part().bucket(self.bucket).key(&self.key);
        let part = part.upload_id(&self.id).part_number(number).body(ByteStream::from(body)).send();
        part.await.map(|part| part.e_tag.unwrap()).map_err(|error| error.code().unwrap().to_owned())
    }

    pub(crate) async fn complete(
        &self,
        parts: &[CompletedPart],
    ) -> Result<CompleteMultipartUploadOutput, String> {
        let complete = self.s3.complete_multipart_upload().bucket(self.bucket).key(&self.key);
        let complete = complete.upload_id(&self.id).multipart_upload(list(parts)).send();
        complete.await.map_err(|error| error.code().unwrap().to_owned())
    }

    pub(crate) async fn abort(&self) -> Result<(), String> {
        let abort = self.s3.abort_multipart_upload().bucket(self.bucket).key(&self.key).upload_id(&self.id);
        abort.send().await.map(|_| ()).map_err(|error| error.code().unwrap().to_owned())
    }

    /// Numbers and entity tags of the parts that are there.
    pub(crate) async fn parts(&self) -> Result<Vec<(i32, String)>, String> {
        let parts = self.s3.list_parts().bucket(self.bucket).key(&self.key).upload_id(&self.id).send();
        let parts = parts.await.map_err(|error| error.code().unwrap().to_owned())?;
        let parts = parts.parts().iter();
        Ok(parts.map(|part| (part.part_number().unwrap(), part.e_tag().unwrap().to_owned())).collect())
    }
}

/// The SDK declares CRC32 of its own accord unless it is told not to.
pub(crate) fn without_checksum(s3: &Client) -> Client {
    let config = s3
        .config()
        .to_builder()
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .build();
    Client::from_conf(config)
}

pub(crate) fn listed(number: i32, e_tag: &str) -> CompletedPart {
    CompletedPart::builder().part_number(number).e_tag(e_tag).build()
}

pub(crate) fn list(parts: &[CompletedPart]) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build()
}

pub(crate) async fn body(s3: &Client, bucket: &str, key: &str) -> Option<Vec<u8>> {
    match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => Some(object.body.collect().await.unwrap().to_vec()),
        Err(error) => {
            assert_eq!(error.code(), Some("NoSuchKey"));
            None
        }
    }
}

pub(crate) fn files(local: &Local) -> usize {
    std::fs::read_dir(local.directory.path().join("objects")).unwrap().count()
}

fn big(byte: u8) -> Vec<u8> {
    vec![byte; MINIMUM_PART_BYTES]
}

#[tokio::test]
async fn parts_become_one_object() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, INGEST, "uploads/a b").await;
    let first = upload.part(1, big(b'a')).await;
    upload.part(2, b"never listed".to_vec()).await;
    upload.part(9, b"replaced".to_vec()).await;
    let last = upload.part(9, b"tail".to_vec()).await;
    assert_eq!(body(&s3, INGEST, "uploads/a b").await, None, "not visible before it is complete");
    let created = upload.complete(&[first, last]).await.unwrap();

    // The MD5 of the parts' MD5s; CRC64NVME of all bytes, which S3 computes by itself.
    let e_tag = "\"30dcfd3901d1c613b7fb532281748544-2\"";
    assert_eq!(created.e_tag(), Some(e_tag));
    assert_eq!(created.location(), Some(format!("{}/{INGEST}/uploads%2Fa%20b", local.url()).as_str()));
    let whole = [big(b'a'), b"tail".to_vec()].concat();
    assert_eq!(body(&s3, INGEST, "uploads/a b").await.unwrap(), whole);
    let s3_put = s3.put_object().bucket(MEDIA).key("same").body(ByteStream::from(whole));
    let same =
        s3_put.checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Crc64Nvme).send().await.unwrap();
    assert_eq!(created.checksum_crc64_nvme(), same.checksum_crc64_nvme());
    assert!(created.checksum_crc64_nvme().is_some());
    assert_eq!(files(&local), 3, "one for each part of the object, and one of the other");

    let head = s3.head_object().bucket(INGEST).key("uploads/a b").send().await.unwrap();
    assert_eq!((head.e_tag(), head.version_id()), (Some(e_tag), created.version_id()));
    let messages = local.aws.queues().receive(QUEUE_ARN, 10, None).unwrap();
    assert_eq!(messages.len(), 1);
    let record = &serde_json::from_str::<Value>(&messages[0].body).unwrap()["Records"][0];
    assert_eq!(record["eventName"], "ObjectCreated:CompleteMultipartUpload");
    assert_eq!(record["s3"]["object"]["key"], "uploads/a+b");
    assert_eq!(record["s3"]["object"]["size"], json!(MINIMUM_PART_BYTES + 4));
    assert_eq!(record["s3"]["object"]["eTag"], e_tag.trim_matches('"'));
    assert_eq!(record["s3"]["object"]["versionId"].as_str(), created.version_id());
}

#[tokio::test]
async fn an_object_in_parts_is_read_across_their_borders_and_by_part() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let parts =
        [upload.part(3, big(b'a')).await, upload.part(5, big(b'b')).await, upload.part(7, "ccc").await];
    upload.complete(&parts).await.unwrap();
    let size = 2 * MINIMUM_PART_BYTES + 3;
    let border = MINIMUM_PART_BYTES;
    for (range, expected) in [
        (format!("bytes={}-{}", border - 2, border + 1), b"aabb".to_vec()),
        (format!("bytes={}-", 2 * border - 1), b"bccc".to_vec()),
        ("bytes=-2".to_owned(), b"cc".to_vec()),
        (format!("bytes={}-{}", border - 1, 2 * border), [b"a".to_vec(), big(b'b'), b"c".to_vec()].concat()),
    ] {
        let answer = s3.get_object().bucket(MEDIA).key("a").range(&range).send().await.unwrap();
        assert_eq!(answer.body.collect().await.unwrap().to_vec(), expected, "{range}");
    }
    // Parts are numbered anew: 1 to 3.
    let get = |number: i32| s3.get_object().bucket(MEDIA).key("a").part_number(number).send();
    let second = get(2).await.unwrap();
    let range = format!("bytes {border}-{}/{size}", 2 * border - 1);
    assert_eq!((second.content_range(), second.parts_count()), (Some(range.as_str()), Some(3)));
    assert_eq!(second.body.collect().await.unwrap().to_vec(), big(b'b'));
    let head = s3.head_object().bucket(MEDIA).key("a").part_number(3).send().await.unwrap();
    assert_eq!((head.content_length(), head.parts_count()), (Some(3), Some(3)));
    let error = get(4).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidPartNumber"));
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 416);
    assert_eq!(get(0).await.unwrap_err().code(), Some("InvalidArgument"));
    let both = s3.get_object().bucket(MEDIA).key("a").part_number(1).range("bytes=0-1").send().await;
    assert_eq!(both.unwrap_err().code(), Some("InvalidRequest"));

    // What came in one request has one part.
    s3.put_object().bucket(MEDIA).key("b").body(ByteStream::from_static(b"xyz")).send().await.unwrap();
    let only = s3.get_object().bucket(MEDIA).key("b").part_number(1).send().await.unwrap();
    assert_eq!((only.content_range(), only.parts_count()), (Some("bytes 0-2/3"), None));
    let error = s3.head_object().bucket(MEDIA).key("b").part_number(2).send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 416);
}

#[tokio::test]
async fn the_list_of_parts_has_to_be_right() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let [one, two, three] =
        [upload.part(1, "one").await, upload.part(2, "two").await, upload.part(3, big(b'3')).await];
    let old = upload.part(4, "old").await;
    let new = upload.part(4, "new").await;
    let with_number = |number: i32| listed(number, one.e_tag().unwrap());
    let without_e_tag = CompletedPart::builder().part_number(1).build();
    for (parts, code) in [
        (vec![], "MalformedXML"),
        (vec![without_e_tag], "MalformedXML"),
        (vec![with_number(0)], "InvalidArgument"),
        (vec![with_number(7)], "InvalidPart"),
        (vec![with_number(10_001)], "InvalidPart"),
        (vec![listed(1, two.e_tag().unwrap())], "InvalidPart"),
        (vec![listed(1, "nonsense")], "InvalidPart"),
        (vec![old], "InvalidPart"),
        (vec![two.clone(), one.clone()], "InvalidPartOrder"),
        (vec![one.clone(), one.clone()], "InvalidPartOrder"),
        (vec![one.clone(), two.clone()], "EntityTooSmall"),
        (vec![three.clone(), one.clone()], "InvalidPartOrder"),
    ] {
        assert_eq!(upload.complete(&parts).await.unwrap_err(), code, "{parts:?}");
    }
    assert_eq!(upload.parts().await.unwrap().len(), 4, "a refused request changes nothing");
    assert_eq!(body(&s3, MEDIA, "a").await, None);
    upload.complete(&[three, new]).await.unwrap();
    assert_eq!(body(&s3, MEDIA, "a").await.unwrap(), [big(b'3'), b"new".to_vec()].concat());
    assert_eq!(files(&local), 2, "parts that were not listed are gone");
}

#[tokio::test]
async fn what_is_not_a_list_is_malformed() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let part = upload.part(1, "one").await;
    let one = part.e_tag().unwrap().trim_matches('"').to_owned();
    // The SDK writes no document that is wrong.
    let complete = |document: String| {
        let request = s3.complete_multipart_upload().bucket(MEDIA).key("a").upload_id(&upload.id);
        let request = request.customize().mutate_request(move |request| {
            request.headers_mut().insert("content-length", document.len().to_string());
            *request.body_mut() = document.clone().into();
        });
        request.send()
    };
    let part = |number: &str, e_tag: &str| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{e_tag}</ETag></Part>")
    };
    let document = |parts: &str| format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    for malformed in
        [String::new(), "no xml".to_owned(), document(&part("one", &one)), format!("<Parts>{one}</Parts>")]
    {
        let error = complete(malformed).await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 400);
        assert_eq!(error.code(), Some("MalformedXML"));
        assert!(error.message().unwrap().contains("well-formed"), "{error:?}");
    }
    // An entity tag may be without quotes.
    complete(document(&part("1", &one))).await.unwrap();
    assert_eq!(body(&s3, MEDIA, "a").await.unwrap(), b"one");
}

#[tokio::test]
async fn part_numbers_go_from_1_to_10_000() {
    let local = Local::start().await;
    let upload = Upload::begin(&local.operator_s3(), MEDIA, "a").await;
    for number in [0, -1, 10_001] {
        assert_eq!(upload.try_part(number, b"x".to_vec()).await.unwrap_err(), "InvalidArgument", "{number}");
    }
    let last = upload.part(10_000, "x").await;
    upload.complete(&[last]).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_is_not_there_is_named_so_by_every_operation() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    s3.put_object().bucket(MEDIA).key("source").send().await.unwrap();
    let aborted = Upload::begin(&s3, MEDIA, "a").await;
    aborted.part(1, "one").await;
    aborted.abort().await.unwrap();
    let other_key = Upload { key: "b".to_owned(), ..Upload::begin(&s3, MEDIA, "a").await };
    let other_bucket = Upload { bucket: INGEST, ..Upload::begin(&s3, MEDIA, "a").await };
    let unknown = Upload { s3: s3.clone(), bucket: MEDIA, key: "a".to_owned(), id: "unknown".to_owned() };
    let completed = Upload::begin(&s3, MEDIA, "c").await;
    let part = completed.part(1, "one").await;
    completed.complete(std::slice::from_ref(&part)).await.unwrap();
    for upload in [aborted, other_key, other_bucket, unknown, completed] {
        let no_such_upload = Err("NoSuchUpload".to_owned());
        assert_eq!(upload.try_part(1, b"x".to_vec()).await, no_such_upload);
        assert_eq!(upload.parts().await.map(|_| String::new()), no_such_upload);
        assert_eq!(upload.abort().await.map(|()| String::new()), no_such_upload);
        assert_eq!(upload.complete(&[listed(1, "\"abc\"")]).await.unwrap_err(), "NoSuchUpload");
        let copy = s3.upload_part_copy().bucket(upload.bucket).key(&upload.key).upload_id(&upload.id);
        let copy = copy.part_number(1).copy_source(format!("{MEDIA}/source")).send().await;
        assert_eq!(copy.unwrap_err().code(), Some("NoSuchUpload"));
    }
    let begin = s3.create_multipart_upload().bucket("no-such-bucket").key("a").send().await;
    assert_eq!(begin.unwrap_err().code(), Some("NoSuchBucket"));
}

#[tokio::test]
async fn completing_again_gives_the_same_answer_while_the_object_is_there() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, INGEST, "uploads/a").await;
    let (one, two) = (upload.part(1, "one").await, upload.part(2, "two").await);
    let complete = || {
        let request = s3.complete_multipart_upload().bucket(INGEST).key("uploads/a").upload_id(&upload.id);
        request.if_none_match("*").multipart_upload(list(std::slice::from_ref(&one))).send()
    };
    let first = complete().await.unwrap();
    let again = complete().await.unwrap();
    assert_eq!((again.e_tag(), again.version_id()), (first.e_tag(), first.version_id()));
    assert_eq!(upload.complete(&[two]).await.unwrap_err(), "NoSuchUpload");
    // A newer version does not take this one away.
    s3.put_object().bucket(INGEST).key("uploads/a").send().await.unwrap();
    assert_eq!(complete().await.unwrap().version_id(), first.version_id());
    let local = local.restart().await;
    let s3 = local.operator_s3();
    let upload = Upload { s3: s3.clone(), ..upload };
    upload.complete(std::slice::from_ref(&one)).await.unwrap();
    assert_eq!(local.aws.queues().receive(QUEUE_ARN, 10, None).unwrap().len(), 2, "announced once");
    let delete = s3.delete_object().bucket(INGEST).key("uploads/a").version_id(first.version_id().unwrap());
    delete.send().await.unwrap();
    assert_eq!(upload.complete(&[one]).await.unwrap_err(), "NoSuchUpload");
}

#[tokio::test]
async fn completing_is_conditional() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    for bucket in [MEDIA, INGEST] {
        let put = |key: &'static str| s3.put_object().bucket(bucket).key(key).send();
        let upload = Upload::begin(&s3, bucket, "a").await;
        let parts = [upload.part(1, "one").await];
        let complete = || {
            let request = s3.complete_multipart_upload().bucket(bucket).key("a").upload_id(&upload.id);
            request.multipart_upload(list(&parts))
        };
        let refused = |result: Result<CompleteMultipartUploadOutput, _>| code(result.unwrap_err()).unwrap();
        assert_eq!(refused(complete().if_match("\"abc\"").send().await), "NoSuchKey");
        assert_eq!(refused(complete().if_none_match("\"abc\"").send().await), "NotImplemented");
        let e_tag = put("a").await.unwrap().e_tag.unwrap();
        assert_eq!(refused(complete().if_none_match("*").send().await), "PreconditionFailed");
        assert_eq!(refused(complete().if_match("\"abc\"").send().await), "PreconditionFailed");
        // An object that was deleted meanwhile: S3 cannot tell what the condition was about.
        s3.delete_object().bucket(bucket).key("a").send().await.unwrap();
        let conflict = complete().if_none_match("*").send().await.unwrap_err();
        assert_eq!(conflict.raw_response().unwrap().status().as_u16(), 409);
        assert_eq!(conflict.code(), Some("ConditionalRequestConflict"));
        put("a").await.unwrap();
        complete().if_match(e_tag).send().await.unwrap();
        // A new upload begins afresh.
        s3.delete_object().bucket(bucket).key("a").send().await.unwrap();
        let upload = Upload::begin(&s3, bucket, "a").await;
        let part = upload.part(1, "one").await;
        let request = s3.complete_multipart_upload().bucket(bucket).key("a").upload_id(&upload.id);
        request.if_none_match("*").multipart_upload(list(&[part])).send().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_given_at_the_beginning_is_the_objects() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let begin = s3.create_multipart_upload().bucket(MEDIA).key("a").content_type("video/mp4");
    let begin = begin.cache_control("max-age=60").content_disposition("inline").metadata("k", "v");
    let id = begin.send().await.unwrap().upload_id.unwrap();
    let uploads = s3.list_multipart_uploads().bucket(MEDIA).send().await.unwrap();
    let initiated = *uploads.uploads()[0].initiated().unwrap();
    assert_eq!(uploads.uploads()[0].initiator().unwrap().id(), Some("arn:aws:iam::000000000000:user/local"));
    let part = s3.upload_part().bucket(MEDIA).key("a").upload_id(&id).part_number(1);
    let part = part.body(ByteStream::from_static(b"x")).send().await.unwrap();
    let part = listed(1, part.e_tag().unwrap());
    let complete = s3.complete_multipart_upload().bucket(MEDIA).key("a").upload_id(&id);
    complete.multipart_upload(list(&[part])).send().await.unwrap();
    let head = s3.head_object().bucket(MEDIA).key("a").send().await.unwrap();
    assert_eq!((head.content_type(), head.cache_control()), (Some("video/mp4"), Some("max-age=60")));
    assert_eq!((head.content_disposition(), head.metadata().unwrap()["k"].as_str()), (Some("inline"), "v"));
    assert_eq!(head.last_modified().unwrap().secs(), initiated.secs());

    let refused =
        s3.create_multipart_upload().bucket(MEDIA).key("a").tagging("a=b").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("NotImplemented"));
    assert!(refused.message().unwrap().contains("x-amz-tagging of CreateMultipartUpload"));
}

#[tokio::test]
async fn a_size_that_is_named_has_to_be_the_objects() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let parts = [upload.part(1, "one").await];
    let complete = |size: i64| {
        let request = s3.complete_multipart_upload().bucket(MEDIA).key("a").upload_id(&upload.id);
        request.multipart_upload(list(&parts)).mpu_object_size(size).send()
    };
    assert_eq!(complete(4).await.unwrap_err().code(), Some("InvalidRequest"));
    assert_eq!(complete(-1).await.unwrap_err().code(), Some("InvalidRequest"));
    complete(3).await.unwrap();
}

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

#[tokio::test]
async fn uploads_and_parts_outlive_a_restart() {
    let local = Local::start().await;
    let upload = Upload::begin(&local.operator_s3(), MEDIA, "a").await;
    let one = upload.part(1, big(b'a')).await;
    let local = local.restart().await;
    let upload = Upload { s3: local.operator_s3(), ..upload };
    assert_eq!(upload.parts().await.unwrap(), [(1, one.e_tag().unwrap().to_owned())]);
    let two = upload.part(2, "two").await;
    let local = local.restart().await;
    let upload = Upload { s3: local.operator_s3(), ..upload };
    upload.complete(&[one, two]).await.unwrap();
    let local = local.restart().await;
    assert_eq!(body(&local.operator_s3(), MEDIA, "a").await.unwrap().len(), MINIMUM_PART_BYTES + 3);
}

/// After "Required permissions for Amazon S3 API operations".
#[tokio::test]
async fn each_operation_needs_its_permission() {
    let (object, bucket) = ("arn:aws:s3:::stack-media/a", "arn:aws:s3:::stack-media");
    let all = [
        ("s3:PutObject", object),
        ("s3:GetObject", object),
        ("s3:AbortMultipartUpload", object),
        ("s3:ListMultipartUploadParts", object),
        ("s3:ListBucketMultipartUploads", bucket),
    ];
    // Each of these functions lacks one of the actions.
    let mut stack = stack();
    for (lacking, _) in all {
        let statements = all
            .iter()
            .filter(|(action, _)| *action != lacking)
            .map(|(action, resource)| json!({ "Effect": "Allow", "Action": action, "Resource": resource }));
        let name = lacking.replace("s3:", "Lacks");
        stack.functions.insert(name.clone(), function(&name, vec![policy(&name, statements.collect())]));
    }
    let local = Local::start_with(&stack).await;
    let operator = local.operator_s3();
    operator.put_object().bucket(MEDIA).key("a").send().await.unwrap();
    for (lacking, _) in all {
        let s3 = local.s3(&local.function(&lacking.replace("s3:", "Lacks")));
        let upload = Upload { s3: s3.clone(), ..Upload::begin(&operator, MEDIA, "a").await };
        let begin = s3.create_multipart_upload().bucket(MEDIA).key("a").send().await;
        let copy = s3.upload_part_copy().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(1);
        let copy = copy.copy_source(format!("{MEDIA}/a")).send().await;
        let uploads = s3.list_multipart_uploads().bucket(MEDIA).send().await;
        let operations: [(&str, Option<String>, &[&str]); 7] = [
            ("begin", begin.err().and_then(code), &["s3:PutObject"]),
            ("copy", copy.err().and_then(code), &["s3:PutObject", "s3:GetObject"]),
            ("part", upload.try_part(2, b"x".to_vec()).await.err(), &["s3:PutObject"]),
            ("parts", upload.parts().await.err(), &["s3:ListMultipartUploadParts"]),
            ("uploads", uploads.err().and_then(code), &["s3:ListBucketMultipartUploads"]),
            ("complete", upload.complete(&[listed(1, "\"abc\"")]).await.err(), &["s3:PutObject"]),
            ("abort", upload.abort().await.err(), &["s3:AbortMultipartUpload"]),
        ];
        for (operation, code, needed) in operations {
            let is_denied = code.as_deref() == Some("AccessDenied");
            assert_eq!(is_denied, needed.contains(&lacking), "{operation} without {lacking}: {code:?}");
        }
    }
}

fn code<E: ProvideErrorMetadata>(error: E) -> Option<String> {
    error.code().map(str::to_owned)
}

/// A policy can ask of requests that create an object what those before them cannot have: "Enforce conditional writes on
/// Amazon S3 buckets".
#[tokio::test]
async fn conditional_writes_can_be_enforced() {
    let mut stack = stack();
    let statement = json!([
        { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*",
          "Condition": { "Bool": { "s3:ObjectCreationOperation": "false" } } },
        { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*",
          "Condition": { "StringEquals": { "s3:if-none-match": "*" } } },
    ]);
    stack.functions.insert("Once".to_owned(), function("Once", vec![policy("Once", statement)]));
    let local = Local::start_with(&stack).await;
    let s3 = local.s3(&local.function("Once"));
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let parts = [upload.part(1, "one").await];
    assert_eq!(upload.complete(&parts).await.unwrap_err(), "AccessDenied");
    let complete = s3.complete_multipart_upload().bucket(MEDIA).key("a").upload_id(&upload.id);
    complete.if_none_match("*").multipart_upload(list(&parts)).send().await.unwrap();
    assert_eq!(s3.put_object().bucket(MEDIA).key("b").send().await.unwrap_err().code(), Some("AccessDenied"));
}
