//! Multipart uploads, after the API reference of each operation, "Amazon S3 multipart upload limits" and "Uploading and
//! copying objects using multipart upload".

mod checksums;
mod copies;
mod lists;
mod parts;
mod permissions;
mod races;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use crate::support::Local;

pub(super) type Client = aws_sdk_s3::Client;

/// The least that a part has to have unless it is the last: 5 MiB.
pub(super) const MINIMUM_PART_BYTES: usize = 5 * 1024 * 1024;

/// An upload under way. Nothing is declared about checksums, as in uploads by presigned URLs.
pub(super) struct Upload {
    pub(super) s3: Client,
    pub(super) bucket: &'static str,
    pub(super) key: String,
    pub(super) id: String,
}

impl Upload {
    pub(super) async fn begin(s3: &Client, bucket: &'static str, key: &str) -> Upload {
        let created = without_checksum(s3).create_multipart_upload().bucket(bucket).key(key).send();
        let id = created.await.unwrap().upload_id.unwrap();
        Upload { s3: s3.clone(), bucket, key: key.to_owned(), id }
    }

    pub(super) async fn part(&self, number: i32, body: impl Into<Vec<u8>>) -> CompletedPart {
        let e_tag = self.try_part(number, body.into()).await.unwrap();
        listed(number, &e_tag)
    }

    /// The entity tag, or the code of the error.
    pub(super) async fn try_part(&self, number: i32, body: Vec<u8>) -> Result<String, String> {
        let part = without_checksum(&self.s3).upload_part().bucket(self.bucket).key(&self.key);
        let part = part.upload_id(&self.id).part_number(number).body(ByteStream::from(body)).send();
        part.await.map(|part| part.e_tag.unwrap()).map_err(|error| error.code().unwrap().to_owned())
    }

    pub(super) async fn complete(
        &self,
        parts: &[CompletedPart],
    ) -> Result<CompleteMultipartUploadOutput, String> {
        let complete = self.s3.complete_multipart_upload().bucket(self.bucket).key(&self.key);
        let complete = complete.upload_id(&self.id).multipart_upload(list(parts)).send();
        complete.await.map_err(|error| error.code().unwrap().to_owned())
    }

    pub(super) async fn abort(&self) -> Result<(), String> {
        let abort = self.s3.abort_multipart_upload().bucket(self.bucket).key(&self.key).upload_id(&self.id);
        abort.send().await.map(|_| ()).map_err(|error| error.code().unwrap().to_owned())
    }

    /// Numbers and entity tags of the parts that are there.
    pub(super) async fn parts(&self) -> Result<Vec<(i32, String)>, String> {
        let parts = self.s3.list_parts().bucket(self.bucket).key(&self.key).upload_id(&self.id).send();
        let parts = parts.await.map_err(|error| error.code().unwrap().to_owned())?;
        let parts = parts.parts().iter();
        Ok(parts.map(|part| (part.part_number().unwrap(), part.e_tag().unwrap().to_owned())).collect())
    }
}

/// The SDK declares CRC32 of its own accord unless it is told not to.
pub(super) fn without_checksum(s3: &Client) -> Client {
    let config = s3
        .config()
        .to_builder()
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .build();
    Client::from_conf(config)
}

/// A part as it is listed to complete an upload.
pub(super) fn listed(number: i32, e_tag: &str) -> CompletedPart {
    CompletedPart::builder().part_number(number).e_tag(e_tag).build()
}

pub(super) fn list(parts: &[CompletedPart]) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build()
}

/// How many files hold objects and parts.
pub(super) fn files(local: &Local) -> usize {
    std::fs::read_dir(local.directory.path().join("objects")).unwrap().count()
}

/// A part that need not be the last.
pub(super) fn big(byte: u8) -> Vec<u8> {
    vec![byte; MINIMUM_PART_BYTES]
}
