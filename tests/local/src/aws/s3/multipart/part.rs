//! `UploadPart` and `UploadPartCopy`.

use s3s::dto::{
    CopyPartResult, ETag, ServerSideEncryption, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::uploads::{self, Upload, UploadedPart};
use super::{check_part_number, checksum_mismatch, no_such_upload};
use crate::aws::clock;
use crate::aws::s3::State;
use crate::aws::s3::access::context_of;
use crate::aws::s3::checksums::{Checksums, checksums};
use crate::aws::s3::conditions::ReadConditions;
use crate::aws::s3::copy::check_copied_bytes;
use crate::aws::s3::files::{Unpublished, slice};
use crate::aws::s3::index::NULL_VERSION;
use crate::aws::s3::put::Failure;
use crate::aws::s3::receive::{Declared, IncomingBody};

/// An object of at most so many bytes can only be copied whole: 5 MiB.
const MAXIMUM_RANGELESS_BYTES: u64 = 5 * 1024 * 1024;

impl State {
    pub(in crate::aws::s3) async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        let trailers = request.trailing_headers.take();
        let mut input = request.input;
        let part_number = check_part_number(input.part_number)?;
        let upload = self.find_upload(&input.bucket, &input.key, &input.upload_id)?;
        let declared = Declared::of(checksums!(input), &request.headers, input.content_md5.as_deref())?;
        if let Some(checksum) = upload.checksum.filter(|one| !one.takes_part_with(declared.algorithm())) {
            return Err(checksum_mismatch(checksum.algorithm, declared.algorithm()));
        }
        let body = IncomingBody::of(input.body.take(), input.content_length, trailers)?;
        let algorithm = upload.object_checksum().algorithm;
        let received = self.receive(body, &declared, Some(algorithm)).await?;
        let part = UploadedPart {
            part_number,
            segments: received.file.segments().to_vec(),
            size_bytes: received.size_bytes,
            e_tag: received.e_tag.clone(),
            checksums: received.checksums.only(algorithm),
            last_modified_ms: clock::now_ms(),
        };
        self.add_part(&input.bucket, &upload, received.file, &part)?;
        let verified = declared.algorithm().map(|algorithm| received.checksums.only(algorithm));
        let checksums = verified.unwrap_or_default();
        Ok(UploadPartOutput {
            e_tag: Some(ETag::Strong(received.e_tag)),
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
            server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
            ..UploadPartOutput::default()
        })
    }

    /// The part is a second name for the bytes of its source, which never change. They are read to compute the entity tag
    /// and the checksum.
    pub(in crate::aws::s3) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<UploadPartCopyOutput> {
        let call = context_of(&request.extensions)?;
        let mut input = request.input;
        let part_number = check_part_number(input.part_number)?;
        let upload = self.find_upload(&input.bucket, &input.key, &input.upload_id)?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let (source, lease) = self.find_source(&call, &input.copy_source, &conditions)?;
        let source_bytes = source.content.size_bytes;
        let (first, length_bytes) = match &input.copy_source_range {
            None => (0, source_bytes),
            Some(range) => source_range(range, source_bytes)?,
        };
        check_copied_bytes(length_bytes)?;
        let segments = slice(&source.content.segments, first, length_bytes);
        let file = self.files.link(&segments).map_err(S3Error::internal_error)?;
        drop(lease);
        let digested = self.digest(file.segments(), [upload.object_checksum().algorithm]).await?;
        let part = UploadedPart {
            part_number,
            segments: file.segments().to_vec(),
            size_bytes: length_bytes,
            e_tag: digested.e_tag(),
            checksums: digested.checksums,
            last_modified_ms: clock::now_ms(),
        };
        self.add_part(&input.bucket, &upload, file, &part)?;
        let source_version_id = Some(source.version.version_id).filter(|id| id != NULL_VERSION);
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(copy_part_result(part.clone(), upload.shown(part.checksums))),
            copy_source_version_id: source_version_id,
            server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
            ..UploadPartCopyOutput::default()
        })
    }

    /// Makes a part one of its upload's, unless that has ended meanwhile.
    fn add_part(
        &self,
        bucket: &str,
        upload: &Upload,
        file: Unpublished,
        part: &UploadedPart,
    ) -> S3Result<()> {
        let replaced = self.database.transaction(|transaction| {
            uploads::find(transaction, bucket, &upload.key, &upload.upload_id)?.ok_or_else(no_such_upload)?;
            Ok::<_, Failure>(uploads::put_part(transaction, &upload.upload_id, part)?)
        })?;
        file.publish();
        self.files.remove(&replaced);
        Ok(())
    }
}

/// First byte and length of `x-amz-copy-source-range`, which names both ends.
fn source_range(range: &str, source_bytes: u64) -> S3Result<(u64, u64)> {
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    let ends = range.strip_prefix("bytes=").and_then(|ends| ends.split_once('-'));
    let Some((first, last)) = ends.and_then(|(first, last)| Some((number(first)?, number(last)?))) else {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
        ));
    };
    if source_bytes <= MAXIMUM_RANGELESS_BYTES {
        let message = "The specified copy source is not supported as a byte-range copy source";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    if first > last || last >= source_bytes {
        let message = format!("Range specified is not valid for source object of size: {source_bytes}");
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
    }
    Ok((first, last - first + 1))
}

fn copy_part_result(part: UploadedPart, checksums: Checksums) -> CopyPartResult {
    CopyPartResult {
        e_tag: Some(ETag::Strong(part.e_tag)),
        last_modified: Some(clock::from_milliseconds(part.last_modified_ms).into()),
        checksum_crc32: checksums.crc32,
        checksum_crc32c: checksums.crc32c,
        checksum_crc64nvme: checksums.crc64nvme,
        checksum_sha1: checksums.sha1,
        checksum_sha256: checksums.sha256,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use s3s::S3ErrorCode;

    use super::{MAXIMUM_RANGELESS_BYTES, source_range};

    #[test]
    fn a_source_range_names_both_ends() {
        let size = 6 * 1024 * 1024;
        assert_eq!(source_range("bytes=0-9", size).unwrap(), (0, 10));
        assert_eq!(source_range("bytes=3-3", size).unwrap(), (3, 1));
        assert_eq!(source_range("bytes=1-6291455", size).unwrap(), (1, size - 1));
        for refused in
            ["0-2", "bytes=0", "bytes=-2", "bytes=2-", "bytes=+1-2", "bytes=0-2,4-5", "bytes=0-6291456"]
        {
            assert!(source_range(refused, size).is_err(), "{refused}");
        }
        assert!(source_range("bytes=5-4", size).is_err());
        assert!(source_range("bytes=0-18446744073709551615", u64::MAX).is_err());
    }

    #[test]
    fn a_range_is_of_an_object_of_more_than_5_mib() {
        let code = |size| source_range("bytes=0-0", size).map_err(|error| error.code().clone());
        assert_eq!(code(MAXIMUM_RANGELESS_BYTES + 1), Ok((0, 1)));
        for size in [0, 1, MAXIMUM_RANGELESS_BYTES] {
            assert_eq!(code(size), Err(S3ErrorCode::InvalidRequest));
        }
    }
}
