//! Which `x-amz-` headers and conditions each operation honours. What S3 would store or enforce and this one does not
//! must not pass silently, so any other is refused by name.

use http::HeaderMap;
use s3s::S3Result;

use super::access::not_implemented;

/// What signing and sending need, whatever the operation.
const EVERYWHERE: [&str; 5] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-security-token",
    "x-amz-user-agent",
];

/// `PutObject` and `UploadPart`.
const BODY: [&str; 9] = [
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-te",
    "x-amz-trailer",
];

const CREATE_MULTIPART_UPLOAD: [&str; 2] = ["x-amz-checksum-algorithm", "x-amz-checksum-type"];

const UPLOAD_PART_COPY: [&str; 6] = [
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-copy-source-range",
];

const COMPLETE_MULTIPART_UPLOAD: [&str; 7] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-mp-object-size",
];

const COPY_OBJECT: [&str; 6] = [
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-metadata-directive",
];

/// Conditions on the object that a request is for.
const CONDITIONS: [&str; 4] = ["if-match", "if-modified-since", "if-none-match", "if-unmodified-since"];

/// Headers of writes that are known with one value, which asks for what is done anyway.
const ONLY_VALUES: [(&str, &str); 2] =
    [("x-amz-server-side-encryption", "AES256"), ("x-amz-storage-class", "STANDARD")];

/// Refuses a request whose headers ask for more than `operation` does here.
pub(super) fn refuse_unknown(operation: &str, headers: &HeaderMap) -> S3Result<()> {
    let of_operation: &[&str] = match operation {
        "PutObject" | "UploadPart" => &BODY,
        "CreateMultipartUpload" => &CREATE_MULTIPART_UPLOAD,
        "UploadPartCopy" => &UPLOAD_PART_COPY,
        "CompleteMultipartUpload" => &COMPLETE_MULTIPART_UPLOAD,
        "CopyObject" => &COPY_OBJECT,
        "GetObject" | "HeadObject" => &["x-amz-checksum-mode"],
        _ => &[],
    };
    let is_write = matches!(operation, "PutObject" | "CopyObject" | "CreateMultipartUpload");
    let conditions: &[&str] = match operation {
        // A browser may send them with what it has read before.
        "GetObject"
        | "HeadBucket"
        | "HeadObject"
        | "ListBuckets"
        | "ListMultipartUploads"
        | "ListObjectsV2"
        | "ListParts" => &CONDITIONS,
        "CompleteMultipartUpload" | "PutObject" => &["if-match", "if-none-match"],
        _ => &[],
    };
    for (name, value) in headers {
        let name = name.as_str();
        let is_known = !(name.starts_with("x-amz-") || CONDITIONS.contains(&name))
            || conditions.contains(&name)
            || EVERYWHERE.contains(&name)
            || of_operation.contains(&name)
            || (is_write && name.starts_with("x-amz-meta-"))
            || (is_write && ONLY_VALUES.iter().any(|(known, only)| name == *known && value == only));
        if !is_known {
            return Err(not_implemented(&format!("{name} of {operation}")));
        }
    }
    Ok(())
}
