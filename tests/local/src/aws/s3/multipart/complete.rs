//! `CompleteMultipartUpload`.

use std::collections::BTreeMap;

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedMultipartUpload, ETag,
    ServerSideEncryption,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::uploads::{self, ChecksumChoice, Upload, UploadedPart};
use super::{checksum_mismatch, no_such_upload};
use crate::aws::s3::State;
use crate::aws::s3::access::{CallContext, context_of};
use crate::aws::s3::checksums::{ChecksumType, Checksums, checksums};
use crate::aws::s3::conditions::WriteConditions;
use crate::aws::s3::conflicts::conflict;
use crate::aws::s3::events::EventName;
use crate::aws::s3::index::{self, Content, NULL_VERSION, ObjectPart, Version};
use crate::aws::s3::list::encode_key;
use crate::aws::s3::put::NewObject;
use crate::aws::s3::receive::bad_digest;
use crate::aws::signature::hex;

/// What every part but the last has to have: 5 MiB.
const MINIMUM_PART_BYTES: u64 = 5 * 1024 * 1024;

/// A part as the request lists it.
struct ListedPart {
    part_number: i32,
    /// Without quotes.
    e_tag: String,
    checksums: Checksums,
}

/// What a request says the object is going to be.
struct Expected {
    checksums: Checksums,
    checksum_type: Option<String>,
    size_bytes: Option<u64>,
}

impl State {
    pub(in crate::aws::s3) fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let call = context_of(&request.extensions)?;
        let host = request.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let location = |bucket: &str, key: &str| {
            format!("http://{}/{bucket}/{}", host.unwrap_or_default(), encode_key(key).replace('/', "%2F"))
        };
        let mut input = request.input;
        let conditions =
            WriteConditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        conditions.check_supported()?;
        let listed = listed_parts(input.multipart_upload.take())?;
        let version = match self.assemble(&call, &input, &conditions, &listed) {
            Err(error) if *error.code() == S3ErrorCode::NoSuchUpload => {
                self.completed_before(&input, &listed)?.ok_or(error)
            }
            assembled => assembled,
        }?;
        let content = version.content.ok_or(S3ErrorCode::InternalError)?;
        Ok(CompleteMultipartUploadOutput {
            location: Some(location(&input.bucket, &input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(content.e_tag)),
            checksum_type: Some(content.checksums.checksum_type().dto()),
            checksum_crc32: content.checksums.crc32,
            checksum_crc32c: content.checksums.crc32c,
            checksum_crc64nvme: content.checksums.crc64nvme,
            checksum_sha1: content.checksums.sha1,
            checksum_sha256: content.checksums.sha256,
            server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
            version_id: (version.version_id != NULL_VERSION).then_some(version.version_id),
            ..CompleteMultipartUploadOutput::default()
        })
    }

    /// Makes an object of an upload, which ends, or leaves everything as it is.
    fn assemble(
        &self,
        call: &CallContext,
        input: &CompleteMultipartUploadInput,
        conditions: &WriteConditions,
        listed: &[ListedPart],
    ) -> S3Result<Version> {
        let expected = Expected::of(input)?;
        let mut unlisted = Vec::new();
        let event = EventName::CompleteMultipartUpload;
        let version = self.write(call, &input.bucket, &input.key, event, |transaction, latest| {
            let upload = uploads::find(transaction, &input.bucket, &input.key, &input.upload_id)?
                .ok_or_else(no_such_upload)?;
            conditions.judge(latest)?;
            if conditions.if_none_match.is_some() && upload.is_key_deleted {
                return Err(conflict().into());
            }
            let uploaded = uploads::remove(transaction, &upload.upload_id)?;
            let mut uploaded: BTreeMap<i32, UploadedPart> =
                uploaded.into_iter().map(|part| (part.part_number, part)).collect();
            let parts = upload.listed(listed, &mut uploaded)?;
            unlisted = uploaded.into_values().collect();
            let content = upload.content(parts)?;
            expected.check(upload.object_checksum(), &content)?;
            // The creation date of such an object is the date on which its upload began.
            let last_modified_ms = upload.initiated_at_ms;
            Ok(NewObject { content, last_modified_ms, upload_id: Some(upload.upload_id) })
        })?;
        for part in unlisted {
            self.files.remove(&part.segments);
        }
        Ok(version)
    }

