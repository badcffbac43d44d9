//! Checksums of multipart uploads, after "Checking object integrity for data uploads in Amazon S3".

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedPart};
use http::StatusCode;

use super::{Client, MINIMUM_PART_BYTES, Upload, list, listed, without_checksum};
use crate::support::{Local, MEDIA};

/// Of 5 MiB of `A` and of `tail`; then the object's of both types.
struct Row {
    algorithm: ChecksumAlgorithm,
    parts: [&'static str; 2],
    composite: Option<&'static str>,
    full_object: Option<&'static str>,
}

const fn row(
    algorithm: ChecksumAlgorithm,
    parts: [&'static str; 2],
    composite: Option<&'static str>,
    full_object: Option<&'static str>,
) -> Row {
    Row { algorithm, parts, composite, full_object }
}

/// Computed in Python, by `zlib`, `hashlib` and CRCs written out bit by bit.
const ROWS: [Row; 5] = [
    row(ChecksumAlgorithm::Crc32, ["JRTCyQ==", "fDe0XQ=="], Some("ar6UVw==-2"), Some("gPNU7Q==")),
    row(ChecksumAlgorithm::Crc32C, ["MDaLrw==", "B21LrQ=="], Some("9nmlxg==-2"), Some("LZbOwA==")),
    row(ChecksumAlgorithm::Crc64Nvme, ["L/E4WYn8v98=", "sAra2CkCEgw="], None, Some("UpfGsWmSCEg=")),
    row(
        ChecksumAlgorithm::Sha1,
        ["iIaTCGbm+vdVjNqIMF2S0T7ibMk=", "+/XyoodbO7Zbjjsj5swB1YyjBEc="],
        Some("l89BPfYtRdlTXZSsCsWMB0Elnjg=-2"),
        None,
    ),
    row(
        ChecksumAlgorithm::Sha256,
        ["275VF5loJr1YYawit0XSHREhkFXYkkPKGuoK0x9VKxI=", "DGL4du8d6oMN6fMsL0tG3W101Q0ViW4J71ovzUrH4dc="],
        Some("2kYaKgwMh4G97NB7sxufv13cvQqUqNgjK75WsW6s16Q=-2"),
        None,
    ),
];

fn part(algorithm: &ChecksumAlgorithm, number: i32, e_tag: &str, checksum: Option<&str>) -> CompletedPart {
    let part = CompletedPart::builder().part_number(number).e_tag(e_tag);
    let checksum = checksum.map(str::to_owned);
    match algorithm {
        ChecksumAlgorithm::Crc32 => part.set_checksum_crc32(checksum),
        ChecksumAlgorithm::Crc32C => part.set_checksum_crc32_c(checksum),
        ChecksumAlgorithm::Crc64Nvme => part.set_checksum_crc64_nvme(checksum),
        ChecksumAlgorithm::Sha1 => part.set_checksum_sha1(checksum),
        _ => part.set_checksum_sha256(checksum),
    }
    .build()
}

/// The value of an algorithm in anything that has all of them.
macro_rules! value {
    ($answer:expr, $algorithm:expr) => {
        match $algorithm {
            ChecksumAlgorithm::Crc32 => $answer.checksum_crc32(),
            ChecksumAlgorithm::Crc32C => $answer.checksum_crc32_c(),
            ChecksumAlgorithm::Crc64Nvme => $answer.checksum_crc64_nvme(),
            ChecksumAlgorithm::Sha1 => $answer.checksum_sha1(),
            _ => $answer.checksum_sha256(),
        }
    };
}

async fn begin(s3: &Client, algorithm: &ChecksumAlgorithm, checksum_type: Option<ChecksumType>) -> Upload {
    let begin = s3.create_multipart_upload().bucket(MEDIA).key("a").checksum_algorithm(algorithm.clone());
    let created = begin.set_checksum_type(checksum_type.clone()).send().await.unwrap();
    assert_eq!(created.checksum_algorithm(), Some(algorithm));
    if checksum_type.is_some() {
        assert_eq!(created.checksum_type(), checksum_type.as_ref());
    }
    Upload { s3: s3.clone(), bucket: MEDIA, key: "a".to_owned(), id: created.upload_id.unwrap() }
}

/// Uploads both parts, the SDK computing what goes into the trailer.
async fn upload_parts(upload: &Upload, row: &Row) -> Vec<CompletedPart> {
    let mut parts = Vec::new();
    for (number, body) in [(1, vec![b'A'; MINIMUM_PART_BYTES]), (2, b"tail".to_vec())] {
        let request =
            upload.s3.upload_part().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(number);
        let request = request.checksum_algorithm(row.algorithm.clone()).body(ByteStream::from(body));
        let uploaded = request.send().await.unwrap();
        let checksum = value!(uploaded, row.algorithm);
        assert_eq!(checksum, Some(row.parts[usize::try_from(number - 1).unwrap()]));
        parts.push(part(&row.algorithm, number, uploaded.e_tag().unwrap(), checksum));
    }
    parts
}

#[tokio::test]
async fn each_algorithm_gives_the_checksums_of_its_types() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    for row in &ROWS {
        for (checksum_type, expected) in
            [(ChecksumType::Composite, row.composite), (ChecksumType::FullObject, row.full_object)]
        {
            let Some(expected) = expected else {
                let begin = s3.create_multipart_upload().bucket(MEDIA).key("a");
                let begin = begin.checksum_algorithm(row.algorithm.clone()).checksum_type(checksum_type);
                assert_eq!(begin.send().await.unwrap_err().code(), Some("InvalidRequest"));
                continue;
            };
            let upload = begin(&s3, &row.algorithm, Some(checksum_type.clone())).await;
            let parts = upload_parts(&upload, row).await;
            let seen = s3.list_parts().bucket(MEDIA).key("a").upload_id(&upload.id).send().await.unwrap();
            assert_eq!(seen.checksum_algorithm(), Some(&row.algorithm));
            assert_eq!(seen.checksum_type(), Some(&checksum_type));
            let of_parts: Vec<_> =
                seen.parts().iter().map(|part| value!(part, row.algorithm).unwrap()).collect();
            assert_eq!(of_parts, row.parts);
            let uploads = s3.list_multipart_uploads().bucket(MEDIA).send().await.unwrap();
            assert_eq!(uploads.uploads()[0].checksum_type(), Some(&checksum_type));

            let created = upload.complete(&parts).await.unwrap();
            assert_eq!(value!(created, row.algorithm), Some(expected), "{} {checksum_type}", row.algorithm);
            assert_eq!(created.checksum_type(), Some(&checksum_type));
            let head = |number: Option<i32>, mode: Option<ChecksumMode>| {
                let head = s3.head_object().bucket(MEDIA).key("a").set_part_number(number);
                head.set_checksum_mode(mode).send()
            };
            let whole = head(None, Some(ChecksumMode::Enabled)).await.unwrap();
            assert_eq!(value!(whole, row.algorithm), Some(expected));
            assert_eq!(whole.checksum_type(), Some(&checksum_type));
            let unasked = head(None, None).await.unwrap();
            assert_eq!(value!(unasked, row.algorithm), None);
            let second = head(Some(2), Some(ChecksumMode::Enabled)).await.unwrap();
            assert_eq!(value!(second, row.algorithm), Some(row.parts[1]));
        }
    }
}

#[tokio::test]
async fn what_is_declared_has_to_be_possible() {
    let local = Local::start().await;
    let s3 = without_checksum(&local.operator_s3());
    let begin = || s3.create_multipart_upload().bucket(MEDIA).key("a");
    for refused in [
        begin().checksum_type(ChecksumType::FullObject),
        begin().checksum_type(ChecksumType::Composite),
        begin().checksum_algorithm(ChecksumAlgorithm::Crc32).checksum_type(ChecksumType::from("PARTS")),
        begin().checksum_algorithm(ChecksumAlgorithm::from("MD4")),
    ] {
        assert_eq!(refused.send().await.unwrap_err().code(), Some("InvalidRequest"));
    }
    let created = begin().checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await.unwrap();
    assert_eq!(created.checksum_type(), Some(&ChecksumType::FullObject));
    let created = begin().checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap();
    assert_eq!(created.checksum_type(), Some(&ChecksumType::Composite));
    assert_eq!(begin().send().await.unwrap().checksum_algorithm(), None);
}

#[tokio::test]
async fn a_declared_algorithm_is_needed_with_every_part() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = begin(&s3, &ChecksumAlgorithm::Sha256, None).await;
    // As a browser would do it: a presigned part and no checksum.
    let bare =
        without_checksum(&s3).upload_part().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(1);
    let bare = bare.presigned(PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()).await.unwrap();
    let answer = local.send_presigned(&bare, &[], b"one").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "InvalidRequest".to_owned()));
    assert!(
        answer.text().contains("expected checksum Type: sha256, actual checksum Type: null"),
        "{}",
        answer.text()
    );
    let part = || {
        let part = s3.upload_part().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(1);
        part.body(ByteStream::from_static(b"one"))
    };
    let other = part().checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap_err();
    assert_eq!(other.code(), Some("InvalidRequest"));
    let wrong = part().checksum_sha256("uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=").send().await;
    assert_eq!(wrong.unwrap_err().code(), Some("BadDigest"));
    assert_eq!(upload.parts().await.unwrap(), []);
    part().checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
}

