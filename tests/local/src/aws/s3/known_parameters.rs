//! Which query parameters each operation honours. S3 ignores what begins with `x-`, for the log's sake, but for `x-amz-`:
//! a presigned URL may hold headers like `x-amz-acl`. What S3 would do something with and this one does not must not
//! pass silently, so any other is refused by name.

use s3s::S3Result;

use super::access::not_implemented;
use crate::aws::sts::parse_form;

const RESPONSE_HEADERS: [&str; 6] = [
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

const SIGNATURE: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

fn is_of_signature_or_log(name: &str) -> bool {
    SIGNATURE.contains(&name) || (name.starts_with("x-") && !name.starts_with("x-amz-"))
}

/// Refuses a request whose parameters ask for more than `operation` does here.
pub(super) fn refuse_unknown(operation: &str, query: &str) -> S3Result<()> {
    let known: &[&str] = match operation {
        "DeleteObject" => &["versionId"],
        "GetObject" | "HeadObject" => &["partNumber", "versionId"],
        "ListBuckets" => &["bucket-region", "continuation-token", "max-buckets", "prefix"],
        "ListObjectsV2" => &[
            "continuation-token",
            "delimiter",
            "encoding-type",
            "fetch-owner",
            "list-type",
            "max-keys",
            "prefix",
            "start-after",
        ],
        "CreateMultipartUpload" => &["uploads"],
        "UploadPart" | "UploadPartCopy" => &["partNumber", "uploadId"],
        "CompleteMultipartUpload" | "AbortMultipartUpload" => &["uploadId"],
        "ListParts" => &["max-parts", "part-number-marker", "uploadId"],
        "ListMultipartUploads" => &[
            "delimiter",
            "encoding-type",
            "key-marker",
            "max-uploads",
            "prefix",
            "upload-id-marker",
            "uploads",
        ],
        _ => &[],
    };
    let reads = matches!(operation, "GetObject" | "HeadObject");
    let unknown = parse_form(query.as_bytes()).into_keys().find(|name| {
        let is_known = known.contains(&name.as_str())
            || (reads && RESPONSE_HEADERS.contains(&name.as_str()))
            || is_of_signature_or_log(&name.to_ascii_lowercase());
        !is_known
    });
    match unknown {
        Some(name) => Err(not_implemented(&format!("The parameter {name} of {operation}"))),
        None => Ok(()),
    }
}
