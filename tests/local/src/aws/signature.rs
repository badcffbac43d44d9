//! Signature Version 4 in the `Authorization` header, for every service but S3 (whose signatures s3s verifies).
//!
//! Follows "Create a signed AWS API request" in the IAM user guide: the canonical URI is encoded once more than in the
//! request, the payload is hashed from the bytes that arrived, and every signed header must be present.

use http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The algorithm that an `Authorization` header names.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How far a request's time may lie from ours.
const MAXIMUM_SKEW: time::Duration = time::Duration::minutes(15);

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

/// A request as it was signed.
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
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
        let expected = sign(secret_access_key, scope, &time, &self.canonical(&authorization.signed_headers)?);
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
            canonical_path(self.uri.path()),
            canonical_query(self.uri.query().unwrap_or_default()),
            signed_headers.join(";"),
            hex(digest::digest(&digest::SHA256, self.body).as_ref()),
        ))
    }

    /// A header as it is signed: values joined, outer blanks removed, inner runs of blanks folded.
    fn header(&self, name: &str) -> Option<String> {
        let mut values = self.headers.get_all(name).iter().peekable();
        values.peek()?;
        let values: Option<Vec<String>> = values
            .map(|value| Some(value.to_str().ok()?.split_ascii_whitespace().collect::<Vec<_>>().join(" ")))
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
        hex(digest::digest(&digest::SHA256, canonical_request.as_bytes()).as_ref()),
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

fn canonical_path(path: &str) -> String {
    path.split('/')
        .map(|segment| utf8_percent_encode(segment, UNRESERVED).to_string())
        .collect::<Vec<_>>()
        .join("/")
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        utf8_percent_encode(&percent_decode_str(text).decode_utf8_lossy(), UNRESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(name), encode(value))
        })
        .collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use http::{HeaderMap, HeaderName, Method, Uri};
    use time::{Duration, OffsetDateTime};

    use super::{Authorization, SignatureError, SignedRequest, parse_time};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// A request of AWS's Signature Version 4 test suite.
    struct Vector {
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: &'static [u8],
    }

    impl Vector {
        fn new(
            method: Method,
            uri: &'static str,
            more: &[(&'static str, &'static str)],
            body: &'static [u8],
        ) -> Vector {
            let mut headers = HeaderMap::new();
            let all = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
            for (name, value) in all.iter().chain(more) {
                headers.append(HeaderName::from_static(name), value.parse().unwrap());
            }
            Vector { method, uri: Uri::from_static(uri), headers, body }
        }

        fn verify(&self, signed_headers: &str, signature: &str) -> Result<(), SignatureError> {
            self.verify_at(signed_headers, signature, parse_time("20150830T123600Z").unwrap())
        }

        fn verify_at(
            &self,
            signed_headers: &str,
            signature: &str,
            now: OffsetDateTime,
        ) -> Result<(), SignatureError> {
            let header = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={signed_headers}, Signature={signature}"
            );
            let authorization = Authorization::parse(&header).unwrap();
            let request = SignedRequest {
                method: &self.method,
                uri: &self.uri,
                headers: &self.headers,
                body: self.body,
            };
            request.verify(&authorization, SECRET, Some("us-east-1"), "service", now)
        }
    }

    const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    #[test]
    fn awss_published_vectors_are_accepted() {
        let vanilla = Vector::new(Method::GET, "/", &[], b"");
        vanilla.verify("host;x-amz-date", VANILLA).unwrap();
        let query = Vector::new(Method::GET, "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", &[], b"");
        let signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac";
        query.verify("host;x-amz-date", signature).unwrap();
        let blanks = [("my-header1", " value1"), ("my-header2", " \"a   b   c\"")];
        let trimmed = Vector::new(Method::GET, "/", &blanks, b"");
        let signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736";
        trimmed.verify("host;my-header1;my-header2;x-amz-date", signature).unwrap();
        let form = [
            ("content-length", "13"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
        ];
        let form = Vector::new(Method::POST, "/", &form, b"Param1=value1");
        let signature = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b";
        form.verify("content-length;content-type;host;x-amz-content-sha256;x-amz-date", signature).unwrap();
    }

    #[test]
    fn every_part_of_the_request_is_signed() {
        let signed_headers = "host;x-amz-date";
        let changed = [
            Vector::new(Method::PUT, "/", &[], b""),
            Vector::new(Method::GET, "/a", &[], b""),
            Vector::new(Method::GET, "/?a=b", &[], b""),
            Vector::new(Method::GET, "/", &[], b"x"),
            Vector::new(Method::GET, "/", &[("host", "elsewhere")], b""),
        ];
        for request in changed {
            assert_eq!(request.verify(signed_headers, VANILLA), Err(SignatureError::Mismatch));
        }
        let vanilla = Vector::new(Method::GET, "/", &[], b"");
        let other = VANILLA.replace('5', "6");
        assert_eq!(vanilla.verify(signed_headers, &other), Err(SignatureError::Mismatch));
        assert_eq!(vanilla.verify("host;missing;x-amz-date", VANILLA), Err(SignatureError::Mismatch));
        assert!(matches!(vanilla.verify("x-amz-date", VANILLA), Err(SignatureError::Incomplete(_))));
    }

    #[test]
    fn a_request_is_valid_for_fifteen_minutes_either_way() {
        let (vanilla, signed_headers) = (Vector::new(Method::GET, "/", &[], b""), "host;x-amz-date");
        let signed_at = parse_time("20150830T123600Z").unwrap();
        for minutes in [-15, 15] {
            let at = signed_at + Duration::minutes(minutes);
            vanilla.verify_at(signed_headers, VANILLA, at).unwrap();
            let at = at + Duration::seconds(minutes.signum());
            let result = vanilla.verify_at(signed_headers, VANILLA, at);
            assert!(matches!(result, Err(SignatureError::Skewed(_))));
        }
    }

    #[test]
    fn an_incomplete_header_is_told_from_a_wrong_one() {
        let incomplete = [
            "Bearer x",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request/e, SignedHeaders=host, Signature=0",
        ];
        for header in incomplete {
            assert!(matches!(Authorization::parse(header), Err(SignatureError::Incomplete(_))), "{header}");
        }
    }
}