    /// The object that an earlier request made of the same upload and the same parts.
    fn completed_before(
        &self,
        input: &CompleteMultipartUploadInput,
        listed: &[ListedPart],
    ) -> S3Result<Option<Version>> {
        let version = self
            .database
            .transaction(|transaction| {
                index::uploaded_as(transaction, &input.bucket, &input.key, &input.upload_id)
            })
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        let e_tag = multipart_e_tag(listed.iter().map(|part| part.e_tag.as_str()));
        Ok(version.filter(|version| {
            version.content.as_ref().is_some_and(|content| Some(&content.e_tag) == e_tag.as_ref())
        }))
    }
}

impl Upload {
    /// Takes the listed parts out of those that were uploaded.
    fn listed(
        &self,
        listed: &[ListedPart],
        uploaded: &mut BTreeMap<i32, UploadedPart>,
    ) -> S3Result<Vec<UploadedPart>> {
        let mut parts = Vec::with_capacity(listed.len());
        for (index, one) in listed.iter().enumerate() {
            let part = uploaded.remove(&one.part_number).ok_or_else(invalid_part)?;
            if part.e_tag != one.e_tag {
                return Err(invalid_part());
            }
            self.check_part_checksum(one, &part)?;
            if index + 1 < listed.len() && part.size_bytes < MINIMUM_PART_BYTES {
                let message = "Your proposed upload is smaller than the minimum allowed size";
                return Err(S3Error::with_message(S3ErrorCode::EntityTooSmall, message));
            }
            parts.push(part);
        }
        Ok(parts)
    }

    fn check_part_checksum(&self, listed: &ListedPart, part: &UploadedPart) -> S3Result<()> {
        let number = listed.part_number;
        let Some(checksum) = self.checksum else {
            // Nothing was declared, so nothing was returned for a part.
            return if listed.checksums == Checksums::default() { Ok(()) } else { Err(invalid_part()) };
        };
        let algorithm = checksum.algorithm;
        if let Some((other, _)) = listed.checksums.iter().find(|(other, _)| *other != algorithm) {
            let message = format!(
                "The {} you specified for part {number} did not match what we received.",
                other.name()
            );
            return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
        }
        match listed.checksums.get(algorithm) {
            Some(value) if part.checksums.get(algorithm) != Some(value) => Err(invalid_part()),
            None if checksum.checksum_type == ChecksumType::Composite => {
                let message = format!(
                    "The upload was created using a {} checksum. The complete request must include the checksum for \
                     each part. It was missing for part {number} in the request.",
                    algorithm.name()
                );
                Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
            }
            _ => Ok(()),
        }
    }

    /// The object that parts make.
    fn content(&self, parts: Vec<UploadedPart>) -> S3Result<Content> {
        let ChecksumChoice { algorithm, checksum_type } = self.object_checksum();
        let is_consecutive = (1..).zip(&parts).all(|(number, part)| part.part_number == number);
        if self.checksum.is_some() && checksum_type == ChecksumType::Composite && !is_consecutive {
            // So says "Checking object integrity in Amazon S3".
            let message = "We encountered an internal error. Please try again.";
            return Err(S3Error::with_message(S3ErrorCode::InternalError, message));
        }
        let values =
            parts.iter().map(|part| (part.checksums.get(algorithm).unwrap_or_default(), part.size_bytes));
        let checksum = algorithm.of_parts(checksum_type, values).ok_or(S3ErrorCode::InternalError)?;
        let e_tag = multipart_e_tag(parts.iter().map(|part| part.e_tag.as_str()));
        Ok(Content {
            size_bytes: parts.iter().map(|part| part.size_bytes).sum(),
            e_tag: e_tag.ok_or(S3ErrorCode::InternalError)?,
            checksums: Checksums::of(algorithm, checksum),
            headers: self.headers.clone(),
            parts: parts
                .iter()
                .map(|part| ObjectPart {
                    size_bytes: part.size_bytes,
                    checksums: self.shown(part.checksums.clone()),
                })
                .collect(),
            segments: parts.into_iter().flat_map(|part| part.segments).collect(),
        })
    }
}

