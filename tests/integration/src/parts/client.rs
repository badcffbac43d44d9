//! A client that sends a file in parts.

use aws_sdk_s3::primitives::ByteStream;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, PATIENCE, Platform, User, expect};

pub(crate) const PART_BYTES: usize = 5 * 1024 * 1024;

/// A sound of exactly this size: mono, 8 bits a sample.
pub(crate) fn sound(size_bytes: usize) -> File {
    let mut bytes = Vec::with_capacity(size_bytes);
    let size = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&size(size_bytes - 8));
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16_u32.to_le_bytes());
    for word in [1_u16, 1, 44_100, 0, 44_100, 0, 1, 8] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&size(size_bytes - 44));
    // No two parts are alike.
    bytes.extend((0..=250).cycle().take(size_bytes - 44));
    File { name: "sound.wav".to_owned(), content_type: "audio/wav", bytes }
}

/// A client that sends a file in parts of 5 MiB.
pub(crate) struct Client<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) user: &'a User,
    pub(crate) file: File,
    pub(crate) media_id: String,
    pub(crate) upload_id: String,
    /// What the announcement answered.
    pub(crate) upload: Value,
}

impl<'a> Client<'a> {
    pub(crate) async fn announce(platform: &'a Platform, user: &'a User, file: File) -> Client<'a> {
        let mut body = file.announcement();
        body["upload_method"] = json!("multipart");
        body["part_size_bytes"] = json!(PART_BYTES);
        Self::announce_as(platform, user, file, &body).await
    }

    pub(crate) async fn announce_as(
        platform: &'a Platform,
        user: &'a User,
        file: File,
        body: &Value,
    ) -> Client<'a> {
        let created = expect(platform.post_as(user, "/media", body).await, StatusCode::CREATED).await;
        let upload = created["upload"].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (media_id, upload_id) = (text(&created["media"]["id"]), text(&upload["upload_id"]));
        Self { platform, user, file, media_id, upload_id, upload }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/v1/{}{rest}", self.upload_id)
    }

    pub(crate) async fn sign(&self, number: usize) -> Response {
        self.platform.get(self.user, &self.path(&format!("/part/{number}"))).await
    }

    pub(crate) fn bytes_of(&self, number: usize) -> Vec<u8> {
        self.file.bytes.chunks(PART_BYTES).nth(number - 1).unwrap().to_vec()
    }

    pub(crate) async fn put(&self, url: &Value, bytes: Vec<u8>) -> Response {
        let request = self.platform.http.put(url.as_str().unwrap()).body(bytes);
        request.timeout(PATIENCE).send().await.unwrap()
    }

    /// Signs and sends a part; answers its tag, with quotes as S3 does.
    pub(crate) async fn send(&self, number: usize) -> String {
        self.send_as(number, self.bytes_of(number)).await
    }

    pub(crate) async fn send_as(&self, number: usize, bytes: Vec<u8>) -> String {
        let signed = expect(self.sign(number).await, StatusCode::OK).await;
        let answer = self.put(&signed["url"], bytes).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers()["etag"].to_str().unwrap().to_owned()
    }

    pub(crate) async fn send_all(&self) {
        for number in 1..=self.file.bytes.len().div_ceil(PART_BYTES) {
            self.send(number).await;
        }
    }

    pub(crate) async fn list(&self) -> Value {
        expect(self.platform.get(self.user, &self.path("/parts")).await, StatusCode::OK).await
    }

    pub(crate) async fn complete(&self) -> Response {
        let request = self.platform.request(Method::POST, &self.path("/complete"));
        request.bearer_auth(&self.user.token).send().await.unwrap()
    }

    pub(crate) async fn complete_with(&self, body: &Value) -> Response {
        self.platform.post_as(self.user, &self.path("/complete"), body).await
    }

    pub(crate) async fn abort(&self) -> Response {
        let request = self.platform.request(Method::DELETE, &self.path(""));
        request.bearer_auth(&self.user.token).send().await.unwrap()
    }

    pub(crate) async fn media(&self) -> Value {
        let path = format!("/media/{}", self.media_id);
        expect(self.platform.get(self.user, &path).await, StatusCode::OK).await
    }

    pub(crate) async fn settled(&self) -> Value {
        self.platform.settled(self.user, &self.media_id).await
    }

    /// Puts a part as only the operator can: of any length.
    pub(crate) async fn put_part_as_operator(&self, number: usize, bytes: Vec<u8>) {
        let upload = self.platform.item(&format!("UPLOAD#{}", self.upload_id), "UPLOAD").await.unwrap();
        self.platform
            .s3()
            .upload_part()
            .bucket(self.platform.bucket("IngestBucket"))
            .key(format!("uploads/{}/source", self.media_id))
            .upload_id(upload["s3_upload_id"].as_s().unwrap())
            .part_number(i32::try_from(number).unwrap())
            .body(ByteStream::from(bytes))
            .send()
            .await
            .unwrap();
    }

    /// Whether S3 still has an upload in parts for the media.
    pub(crate) async fn is_begun_in_s3(&self) -> bool {
        let list = self.platform.s3().list_multipart_uploads().bucket(self.platform.bucket("IngestBucket"));
        let key = format!("uploads/{}/source", self.media_id);
        let listed = list.prefix(key).send().await.unwrap();
        !listed.uploads().is_empty()
    }

    /// Whether there is an object of the media.
    pub(crate) async fn has_object(&self) -> bool {
        let list = self.platform.s3().list_objects_v2().bucket(self.platform.bucket("IngestBucket"));
        let listed = list.prefix(format!("uploads/{}/", self.media_id)).send().await.unwrap();
        !listed.contents().is_empty()
    }
}
