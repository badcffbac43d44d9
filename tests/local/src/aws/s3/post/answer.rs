//! How a form that was stored is answered: by an empty document, by `PostResponse`, or by sending the browser on.
//! Follows "POST Object" in the S3 API reference, on `success_action_redirect` and `success_action_status`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Error, S3ErrorCode};

use super::fields::Fields;
use crate::aws::protocol::{Fault, escape_xml};
use crate::aws::s3::index::{Content, NULL_VERSION, Version};

/// What RFC 3986 leaves as it is. The slashes of a key are encoded in the URL of the object.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The answer to a form whose object is there.
pub(super) fn answer(
    fields: &Fields,
    host: &str,
    bucket: &str,
    version: &Version,
) -> Result<Response<Full<Bytes>>, Fault> {
    let content = version.content.as_ref().ok_or(S3Error::from(S3ErrorCode::InternalError))?;
    let e_tag = format!("\"{}\"", content.e_tag);
    let url = format!("http://{host}/{bucket}/{}", utf8_percent_encode(&version.key, UNRESERVED));
    let mut response = Response::new(Full::default());
    let mut location = url.clone();
    *response.status_mut() = match (redirect(fields), fields.get("success_action_status")) {
        (Some(redirect), _) => {
            location = with_parameters(redirect, bucket, &version.key, &e_tag);
            StatusCode::SEE_OTHER
        }
        (None, Some("200")) => StatusCode::OK,
        (None, Some("201")) => StatusCode::CREATED,
        (None, _) => StatusCode::NO_CONTENT,
    };
    if response.status() == StatusCode::CREATED {
        *response.body_mut() = Full::from(document(&url, bucket, &version.key, &e_tag));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    add_headers(response.headers_mut(), version, content, &e_tag, &location)?;
    Ok(response)
}

/// Where the form wants the browser to go. What is no URL counts as nothing.
fn redirect(fields: &Fields) -> Option<&str> {
    let url = fields.get("success_action_redirect").or_else(|| fields.get("redirect"))?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let is_url = rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
    (is_url && HeaderValue::from_str(url).is_ok()).then_some(url)
}

fn with_parameters(url: &str, bucket: &str, key: &str, e_tag: &str) -> String {
    let parameters = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("bucket", bucket), ("key", key), ("etag", e_tag)])
        .finish();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameters}")
}

fn document(url: &str, bucket: &str, key: &str, e_tag: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location><Bucket>{}</Bucket>\
         <Key>{}</Key><ETag>{}</ETag></PostResponse>",
        escape_xml(url),
        escape_xml(bucket),
        escape_xml(key),
        escape_xml(e_tag),
    )
}

fn add_headers(
    headers: &mut HeaderMap,
    version: &Version,
    content: &Content,
    e_tag: &str,
    location: &str,
) -> Result<(), Fault> {
    let checksums = &content.checksums;
    let values = [
        ("etag", Some(e_tag)),
        ("location", Some(location)),
        ("x-amz-server-side-encryption", Some("AES256")),
        ("x-amz-version-id", (version.version_id != NULL_VERSION).then_some(version.version_id.as_str())),
        ("x-amz-checksum-type", Some("FULL_OBJECT")),
        ("x-amz-checksum-crc32", checksums.crc32.as_deref()),
        ("x-amz-checksum-crc32c", checksums.crc32c.as_deref()),
        ("x-amz-checksum-crc64nvme", checksums.crc64nvme.as_deref()),
        ("x-amz-checksum-sha1", checksums.sha1.as_deref()),
        ("x-amz-checksum-sha256", checksums.sha256.as_deref()),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            let value = HeaderValue::from_str(value).map_err(|error| Fault::internal(&error))?;
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Ok(())
}
