//! What is signed here and what botocore signs are the same bytes. `tests/local/conformance/presigned.py` writes the
//! vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_types::SdkConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{
    AwaitedPart, DeclaredSize, MediaId, PlaybackConditions, PublishedObject, Sha256Checksum, SizeBytes,
    ThumbnailKey, Timestamp, Upload, UploadId, UploadMethod, UploadState, UserId,
};
use serde_json::Value;

use crate::assumed_role::{AssumedRole, Session};
use crate::presigning::{presigned_url, presigning, signing_client, signing_configuration};
use crate::{BucketError, Playback, PlaybackMethod, S3PlaybackSigner, UploadSigner, thumbnail_object_key};

const VECTORS: &str = include_str!("../../../tests/local/conformance/vectors/presigned.json");
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// The inputs of one vector, and what botocore made of them.
struct Vector {
    input: Value,
    now: Timestamp,
    configuration: SdkConfig,
    session: Session,
}

impl Vector {
    fn all(operation: &str) -> Vec<Vector> {
        let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
        let of_operation: Vec<Vector> = vectors
            .into_iter()
            .filter(|input| input["operation"] == operation)
            .map(|input| {
                let now: Timestamp = input["now"].as_str().unwrap().parse().unwrap();
                let text = |name: &str| input[name].as_str().map(str::to_owned);
                let mut configuration = SdkConfig::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::new(text("region").unwrap()));
                configuration.set_endpoint_url(text("endpoint_url"));
                let (access_key, secret) = (text("access_key_id"), text("secret_access_key"));
                let credentials = Credentials::new(
                    access_key.unwrap(),
                    secret.unwrap(),
                    text("session_token"),
                    None,
                    "test",
                );
                // Long after the vectors' time, and long after the test's.
                let ends_at = Timestamp::from_unix_seconds(8_000_000_000).into();
                let (configuration, session) = (configuration.build(), Session { credentials, ends_at });
                Vector { input, now, configuration, session }
            })
            .collect();
        assert!(of_operation.len() > 1, "{operation}");
        of_operation
    }

    fn text(&self, name: &str) -> &str {
        self.input[name].as_str().unwrap()
    }

    fn life(&self) -> Duration {
        Duration::from_secs(self.input["expires_in"].as_u64().unwrap())
    }

    fn role(&self) -> AssumedRole {
        AssumedRole::assumed(&self.configuration, self.session.clone())
    }

    fn upload_signer(&self) -> UploadSigner {
        UploadSigner::new(&self.configuration, self.role(), self.text("bucket"))
    }

    fn method(&self) -> UploadMethod {
        match self.input["upload_id"].as_str() {
            Some(id) => UploadMethod::Multipart { s3_upload_id: id.to_owned(), part_size_bytes: 5 << 20 },
            None => UploadMethod::Put,
        }
    }

    /// The upload whose object has this vector's key.
    fn upload(&self) -> Upload {
        let key: domain::SourceKey = self.text("key").parse().unwrap();
        let checksum = self.input["checksum_sha256"].as_str();
        Upload {
            id: NOBODY.parse::<UploadId>().unwrap(),
            media_id: key.media_id,
            owner_id: NOBODY.parse::<UserId>().unwrap(),
            slot: key.slot,
            method: self.method(),
            state: UploadState::Open,
            content_type: self.input["content_type"].as_str().unwrap_or("video/mp4").parse().unwrap(),
            size: DeclaredSize::exact(self.input["size_bytes"].as_u64().unwrap_or(0)),
            checksum_sha256: checksum.map(|checksum| checksum.parse::<Sha256Checksum>().unwrap()),
            checksum_crc64nvme: None,
            created_at: self.now,
            deadline: self.now,
            expires_at: None,
        }
    }
}

/// Parameters of a URL, whatever their order, and what is in front of them.
fn parts(url: &str) -> (&str, BTreeSet<&str>) {
    let (place, query) = url.split_once('?').unwrap();
    (place, query.split('&').collect())
}

#[tokio::test]
async fn a_presigned_put_is_botocores() {
    for vector in Vector::all("put_object") {
        let put = vector.upload_signer().presign_put(&vector.upload(), vector.now).await.unwrap();
        assert_eq!(put.url, vector.text("url"));
        let headers: BTreeMap<String, String> =
            serde_json::from_value(vector.input["headers"].clone()).unwrap();
        assert_eq!(put.headers, headers);
        assert_eq!(put.expires_at, vector.now.plus(vector.life()));
    }
}

#[tokio::test]
async fn a_presigned_post_is_botocores() {
    for vector in Vector::all("post_object") {
        let range = &vector.input["content_length_range"];
        let range: std::ops::RangeInclusive<SizeBytes> =
            range[0].as_u64().unwrap()..=range[1].as_u64().unwrap();
        let post = vector.upload_signer().presign_post(&vector.upload(), &range, vector.now).await.unwrap();
        assert_eq!(post.url, vector.text("url"));
        let fields: Vec<(String, String)> = serde_json::from_value(vector.input["fields"].clone()).unwrap();
        assert_eq!(post.fields, fields);
        assert_eq!(post.expires_at, vector.now.plus(vector.life()));
    }
}

