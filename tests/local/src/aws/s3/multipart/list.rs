//! `ListParts` and `ListMultipartUploads`.

use s3s::dto::{
    CommonPrefix, ETag, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Part, StorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::no_such_upload;
use super::uploads::{self, Upload, UploadedPart};
use crate::aws::clock;
use crate::aws::s3::State;
use crate::aws::s3::list::{encoder, owner};
use crate::aws::s3::page::{Listing, Page};
use crate::aws::s3::put::Failure;

/// The longest page of either list.
const MAXIMUM_ENTRIES: i32 = 1000;

impl State {
    pub(in crate::aws::s3) fn list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<ListPartsOutput> {
        let input = request.input;
        let (max_parts, limit) = page_length("max-parts", input.max_parts)?;
        let marker = input.part_number_marker.unwrap_or(0);
        if marker < 0 {
            return Err(out_of_bounds("part-number-marker"));
        }
        let (upload, mut parts) = self.database.transaction(|transaction| {
            let upload = uploads::find(transaction, &input.bucket, &input.key, &input.upload_id)?
                .ok_or_else(no_such_upload)?;
            let parts = uploads::parts(transaction, &upload.upload_id, marker, limit + 1)?;
            Ok::<_, Failure>((upload, parts))
        })?;
        let is_truncated = limit > 0 && parts.len() > limit;
        parts.truncate(limit);
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: upload.checksum.map(|checksum| checksum.algorithm.dto()),
            checksum_type: upload.checksum.map(|checksum| checksum.checksum_type.dto()),
            initiator: Some(initiator(&upload)),
            owner: Some(owner()),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            max_parts: Some(max_parts),
            part_number_marker: Some(marker),
            next_part_number_marker: Some(parts.last().map_or(marker, |part| part.part_number)),
            is_truncated: Some(is_truncated),
            parts: Some(parts.into_iter().map(|one| part(&upload, one)).collect()),
            ..ListPartsOutput::default()
        })
    }

    pub(in crate::aws::s3) fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let input = request.input;
        let (max_uploads, limit) = page_length("max-uploads", input.max_uploads)?;
        let key_marker = input.key_marker.clone().unwrap_or_default();
        // Without a key it means nothing.
        let upload_id_marker =
            input.upload_id_marker.clone().filter(|marker| !key_marker.is_empty() && !marker.is_empty());
        let (prefix, delimiter) =
            (input.prefix.clone().unwrap_or_default(), input.delimiter.clone().unwrap_or_default());
        let listing = Listing { prefix: &prefix, delimiter: &delimiter, after: &key_marker, limit };
        let page = self.page_of_uploads(&input.bucket, &listing, upload_id_marker.as_deref())?;
        let encode = encoder(input.encoding_type.as_ref())?;
        let last_upload = page.items.last().filter(|upload| Some(&upload.key) == page.last.as_ref());
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(encode(prefix)),
            delimiter: input.delimiter.map(encode),
            encoding_type: input.encoding_type,
            key_marker: Some(encode(key_marker)),
            upload_id_marker: Some(upload_id_marker.unwrap_or_default()),
            max_uploads: Some(max_uploads),
            is_truncated: Some(page.is_truncated),
            next_upload_id_marker: Some(
                last_upload.map(|upload| upload.upload_id.clone()).unwrap_or_default(),
            ),
            next_key_marker: Some(encode(page.last.unwrap_or_default())),
            uploads: Some(page.items.into_iter().map(|upload| multipart_upload(upload, encode)).collect()),
            common_prefixes: Some(
                page.prefixes
                    .into_iter()
                    .map(|prefix| CommonPrefix { prefix: Some(encode(prefix)) })
                    .collect(),
            ),
            ..ListMultipartUploadsOutput::default()
        })
    }

    fn page_of_uploads(
        &self,
        bucket: &str,
        listing: &Listing<'_>,
        after_upload_id: Option<&str>,
    ) -> S3Result<Page<Upload>> {
        let mut page = Page::default();
        if listing.limit == 0 {
            return Ok(page);
        }
        self.database
            .transaction(|transaction| {
                uploads::scan(transaction, bucket, listing.start(), after_upload_id, |upload| {
                    let key = upload.key.clone();
                    page.add(listing, &key, upload)
                })
            })
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        Ok(page)
    }
}

/// How many entries a page is asked to have, as it is told and as a length.
fn page_length(name: &str, asked: Option<i32>) -> S3Result<(i32, usize)> {
    let length = asked.unwrap_or(MAXIMUM_ENTRIES).min(MAXIMUM_ENTRIES);
    let limit = usize::try_from(length).map_err(|_| out_of_bounds(name))?;
    Ok((length, limit))
}

fn out_of_bounds(name: &str) -> S3Error {
    let message = format!("Argument {name} must be an integer between 0 and 2147483647");
    S3Error::with_message(S3ErrorCode::InvalidArgument, message)
}

fn initiator(upload: &Upload) -> Initiator {
    Initiator { id: Some(upload.initiator.clone()), display_name: None }
}

fn part(upload: &Upload, part: UploadedPart) -> Part {
    let checksums = upload.shown(part.checksums);
    Part {
        part_number: Some(part.part_number),
        size: i64::try_from(part.size_bytes).ok(),
        e_tag: Some(ETag::Strong(part.e_tag)),
        last_modified: Some(clock::from_milliseconds(part.last_modified_ms).into()),
        checksum_crc32: checksums.crc32,
        checksum_crc32c: checksums.crc32c,
        checksum_crc64nvme: checksums.crc64nvme,
        checksum_sha1: checksums.sha1,
        checksum_sha256: checksums.sha256,
    }
}

fn multipart_upload(upload: Upload, encode: impl Fn(String) -> String) -> MultipartUpload {
    MultipartUpload {
        initiator: Some(initiator(&upload)),
        initiated: Some(clock::from_milliseconds(upload.initiated_at_ms).into()),
        owner: Some(owner()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        checksum_algorithm: upload.checksum.map(|checksum| checksum.algorithm.dto()),
        checksum_type: upload.checksum.map(|checksum| checksum.checksum_type.dto()),
        key: Some(encode(upload.key)),
        upload_id: Some(upload.upload_id),
    }
}