impl Expected {
    fn of(input: &CompleteMultipartUploadInput) -> S3Result<Expected> {
        let size_bytes = match input.mpu_object_size.map(u64::try_from) {
            None => None,
            Some(Ok(size_bytes)) => Some(size_bytes),
            Some(Err(_)) => {
                let message = "Value for x-amz-mp-object-size header is invalid.";
                return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
            }
        };
        Ok(Expected {
            checksums: checksums!(input),
            checksum_type: input.checksum_type.as_ref().map(|kind| kind.as_str().to_owned()),
            size_bytes,
        })
    }

    /// Compares with the object that comes out.
    fn check(&self, checksum: ChecksumChoice, content: &Content) -> S3Result<()> {
        let invalid = |message: String| S3Error::with_message(S3ErrorCode::InvalidRequest, message);
        if self.checksum_type.as_ref().is_some_and(|name| name != checksum.checksum_type.name()) {
            return Err(invalid(format!(
                "The upload was created using the {} checksum mode. The complete request must use the same checksum \
                 mode.",
                checksum.checksum_type.name()
            )));
        }
        for (algorithm, value) in self.checksums.iter() {
            if algorithm != checksum.algorithm {
                return Err(checksum_mismatch(checksum.algorithm, Some(algorithm)));
            }
            if content.checksums.get(algorithm) != Some(value) {
                return Err(bad_digest(algorithm));
            }
        }
        if let Some(size_bytes) = self.size_bytes.filter(|size_bytes| *size_bytes != content.size_bytes) {
            return Err(invalid(format!(
                "The provided 'x-amz-mp-object-size' header value {size_bytes} does not match what was computed: {}",
                content.size_bytes
            )));
        }
        Ok(())
    }
}

/// The parts that a request lists, in ascending order.
fn listed_parts(upload: Option<CompletedMultipartUpload>) -> S3Result<Vec<ListedPart>> {
    let parts = upload.and_then(|upload| upload.parts).unwrap_or_default();
    if parts.is_empty() {
        return Err(S3ErrorCode::MalformedXML.into());
    }
    let mut listed: Vec<ListedPart> = Vec::with_capacity(parts.len());
    for part in parts {
        let (Some(part_number), Some(e_tag)) = (part.part_number, &part.e_tag) else {
            return Err(S3ErrorCode::MalformedXML.into());
        };
        if part_number < 1 {
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "PartNumber must be >= 1"));
        }
        if listed.last().is_some_and(|last| last.part_number >= part_number) {
            let message =
                "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidPartOrder, message));
        }
        listed.push(ListedPart { part_number, e_tag: e_tag.value().to_owned(), checksums: checksums!(part) });
    }
    Ok(listed)
}

/// The MD5 of the parts' MD5s, and their number. `None` where an entity tag is no MD5.
fn multipart_e_tag<'a>(part_e_tags: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut md5 = Md5::new();
    let mut count = 0_usize;
    for e_tag in part_e_tags {
        md5.update(&unhex(e_tag)?);
        count += 1;
    }
    Some(format!("{}-{count}", hex(md5.finalize().as_ref())))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
        .collect()
}

fn invalid_part() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::InvalidPart,
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified \
         entity tag may not match the part's entity tag.",
    )
}

#[cfg(test)]
mod tests {
    use super::multipart_e_tag;

    #[test]
    fn an_entity_tag_is_the_md5_of_md5s() {
        // Of "one" and "two".
        let parts = ["f97c5d29941bfb1b2fdab0874906ab82", "b8a9f715dbb64fd5c56e7783c6820a61"];
        let e_tag = multipart_e_tag(parts.into_iter());
        assert_eq!(e_tag.as_deref(), Some("1397b7ee3222e3980d0d20f23a871b02-2"));
        assert_eq!(multipart_e_tag(["nonsense"].into_iter()), None);
    }
}