#[tokio::test]
async fn a_form_ends_with_the_credentials_that_signed_it() {
    let vector = Vector::all("post_object").remove(0);
    let now = Timestamp::from(SystemTime::now());
    let ends_at = now.plus(Duration::from_mins(30));
    let session = Session { ends_at: ends_at.into(), ..vector.session.clone() };
    let role = AssumedRole::assumed(&vector.configuration, session);
    let signer = UploadSigner::new(&vector.configuration, role, "stack-ingest");
    let post = signer.presign_post(&vector.upload(), &(1..=11), now).await.unwrap();
    assert_eq!(post.expires_at, ends_at);
    let policy = &post.fields.iter().find(|(name, _)| name == "policy").unwrap().1;
    let policy: Value = serde_json::from_slice(&STANDARD.decode(policy).unwrap()).unwrap();
    assert_eq!(policy["expiration"], ends_at.to_string());
}

fn playback(method: PlaybackMethod, object: &PublishedObject, life: Duration) -> Playback<'_> {
    Playback { method, object, download_as: None, life, conditions: PlaybackConditions::default() }
}

#[tokio::test]
async fn a_presigned_playback_is_botocores() {
    for (operation, method) in [("get_object", PlaybackMethod::Get), ("head_object", PlaybackMethod::Head)] {
        for vector in Vector::all(operation) {
            let signer = S3PlaybackSigner::new(&vector.configuration, vector.role(), vector.text("bucket"));
            let object = PublishedObject { key: vector.text("key").to_owned(), etag: String::new() };
            let url = signer.presign(playback(method, &object, vector.life()), vector.now).await.unwrap().url;
            assert_eq!(url, vector.text("url"));
        }
    }
}

#[tokio::test]
async fn presigned_parts_are_botocores() {
    for vector in Vector::all("upload_part") {
        let number = u16::try_from(vector.input["part_number"].as_u64().unwrap()).unwrap();
        let size_bytes = vector.input["size_bytes"].as_u64().unwrap();
        let part = AwaitedPart { number: number.try_into().unwrap(), size_bytes: Some(size_bytes) };
        let (signer, upload) = (vector.upload_signer(), vector.upload());
        let put = signer.presign_part(&upload, part, vector.now).await.unwrap();
        assert_eq!(put.url, vector.text("url"));
        assert_eq!((put.number, put.size_bytes), (part.number, Some(size_bytes)));
        assert_eq!(put.expires_at, vector.now.plus(vector.life()));
        let both = signer.presign_parts(&upload, [part, part].into_iter(), vector.now).await.unwrap();
        assert_eq!(both, [put.clone(), put]);
    }
}

#[tokio::test]
async fn a_part_ends_with_the_credentials_that_signed_it() {
    let vector = Vector::all("upload_part").remove(0);
    let now = Timestamp::from(SystemTime::now());
    let ends_at = now.plus(Duration::from_mins(30));
    let session = Session { ends_at: ends_at.into(), ..vector.session.clone() };
    let role = AssumedRole::assumed(&vector.configuration, session);
    let signer = UploadSigner::new(&vector.configuration, role, "stack-ingest");
    let part = AwaitedPart { number: 1.try_into().unwrap(), size_bytes: Some(1) };
    let put = signer.presign_part(&vector.upload(), part, now).await.unwrap();
    assert_eq!(put.expires_at, ends_at);
    let life = put.url.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Expires="));
    assert_eq!(life, Some("1800"));
}

#[tokio::test]
async fn only_an_upload_in_parts_has_parts_to_sign() {
    let vector = Vector::all("put_object").remove(0);
    let part = AwaitedPart { number: 1.try_into().unwrap(), size_bytes: Some(1) };
    let refused = vector.upload_signer().presign_part(&vector.upload(), part, vector.now).await;
    assert!(matches!(refused, Err(BucketError::Refused { .. })));
}

#[tokio::test]
async fn a_thumbnail_is_signed_as_the_object_that_it_is() {
    let vector = Vector::all("get_object").remove(0);
    let signer = S3PlaybackSigner::new(&vector.configuration, vector.role(), "stack-media");
    let (media_id, key) = (NOBODY.parse::<MediaId>().unwrap(), ThumbnailKey::new(7));
    let object = PublishedObject { key: thumbnail_object_key(media_id, &key), etag: String::new() };
    let thumbnail = signer
        .presign_thumbnail(PlaybackMethod::Get, media_id, &key, vector.life(), vector.now)
        .await
        .unwrap();
    let file =
        signer.presign(playback(PlaybackMethod::Get, &object, vector.life()), vector.now).await.unwrap();
    assert_eq!(thumbnail, file);
    assert!(thumbnail.url.contains(&format!("/media/{media_id}/thumbnail/{key}?")), "{}", thumbnail.url);
}

/// The SDK writes the parameters of an operation in an order of its own, which the signature does not depend on.
#[tokio::test]
async fn presigned_overrides_are_botocores_but_for_the_order() {
    for vector in Vector::all("get_object_with_overrides") {
        let client = signing_client(&signing_configuration(&vector.configuration), vector.session.clone());
        let (presigning, _) = presigning("test", &vector.session, vector.life(), vector.now).unwrap();
        let overrides = &vector.input["overrides"];
        let text = |name: &str| overrides[name].as_str().unwrap();
        let request = client.get_object().bucket(vector.text("bucket")).key(vector.text("key"));
        let request = request
            .response_content_type(text("ResponseContentType"))
            .response_content_disposition(text("ResponseContentDisposition"))
            .response_cache_control(text("ResponseCacheControl"));
        let request = request.presigned(presigning).await.unwrap();
        assert_eq!(parts(&presigned_url(&request)), parts(vector.text("url")));
    }
}
