//! From parts to an object, and what is wrong with them.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedPart;
use local::aws::Answer;
use serde_json::{Value, json};

use super::{MINIMUM_PART_BYTES, Upload, big, files, list, listed, without_checksum};
use crate::support::{INGEST, Local, MEDIA, QUEUE_ARN, Refused, body, send};

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

/// As a browser uploads: by URLs, one for each part, which are bound to the part's number and length.
#[tokio::test]
async fn a_part_comes_by_a_presigned_url() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let part = without_checksum(&s3).upload_part().bucket(MEDIA).key("a").upload_id(&upload.id);
    let part = part.part_number(1).content_length(3);
    let url = part.presigned(PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()).await.unwrap();
    let longer = local.send_presigned(&url, &[("content-length", "4")], b"four").await;
    assert_eq!((longer.status.as_u16(), longer.code().as_str()), (403, "SignatureDoesNotMatch"));
    let other = url.uri().replace("partNumber=1", "partNumber=2");
    let other = send(http::Method::PUT, &other, &[], b"one").await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (403, "SignatureDoesNotMatch"));
    let answer = local.send_presigned(&url, &[], b"one").await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let e_tag = answer.header("etag").unwrap();
    upload.complete(&[listed(1, e_tag)]).await.unwrap();
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
async fn completing_can_be_asked_again_when_the_answer_got_lost() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let parts = [upload.part(1, "one").await];
    let complete = || {
        let request = s3.complete_multipart_upload().bucket(MEDIA).key("a").upload_id(&upload.id);
        request.if_none_match("*").multipart_upload(list(&parts)).send()
    };
    let cut = local
        .aws
        .calls()
        .intercept(|attempt| (attempt.operation == "CompleteMultipartUpload").then_some(Answer::DropAnswer));
    assert!(complete().await.unwrap_err().as_service_error().is_none(), "no answer at all");
    drop(cut);
    let stored = s3.head_object().bucket(MEDIA).key("a").send().await.unwrap();
    assert_eq!(complete().await.unwrap().e_tag(), stored.e_tag());
    let calls = local.aws.calls().since(0);
    let completes: Vec<_> = calls.iter().filter(|call| call.operation == "CompleteMultipartUpload").collect();
    let put = ("s3:PutObject".to_owned(), "arn:aws:s3:::stack-media/a".to_owned());
    assert_eq!(completes.iter().map(|call| call.outcome.status).collect::<Vec<_>>(), [0, 200]);
    assert_eq!(completes[0].actions, [put]);
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
        let refused =
            |result: Result<CompleteMultipartUploadOutput, _>| Refused::of(result.unwrap_err()).code;
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
    // The creation date is that of the beginning, so it has to be another one than now.
    while SystemTime::now() < SystemTime::try_from(initiated).unwrap() + Duration::from_millis(1100) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
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
