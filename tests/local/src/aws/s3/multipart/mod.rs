//! Multipart uploads: `CreateMultipartUpload`, `UploadPart`, `UploadPartCopy`, `ListParts`, `ListMultipartUploads`,
//! `CompleteMultipartUpload` and `AbortMultipartUpload`.
//!
//! Follows "Uploading and copying objects using multipart upload", "Amazon S3 multipart upload limits" and the API
//! reference of each operation. An upload and its parts are rows; a part's bytes are immutable files. Completing strings
//! the parts' files together, without touching a byte, in the transaction that makes the object visible, announces it and
//! ends the upload. So a complete and an abort that race with one another, or with a part that still arrives, come out as
//! if one had come after the other.
//!
//! Every operation needs its action. "Multipart upload API and permissions" says that who began an upload may also list
//! its parts and abort it; here that is not enough, so that a policy never rests on it.
//!
//! A completed upload is known by its object: while that is there, completing with the same parts again gives the same
//! answer. Two things are not imitated: bucket lifecycle, so an upload that is neither completed nor aborted stays for
//! ever, and answers that begin with 200 and tell an error in their body, since completing takes no time here.

mod complete;
mod list;
mod part;
pub(super) mod uploads;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ServerSideEncryption,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};
use uuid::Uuid;

use self::uploads::{ChecksumChoice, Upload};
use super::State;
use super::access::context_of;
use super::checksums::{Algorithm, ChecksumType};
use super::get::refuse_unsupported;
use super::index::StoredHeaders;
use super::put::{Failure, stored_headers};
use crate::aws::clock;

/// The highest part number.
const MAXIMUM_PART_NUMBER: i32 = 10_000;

impl State {
    pub(super) fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let call = context_of(&request.extensions)?;
        let mut input = request.input;
        let algorithm = input.checksum_algorithm.as_ref().map(|algorithm| algorithm.as_str());
        let checksum_type = input.checksum_type.as_ref().map(|checksum_type| checksum_type.as_str());
        let checksum = checksum_choice(algorithm, checksum_type)?;
        let upload = Upload {
            upload_id: new_upload_id(),
            key: input.key.clone(),
            initiator: call.caller().map(|caller| caller.arn.clone()).unwrap_or_default(),
            initiated_at_ms: clock::now_ms(),
            headers: stored_headers!(input),
            checksum,
            is_key_deleted: false,
        };
        self.database
            .transaction(|transaction| uploads::create(transaction, &input.bucket, &upload))
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(upload.upload_id),
            checksum_algorithm: checksum.map(|checksum| checksum.algorithm.dto()),
            checksum_type: checksum.map(|checksum| checksum.checksum_type.dto()),
            server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
            ..CreateMultipartUploadOutput::default()
        })
    }

    pub(super) fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let input = request.input;
        refuse_unsupported(&[("x-amz-if-match-initiated-time", input.if_match_initiated_time.is_some())])?;
        let removed = self.database.transaction(|transaction| {
            uploads::find(transaction, &input.bucket, &input.key, &input.upload_id)?
                .ok_or_else(no_such_upload)?;
            Ok::<_, Failure>(uploads::remove(transaction, &input.upload_id)?)
        })?;
        for part in removed {
            self.files.remove(&part.segments);
        }
        Ok(AbortMultipartUploadOutput::default())
    }

    /// The upload of a request.
    fn find_upload(&self, bucket: &str, key: &str, upload_id: &str) -> S3Result<Upload> {
        self.database
            .transaction(|transaction| uploads::find(transaction, bucket, key, upload_id))
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?
            .ok_or_else(no_such_upload)
    }
}

/// Ids of one key sort by the time at which their uploads began, as `ListMultipartUploads` does; the rest is random.
fn new_upload_id() -> String {
    format!("{}{}", Uuid::now_v7().simple(), Uuid::new_v4().simple())
}

/// What `x-amz-checksum-algorithm` and `x-amz-checksum-type` ask for.
fn checksum_choice(algorithm: Option<&str>, checksum_type: Option<&str>) -> S3Result<Option<ChecksumChoice>> {
    let invalid = |message: &str| S3Error::with_message(S3ErrorCode::InvalidRequest, message.to_owned());
    let checksum_type = match checksum_type {
        None => None,
        Some(name) => Some(
            ChecksumType::parse(name)
                .ok_or_else(|| invalid("Value for x-amz-checksum-type header is invalid."))?,
        ),
    };
    let Some(algorithm) = algorithm else {
        return match checksum_type {
            None => Ok(None),
            Some(_) => Err(invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = Algorithm::parse(algorithm).ok_or_else(|| {
        invalid(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, \
             CRC32C, CRC64NVME, SHA1, SHA256]",
        )
    })?;
    let default = if algorithm.supports(ChecksumType::Composite) {
        ChecksumType::Composite
    } else {
        ChecksumType::FullObject
    };
    let checksum_type = checksum_type.unwrap_or(default);
    if !algorithm.supports(checksum_type) {
        return Err(invalid(&format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            checksum_type.name(),
            algorithm.name()
        )));
    }
    Ok(Some(ChecksumChoice { algorithm, checksum_type }))
}

/// A part number that S3 takes.
pub(super) fn check_part_number(part_number: i32) -> S3Result<i32> {
    if (1..=MAXIMUM_PART_NUMBER).contains(&part_number) {
        return Ok(part_number);
    }
    let message = "Part number must be an integer between 1 and 10000, inclusive";
    Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
}

fn no_such_upload() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed.",
    )
}

fn checksum_mismatch(expected: Algorithm, actual: Option<Algorithm>) -> S3Error {
    let message = format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        expected.name(),
        actual.map_or("null", Algorithm::name)
    );
    S3Error::with_message(S3ErrorCode::InvalidRequest, message)
}
