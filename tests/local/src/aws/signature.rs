//! Signature Version 4: what a request is as it was signed, and whether its signature is that of its key.
//!
//! Follows "Create a signed AWS API request" in the IAM user guide, and for S3 "Authenticating Requests (AWS Signature
//! Version 4)" in the S3 API reference, which writes paths otherwise and tells the payload's hash in a header. Every
//! signed header must be present. AWS's published vectors are the measure.

use http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The algorithm that an `Authorization` header names.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How far a request's time may lie from ours.
pub(crate) const MAXIMUM_SKEW: time::Duration = time::Duration::minutes(15);

/// Who signed, for where: `{access key}/{date}/{region}/{service}/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialScope {
    pub(crate) access_key_id: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl CredentialScope {
    /// Reads a credential; access keys hold no slash.
    pub(crate) fn parse(credential: &str) -> Option<CredentialScope> {
        let mut parts = credential.split('/');
        let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        let scope =
            CredentialScope { access_key_id: next()?, date: next()?, region: next()?, service: next()? };
        (next()? == "aws4_request" && parts.next().is_none()).then_some(scope)
    }
}

/// An `Authorization` header, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) scope: CredentialScope,
    /// Lower-case header names in the signer's order, which must be sorted.
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
}

impl Authorization {
    /// Reads the value of an `Authorization` header.
    pub(crate) fn parse(header: &str) -> Result<Authorization, SignatureError> {
        let incomplete = |part: &str| {
            SignatureError::Incomplete(format!("Authorization header requires '{part}' parameter."))
        };
        let fields = header.strip_prefix(ALGORITHM).ok_or_else(|| {
            SignatureError::Incomplete(format!("Authorization header requires algorithm {ALGORITHM}."))
        })?;
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let credential = field("Credential").ok_or_else(|| incomplete("Credential"))?;
        Ok(Authorization {
            scope: CredentialScope::parse(credential).ok_or_else(|| {
                SignatureError::Incomplete(
                    "Credential must have exactly 5 slash-delimited elements: \
                     keyid/date/region/service/aws4_request."
                        .to_owned(),
                )
            })?,
            signed_headers: field("SignedHeaders")
                .ok_or_else(|| incomplete("SignedHeaders"))?
                .split(';')
                .map(str::to_owned)
                .collect(),
            signature: field("Signature").ok_or_else(|| incomplete("Signature"))?.to_owned(),
        })
    }
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    /// A part of it is missing or malformed.
    #[error("{0}")]
    Incomplete(String),
    /// Signed too long ago, or for the future.
    #[error("Signature not current: {0} is more than 15 minutes from the server's time")]
    Skewed(String),
    /// Signed for another region, service or day.
    #[error("Credential should be scoped to {0}")]
    Scope(String),
    /// Not what the key signs for this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. \
         Check your AWS Secret Access Key and signing method."
    )]
    Mismatch,
}

/// How the path of a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Without empty segments and dots, and encoded once more than it is sent.
    Normalized,
    /// As it is, encoded once: S3's keys are data, never a path.
    AsSent,
}

/// A request as it was signed.
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) path: Path,
    /// In hexadecimal, or one of the words that stand for it.
    pub(crate) payload_sha256: &'a str,
}