/// As a browser may upload by presigned URLs: S3 computes what the parts' checksums add up to.
#[tokio::test]
async fn parts_of_a_full_object_checksum_may_come_without_one() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    for row in ROWS.iter().filter(|row| row.full_object.is_some()) {
        let upload = begin(&s3, &row.algorithm, Some(ChecksumType::FullObject)).await;
        let parts = [upload.part(1, vec![b'A'; MINIMUM_PART_BYTES]).await, upload.part(2, "tail").await];
        let seen = s3.list_parts().bucket(MEDIA).key("a").upload_id(&upload.id).send().await.unwrap();
        let of_parts: Vec<_> = seen.parts().iter().map(|part| value!(part, row.algorithm).unwrap()).collect();
        assert_eq!(of_parts, row.parts);
        let other = s3.upload_part().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(2);
        let other = other.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap_err();
        assert_eq!(other.code(), Some("InvalidRequest"));
        let created = upload.complete(&parts).await.unwrap();
        assert_eq!(value!(created, row.algorithm), row.full_object, "{}", row.algorithm);
    }
}

#[tokio::test]
async fn without_an_algorithm_a_part_may_still_declare_its_own() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let part = || {
        let part = s3.upload_part().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(1);
        part.body(ByteStream::from_static(b"hello world"))
    };
    let wrong = part().checksum_crc32("AAAAAA==").send().await.unwrap_err();
    assert_eq!(wrong.code(), Some("BadDigest"));
    let uploaded = part().checksum_crc32("DUoRhQ==").send().await.unwrap();
    let seen = s3.list_parts().bucket(MEDIA).key("a").upload_id(&upload.id).send().await.unwrap();
    assert_eq!(seen.parts()[0].checksum_crc32().or(seen.parts()[0].checksum_crc64_nvme()), None);
    let with_checksum = CompletedPart::builder().part_number(1).e_tag(uploaded.e_tag().unwrap());
    let with_checksum = with_checksum.checksum_crc32("DUoRhQ==").build();
    assert_eq!(upload.complete(&[with_checksum]).await.unwrap_err(), "InvalidPart");
    let created = upload.complete(&[listed(1, uploaded.e_tag().unwrap())]).await.unwrap();
    assert_eq!((created.checksum_crc32(), created.checksum_crc64_nvme()), (None, Some("jSnVw/bqjr4=")));
    assert_eq!(created.checksum_type(), Some(&ChecksumType::FullObject));
}

