//! Signing what an HTML form may upload: a POST policy, by Signature Version 4. The SDK has no signer for it.
//!
//! Follows "POST policy" and "Authenticating requests in browser-based uploads using POST (AWS Signature Version 4)" in
//! the S3 API reference. Every field of the form is pinned by a condition, since S3 refuses one that is not. Fields,
//! their order and the policy's JSON are, byte for byte, those of botocore's `generate_presigned_post`; the vectors in
//! `tests/local/conformance/vectors` hold it to that.

use std::ops::RangeInclusive;

use aws_credential_types::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{SizeBytes, Timestamp};
use ring::hmac;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "s3";

/// What a form has to be.
#[derive(Clone, Debug)]
pub(crate) struct PostPolicy {
    fields: Vec<(String, String)>,
    /// Each in JSON.
    conditions: Vec<String>,
}

impl PostPolicy {
    pub(crate) fn new() -> Self {
        Self { fields: Vec::new(), conditions: Vec::new() }
    }

    /// With a field of just this value.
    #[must_use]
    pub(crate) fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.conditions.push(equal(name, &value));
        self.fields.push((name.to_owned(), value));
        self
    }

    /// With a file whose length lies in this range.
    #[must_use]
    pub(crate) fn size_bytes(mut self, range: &RangeInclusive<SizeBytes>) -> Self {
        self.conditions.push(format!(r#"["content-length-range", {}, {}]"#, range.start(), range.end()));
        self
    }

    /// The fields of a form that stores an object under `key`, signed at `now`, until `expires_at`.
    pub(crate) fn sign(
        mut self,
        (bucket, key): (&str, &str),
        credentials: &Credentials,
        region: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Vec<(String, String)> {
        // `20261120T081530Z`, from `2026-11-20T08:15:30Z`.
        let time = now.to_string().replace(['-', ':'], "");
        let date = time.split('T').next().unwrap_or(&time);
        let scope = format!("{date}/{region}/{SERVICE}/aws4_request");
        self.conditions.push(equal("bucket", bucket));
        self = self
            .field("key", key)
            .field("x-amz-algorithm", ALGORITHM)
            .field("x-amz-credential", format!("{}/{scope}", credentials.access_key_id()))
            .field("x-amz-date", &time);
        if let Some(token) = credentials.session_token() {
            self = self.field("x-amz-security-token", token);
        }
        let document = format!(
            r#"{{"expiration": {}, "conditions": [{}]}}"#,
            json_text(&expires_at.to_string()),
            self.conditions.join(", "),
        );
        let policy = STANDARD.encode(document);
        let signature = sign(credentials.secret_access_key(), &scope, &policy);
        self.fields.extend([("policy".to_owned(), policy), ("x-amz-signature".to_owned(), signature)]);
        self.fields
    }
}

/// The condition that a field is just this.
fn equal(name: &str, value: &str) -> String {
    format!("{{{}: {}}}", json_text(name), json_text(value))
}

/// A text in JSON, of ASCII only.
fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string().chars().fold(String::new(), |mut json, character| {
        if character.is_ascii() {
            json.push(character);
            return json;
        }
        character.encode_utf16(&mut [0; 2]).iter().fold(json, |json, unit| json + &format!("\\u{unit:04x}"))
    })
}

/// The signature of a string to sign, in hexadecimal.
fn sign(secret_access_key: &str, scope: &str, string_to_sign: &str) -> String {
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let secret = key(format!("AWS4{secret_access_key}").as_bytes());
    let signing_key =
        scope.split('/').fold(secret, |signing, part| key(hmac::sign(&signing, part.as_bytes()).as_ref()));
    let signature = hmac::sign(&signing_key, string_to_sign.as_bytes());
    signature.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::{json_text, sign};

    /// "Examples: Browser-Based Upload using HTTP POST (Using AWS Signature Version 4)" in the S3 API reference.
    #[test]
    fn awss_own_example_is_signed_as_there() {
        let policy = [
            "{ \"expiration\": \"2015-12-30T12:00:00.000Z\",",
            "  \"conditions\": [",
            "    {\"bucket\": \"sigv4examplebucket\"},",
            "    [\"starts-with\", \"$key\", \"user/user1/\"],",
            "    {\"acl\": \"public-read\"},",
            "    {\"success_action_redirect\": \"http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html\"},",
            "    [\"starts-with\", \"$Content-Type\", \"image/\"],",
            "    {\"x-amz-meta-uuid\": \"14365123651274\"},",
            "    {\"x-amz-server-side-encryption\": \"AES256\"},",
            "    [\"starts-with\", \"$x-amz-meta-tag\", \"\"],",
            "",
            "    {\"x-amz-credential\": \"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request\"},",
            "    {\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"},",
            "    {\"x-amz-date\": \"20151229T000000Z\" }",
            "  ]",
            "}",
        ];
        let policy = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, policy.join("\r\n"));
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let signature = sign(secret, "20151229/us-east-1/s3/aws4_request", &policy);
        assert_eq!(signature, "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e");
    }

    #[test]
    fn json_is_of_ascii_only() {
        assert_eq!(json_text("a\"\\\n\u{1}é😀"), r#""a\"\\\n\u0001\u00e9\ud83d\ude00""#);
    }
}
