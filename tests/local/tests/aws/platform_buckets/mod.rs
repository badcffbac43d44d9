//! The platform's own verbs on its buckets, each with the permissions that its documentation names, and no others.

mod ingest;
mod media;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_types::SdkConfig;
use buckets::{AssumedRole, IngestBucket, MediaBucket, Publishing, UploadSigner};
use domain::{
    DeclaredSize, ETag, MediaId, Slot, SourceKey, Timestamp, Upload, UploadId, UploadMethod, UploadState,
    UploadedPart, UserId,
};
use local::aws::{Answer, Interception};
use serde_json::json;

use crate::support::{
    INGEST, Local, MEDIA, REGION, UPLOAD_ROLE_ARN, function, http_client, policy, sdk, stack,
};

const MIB: u64 = 1024 * 1024;

/// The least that S3 takes as a part, and of what it copies ranges.
const PUBLISHING: Publishing = Publishing { single_copy_up_to_bytes: 6 * MIB, part_size_bytes: 5 * MIB };

/// A stack with both buckets, and the media's key in it.
struct Buckets {
    local: Local,
    ingest: IngestBucket,
    media: MediaBucket,
    key: SourceKey,
}

impl Buckets {
    async fn start() -> Buckets {
        let mut stack = stack();
        for bucket in &mut stack.buckets {
            bucket.versioned = true;
        }
        let (uploads, media) = ("arn:aws:s3:::stack-ingest/uploads/*", "arn:aws:s3:::stack-media/media/*");
        let statement = json!([
            { "Effect": "Allow", "Resource": uploads, "Action": [
                "s3:GetObjectVersion", "s3:GetObject", "s3:PutObject", "s3:ListMultipartUploadParts",
                "s3:AbortMultipartUpload", "s3:DeleteObjectVersion"] },
            { "Effect": "Allow", "Resource": media, "Action": [
                "s3:PutObject", "s3:ListMultipartUploadParts", "s3:GetObject", "s3:AbortMultipartUpload"] },
            { "Effect": "Allow", "Action": "s3:ListBucket",
              "Resource": ["arn:aws:s3:::stack-ingest", "arn:aws:s3:::stack-media"] },
            { "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": UPLOAD_ROLE_ARN },
        ]);
        stack
            .functions
            .insert("Platform".to_owned(), function("Platform", vec![policy("Platform", statement)]));
        let local = Local::start_with(&stack).await;
        let configuration = configuration(&local);
        Buckets {
            ingest: IngestBucket::new(&configuration, INGEST),
            media: MediaBucket::new(&configuration, MEDIA).with_publishing(PUBLISHING),
            key: SourceKey {
                media_id: "019a9f3e-7c00-7abc-8def-0123456789ab".parse::<MediaId>().unwrap(),
                slot: Slot::Source,
            },
            local,
        }
    }

    fn upload_signer(&self) -> UploadSigner {
        let configuration = configuration(&self.local);
        let role = AssumedRole::new(&configuration, UPLOAD_ROLE_ARN, "upload-1");
        UploadSigner::new(&configuration, role, INGEST)
    }

    /// An upload in parts of 5 MiB.
    fn upload(&self, s3_upload_id: &str, size_bytes: u64) -> Upload {
        let now = Timestamp::from(SystemTime::now());
        let nobody = "019a9f3e-7c00-7abc-8def-0123456789ac";
        Upload {
            id: nobody.parse::<UploadId>().unwrap(),
            media_id: self.key.media_id,
            owner_id: nobody.parse::<UserId>().unwrap(),
            slot: self.key.slot,
            method: UploadMethod::Multipart {
                s3_upload_id: s3_upload_id.to_owned(),
                part_size_bytes: 5 * MIB,
            },
            state: UploadState::Open,
            content_type: "video/mp4".parse().unwrap(),
            size: DeclaredSize::exact(size_bytes),
            checksum_sha256: None,
            checksum_crc64nvme: None,
            created_at: now,
            deadline: now,
            expires_at: None,
        }
    }

    async fn begin(&self) -> String {
        self.ingest.create_multipart(&self.key, &"video/mp4".parse().unwrap()).await.unwrap()
    }

    /// Sends a part as a client with a presigned URL does.
    async fn send_part(&self, s3_upload_id: &str, number: u16, bytes: Vec<u8>) -> UploadedPart {
        let size_bytes = bytes.len() as u64;
        let s3 = crate::multipart::without_checksum(&self.local.operator_s3());
        let part = s3.upload_part().bucket(INGEST).key(self.key.to_string()).upload_id(s3_upload_id);
        let answer = part.part_number(number.into()).body(bytes.into()).send().await.unwrap();
        let etag = answer.e_tag().unwrap().parse::<ETag>().unwrap();
        UploadedPart { number: number.try_into().unwrap(), size_bytes, etag }
    }

    /// Answers the first calls of an operation as told, one after the other, and then no more.
    fn answer(&self, operation: &'static str, answers: impl IntoIterator<Item = Answer>) -> Interception {
        let answers = Mutex::new(answers.into_iter().collect::<Vec<_>>().into_iter());
        self.local.aws.calls().intercept(move |attempt| {
            if attempt.operation == operation { answers.lock().unwrap().next() } else { None }
        })
    }

    /// Lets the first calls of an operation pass, and none after them.
    fn hold(&self, operation: &'static str, passing: usize) -> Interception {
        let calls = AtomicUsize::new(0);
        self.local.aws.calls().intercept(move |attempt| {
            let is_held = attempt.operation == operation && calls.fetch_add(1, Ordering::Relaxed) >= passing;
            is_held.then_some(Answer::Delay(Duration::from_hours(1)))
        })
    }

    /// How often an operation was carried out.
    fn count(&self, operation: &str) -> usize {
        let calls = self.local.aws.calls().since(0);
        calls.iter().filter(|call| call.operation == operation && call.outcome.status == 200).count()
    }
}

fn configuration(local: &Local) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(local.url())
        .credentials_provider(SharedCredentialsProvider::new(sdk(&local.function("Platform"))))
        .http_client(http_client())
        .build()
}

fn error(status: u16, code: &str) -> Answer {
    Answer::Error { status, code: code.to_owned(), message: "on purpose".to_owned() }
}