impl SignedRequest<'_> {
    /// Checks the signature of a request against the secret of its access key. `region` is `None` while no stack has
    /// been installed yet, and then any region passes.
    pub(crate) fn verify(
        &self,
        authorization: &Authorization,
        secret_access_key: &str,
        region: Option<&str>,
        service: &str,
        now: OffsetDateTime,
    ) -> Result<(), SignatureError> {
        let scope = &authorization.scope;
        let time = self.header("x-amz-date").ok_or_else(|| {
            SignatureError::Incomplete(
                "Authorization header requires existence of a 'X-Amz-Date' header.".into(),
            )
        })?;
        let signed_at = parse_time(&time).ok_or_else(|| {
            SignatureError::Incomplete(format!("'{time}' is not a date like 20130524T000000Z."))
        })?;
        if (now - signed_at).abs() > MAXIMUM_SKEW {
            return Err(SignatureError::Skewed(time));
        }
        if !time.starts_with(&scope.date) {
            return Err(SignatureError::Scope(format!("the date of X-Amz-Date, {time}")));
        }
        if region.is_some_and(|region| region != scope.region) {
            return Err(SignatureError::Scope("a valid region".to_owned()));
        }
        if service != scope.service {
            return Err(SignatureError::Scope(format!("correct service: '{service}'.")));
        }
        self.compare(authorization, &time, secret_access_key)
    }

    /// Compares a signature, wherever it was sent, with what the secret signs at that time. The time itself is not judged.
    pub(crate) fn compare(
        &self,
        authorization: &Authorization,
        time: &str,
        secret_access_key: &str,
    ) -> Result<(), SignatureError> {
        let canonical_request = self.canonical(&authorization.signed_headers)?;
        let expected = sign(secret_access_key, &authorization.scope, time, &canonical_request);
        if expected.as_bytes().ct_eq(authorization.signature.as_bytes()).into() {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    /// The canonical request.
    fn canonical(&self, signed_headers: &[String]) -> Result<String, SignatureError> {
        if !signed_headers.iter().any(|name| name == "host") {
            return Err(SignatureError::Incomplete(
                "'Host' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
            ));
        }
        if !signed_headers.is_sorted() {
            return Err(SignatureError::Mismatch);
        }
        let mut headers = String::new();
        for name in signed_headers {
            let value = self.header(name).ok_or(SignatureError::Mismatch)?;
            headers.extend([name.as_str(), ":", value.as_str(), "\n"]);
        }
        Ok(format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            self.method,
            canonical_path(self.path, self.uri.path()),
            canonical_query(self.uri.query().unwrap_or_default()),
            signed_headers.join(";"),
            self.payload_sha256,
        ))
    }

    /// A header as it is signed: values joined, outer blanks removed, inner runs of blanks folded.
    fn header(&self, name: &str) -> Option<String> {
        let mut values = self.headers.get_all(name).iter().peekable();
        values.peek()?;
        let values: Option<Vec<String>> = values
            .map(|value| {
                let text = std::str::from_utf8(value.as_bytes()).ok()?;
                Some(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
            })
            .collect();
        Some(values?.join(","))
    }
}

/// The signature of a canonical request, in hexadecimal.
pub(super) fn sign(
    secret_access_key: &str,
    scope: &CredentialScope,
    time: &str,
    canonical_request: &str,
) -> String {
    let string_to_sign = format!(
        "{ALGORITHM}\n{time}\n{}/{}/{}/aws4_request\n{}",
        scope.date,
        scope.region,
        scope.service,
        sha256(canonical_request.as_bytes()),
    );
    sign_text(secret_access_key, scope, &string_to_sign)
}

/// The signature of a string to sign, in hexadecimal.
pub(super) fn sign_text(secret_access_key: &str, scope: &CredentialScope, string_to_sign: &str) -> String {
    let key = [&scope.date, &scope.region, &scope.service, "aws4_request"].into_iter().fold(
        hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret_access_key}").as_bytes()),
        |key, part| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref()),
    );
    hex(hmac::sign(&key, string_to_sign.as_bytes()).as_ref())
}

fn canonical_path(style: Path, path: &str) -> String {
    let encode_segments = |segments: &mut dyn Iterator<Item = Vec<u8>>| {
        segments.map(|segment| percent_encode(&segment, UNRESERVED).to_string()).collect::<Vec<_>>().join("/")
    };
    match style {
        Path::Normalized => {
            let normalized = normalize(path);
            encode_segments(&mut normalized.split('/').map(|segment| segment.as_bytes().to_vec()))
        }
        Path::AsSent => {
            let decoded: Vec<u8> = percent_decode_str(path).collect();
            encode_segments(&mut decoded.split(|byte| *byte == b'/').map(<[u8]>::to_vec))
        }
    }
}

/// Removes empty segments and dots (RFC 3986, section 5.2.4).
fn normalize(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

/// The query without the signature that may be in it.
fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encode(&decoded, UNRESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(name), encode(value))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The SHA-256 of a payload, in hexadecimal.
pub(crate) fn sha256(payload: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, payload).as_ref())
}

/// Reads a time like `20130524T000000Z`.
pub(crate) fn parse_time(text: &str) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(text, format).ok().map(PrimitiveDateTime::assume_utc)
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests;
