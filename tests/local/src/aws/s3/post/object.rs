//! What a form's fields say about the object. A field that would be stored or enforced on AWS and is not here is
//! refused by name; one that means nothing to S3 is ignored, as there.

use s3s::dto::{PutObjectInput, Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::fields::Fields;
use crate::aws::s3::access::{check_metadata_size, not_implemented};

/// What signs the form.
const SIGNING: [&str; 5] =
    ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "x-amz-signature"];

/// Fields that are known with one value, which asks for what is done anyway.
const ONLY_VALUES: [(&str, &str); 2] =
    [("x-amz-server-side-encryption", "AES256"), ("x-amz-storage-class", "STANDARD")];

/// The object's headers and checksums, as a `PutObject` would bring them.
pub(super) fn input(bucket: &str, key: &str, fields: &Fields) -> S3Result<PutObjectInput> {
    let mut input = PutObjectInput { bucket: bucket.into(), key: key.into(), ..PutObjectInput::default() };
    let mut algorithm = None;
    for (sent_name, value) in fields.iter() {
        let name = sent_name.to_ascii_lowercase();
        let value = || header_value(&name, value);
        match name.as_str() {
            "acl" => check_acl(value()?.as_str())?,
            "cache-control" => input.cache_control = Some(value()?),
            "content-disposition" => input.content_disposition = Some(value()?),
            "content-encoding" => input.content_encoding = Some(value()?),
            "content-md5" => input.content_md5 = Some(value()?),
            "content-type" => input.content_type = Some(value()?),
            "expires" => input.expires = Some(expires(&value()?)?),
            "x-amz-checksum-algorithm" => algorithm = Some(value()?),
            "x-amz-checksum-crc32" => input.checksum_crc32 = Some(value()?),
            "x-amz-checksum-crc32c" => input.checksum_crc32c = Some(value()?),
            "x-amz-checksum-crc64nvme" => input.checksum_crc64nvme = Some(value()?),
            "x-amz-checksum-sha1" => input.checksum_sha1 = Some(value()?),
            "x-amz-checksum-sha256" => input.checksum_sha256 = Some(value()?),
            "tagging" => return Err(not_implemented("tagging of PostObject")),
            _ => match name.strip_prefix("x-amz-") {
                None => {}
                Some(rest) => match rest.strip_prefix("meta-") {
                    Some(name) => {
                        input.metadata.get_or_insert_default().insert(name.to_owned(), value()?);
                    }
                    None => check_known(&name, &value()?)?,
                },
            },
        }
    }
    check_algorithm(algorithm.as_deref(), fields)?;
    let metadata = input.metadata.iter().flatten();
    check_metadata_size(metadata.map(|(name, value)| (name.as_str(), value.as_bytes())))?;
    Ok(input)
}

/// What comes back in a header must be one. S3 stores more; where it changes a text on the way, nothing here does.
fn header_value(name: &str, value: &str) -> S3Result<String> {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(value.to_owned())
    } else {
        Err(not_implemented(&format!("{name} that is not printable ASCII")))
    }
}

fn check_known(name: &str, value: &str) -> S3Result<()> {
    if SIGNING.contains(&name) || ONLY_VALUES.contains(&(name, value)) {
        Ok(())
    } else {
        Err(not_implemented(&format!("{name} of PostObject")))
    }
}

/// The bucket owner owns every object ("Controlling ownership of objects" in the S3 user guide).
fn check_acl(acl: &str) -> S3Result<()> {
    if acl == "bucket-owner-full-control" {
        return Ok(());
    }
    let message = "The bucket does not allow ACLs";
    Err(S3Error::with_message(S3ErrorCode::AccessControlListNotSupported, message))
}

fn expires(text: &str) -> S3Result<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, text)
        .map_err(|_| S3Error::with_message(S3ErrorCode::InvalidArgument, "Expires is not a date of HTTP."))
}

/// Whoever names an algorithm must send its checksum.
fn check_algorithm(algorithm: Option<&str>, fields: &Fields) -> S3Result<()> {
    let Some(algorithm) = algorithm else { return Ok(()) };
    let field = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
    if fields.get(&field).is_some() {
        return Ok(());
    }
    let message =
        "x-amz-checksum-algorithm specified, but no corresponding x-amz-checksum-* fields were found.";
    Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
}