#[tokio::test]
async fn checksums_that_completing_names_are_compared() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let [_, _, _, _, row] = &ROWS;
    let upload = begin(&s3, &row.algorithm, None).await;
    let parts = upload_parts(&upload, row).await;
    let e_tags: Vec<&str> = parts.iter().map(|part| part.e_tag().unwrap()).collect();
    let complete = |parts: &[CompletedPart]| {
        let request = s3.complete_multipart_upload().bucket(MEDIA).key("a").upload_id(&upload.id);
        request.multipart_upload(list(parts))
    };
    let without = [parts[0].clone(), listed(2, e_tags[1])];
    let wrong = [parts[0].clone(), part(&row.algorithm, 2, e_tags[1], Some(row.parts[0]))];
    let other = [parts[0].clone(), part(&ChecksumAlgorithm::Crc32, 2, e_tags[1], Some("AAAAAA=="))];
    for (request, code) in [
        (complete(&without), "InvalidRequest"),
        (complete(&wrong), "InvalidPart"),
        (complete(&other), "BadDigest"),
        (complete(&parts).checksum_sha256(row.parts[0]), "BadDigest"),
        (complete(&parts).checksum_crc32("AAAAAA=="), "InvalidRequest"),
        (complete(&parts).checksum_type(ChecksumType::FullObject), "InvalidRequest"),
        // With composite checksums parts are numbered without gaps.
        (complete(&parts[1..]), "InternalError"),
    ] {
        assert_eq!(request.clone().send().await.unwrap_err().code(), Some(code), "{request:?}");
    }
    let request = complete(&parts).checksum_type(ChecksumType::Composite);
    request.checksum_sha256(row.composite.unwrap()).send().await.unwrap();

    // Where nothing was declared, S3's own CRC64NVME can be named.
    let upload = Upload::begin(&s3, MEDIA, "b").await;
    let parts = [upload.part(1, "hello world").await];
    let complete = |crc: &str| {
        let request = s3.complete_multipart_upload().bucket(MEDIA).key("b").upload_id(&upload.id);
        request.multipart_upload(list(&parts)).checksum_crc64_nvme(crc).send()
    };
    assert_eq!(complete("AAAAAAAAAAA=").await.unwrap_err().code(), Some("BadDigest"));
    complete("jSnVw/bqjr4=").await.unwrap();
}

#[tokio::test]
async fn a_copied_part_has_the_uploads_checksum() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let put = s3.put_object().bucket(MEDIA).key("source").body(ByteStream::from_static(b"hello world"));
    put.send().await.unwrap();
    let upload = begin(&s3, &ChecksumAlgorithm::Sha256, None).await;
    let copy = s3.upload_part_copy().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(1);
    let copied = copy.copy_source(format!("{MEDIA}/source")).send().await.unwrap();
    let sha256 = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=";
    assert_eq!(copied.copy_part_result().unwrap().checksum_sha256(), Some(sha256));
    let e_tag = copied.copy_part_result().unwrap().e_tag().unwrap();
    upload.complete(&[part(&ChecksumAlgorithm::Sha256, 1, e_tag, Some(sha256))]).await.unwrap();
    // The copy of the object is in one piece, and so is its checksum.
    let copied =
        s3.copy_object().bucket(MEDIA).key("copy").copy_source(format!("{MEDIA}/a")).send().await.unwrap();
    let copied = copied.copy_object_result().unwrap();
    assert_eq!(
        (copied.checksum_sha256(), copied.checksum_type()),
        (Some(sha256), Some(&ChecksumType::FullObject))
    );
}
