//! CloudFront signed URLs.
//!
//! Follows "Create a signed URL using a canned policy" and "… using a custom policy" in the CloudFront Developer Guide.
//! A canned policy says until when one URL works; it is not in the URL, because CloudFront builds it anew from `Expires`.
//! Whatever says more is a custom policy and comes along: from where, from when on, or a wildcard that covers a folder.
//! Policies are, byte for byte, those of botocore's `CloudFrontSigner`.
//!
//! Signatures are ECDSA over P-256 with SHA-256, which the URL has to say: what CloudFront takes for granted is SHA-1.
//! They cover no method: whoever may GET may HEAD.

use auth::CdnSigningKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{PlaybackConditions, Timestamp};
use serde_json::json;

use crate::error::BucketError;

const OPERATION: &str = "signing for CloudFront";

/// Signs URLs of a distribution.
#[derive(Debug)]
pub struct CloudFrontSigner {
    distribution_url: String,
    key_pair_id: String,
    key: CdnSigningKey,
}

impl CloudFrontSigner {
    /// For the distribution at `distribution_url`, which has no slash at its end. `key_pair_id` is CloudFront's id of the
    /// public key that belongs to `key`.
    pub fn new(
        distribution_url: impl Into<String>,
        key_pair_id: impl Into<String>,
        key: CdnSigningKey,
    ) -> Self {
        Self { distribution_url: distribution_url.into(), key_pair_id: key_pair_id.into(), key }
    }

    /// The URL of one object, with a query if it has one, that works until `expires_at`.
    pub fn sign_object(
        &self,
        key_and_query: &str,
        expires_at: Timestamp,
        conditions: &PlaybackConditions,
    ) -> Result<String, BucketError> {
        let resource = format!("{}/{key_and_query}", self.distribution_url);
        let query = self.sign(&Policy { resource: &resource, expires_at, conditions })?;
        let separator = if resource.contains('?') { '&' } else { '?' };
        Ok(format!("{resource}{separator}{query}"))
    }

    /// A query that opens every object whose key begins with `folder`, such as `media/{media_id}/`, until `expires_at`: one
    /// signature for all renditions and segments of a media.
    pub fn sign_folder(
        &self,
        folder: &str,
        expires_at: Timestamp,
        conditions: &PlaybackConditions,
    ) -> Result<String, BucketError> {
        let resource = format!("{}/{folder}*", self.distribution_url);
        self.sign(&Policy { resource: &resource, expires_at, conditions })
    }

    fn sign(&self, policy: &Policy<'_>) -> Result<String, BucketError> {
        let signature = self
            .key
            .sign(policy.to_json().as_bytes())
            .map_err(|error| BucketError::Refused { operation: OPERATION, reason: error.to_string() })?;
        Ok(policy.query(&signature, &self.key_pair_id))
    }
}

/// What a signature says.
struct Policy<'a> {
    /// A URL, or one with a wildcard.
    resource: &'a str,
    expires_at: Timestamp,
    conditions: &'a PlaybackConditions,
}

impl Policy<'_> {
    /// Without white space, and with the members in just this order, which a canned policy is rebuilt in.
    fn to_json(&self) -> String {
        use std::fmt::Write as _;
        let mut condition =
            format!(r#""DateLessThan":{{"AWS:EpochTime":{}}}"#, self.expires_at.unix_seconds());
        // Writing to a text cannot fail.
        if let Some(ip) = self.conditions.ip {
            let _ = write!(condition, r#","IpAddress":{{"AWS:SourceIp":"{ip}"}}"#);
        }
        if let Some(not_before) = self.conditions.not_before {
            let seconds = not_before.unix_seconds();
            let _ = write!(condition, r#","DateGreaterThan":{{"AWS:EpochTime":{seconds}}}"#);
        }
        let resource = json!(self.resource);
        format!(r#"{{"Statement":[{{"Resource":{resource},"Condition":{{{condition}}}}}]}}"#)
    }

    fn is_canned(&self) -> bool {
        self.conditions.is_empty() && !self.resource.contains('*')
    }

    /// What is added to the URL.
    fn query(&self, signature: &[u8], key_pair_id: &str) -> String {
        let policy = if self.is_canned() {
            format!("Expires={}", self.expires_at.unix_seconds())
        } else {
            format!("Policy={}", url_safe(self.to_json().as_bytes()))
        };
        let signature = url_safe(signature);
        format!("{policy}&Signature={signature}&Key-Pair-Id={key_pair_id}&Hash-Algorithm=SHA256")
    }
}

/// CloudFront's own base64 for URLs, which is not that of RFC 4648.
fn url_safe(bytes: &[u8]) -> String {
    STANDARD.encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~")
}

#[cfg(test)]
mod tests {
    use auth::CdnKeyRing;
    use ring::digest::{SHA256, digest};
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!("../../../tests/local/conformance/vectors/cloudfront.json");
    const DISTRIBUTION_URL: &str = "https://d111111abcdef8.cloudfront.net";

    fn end() -> Timestamp {
        Timestamp::from_unix_seconds(1_795_162_530)
    }

    /// What is signed is botocore's policy, and the URL is put together as botocore does it.
    #[test]
    fn policies_and_urls_are_botocores() {
        let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
        assert!(vectors.len() > 10);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let conditions = PlaybackConditions {
                ip: vector["ip"].as_str().map(|ip| ip.parse().unwrap()),
                not_before: vector["not_before"].as_i64().map(Timestamp::from_unix_seconds),
            };
            let expires_at = Timestamp::from_unix_seconds(vector["expires_at"].as_i64().unwrap());
            let resource = match vector["folder"].as_str() {
                Some(folder) => format!("{}/{folder}*", text("distribution_url")),
                None => format!("{}/{}", text("distribution_url"), text("key")),
            };
            let policy = Policy { resource: &resource, expires_at, conditions: &conditions };
            assert_eq!(policy.to_json(), text("policy"));
            let signature = digest(&SHA256, policy.to_json().as_bytes());
            let query = policy.query(signature.as_ref(), text("key_pair_id"));
            let url = format!("{}&Hash-Algorithm=SHA256", text("url"));
            assert!(
                url.ends_with(&format!("{}{query}", if text("key").contains('?') { '&' } else { '?' })),
                "{url}\n{query}"
            );
        }
    }

    fn signed() -> (CloudFrontSigner, UnparsedPublicKey<Vec<u8>>) {
        let ring = CdnKeyRing::new().advance_to(1).unwrap();
        let key = ring.signing_key(ring.signing_key_id(1).unwrap()).unwrap();
        let public_key = ring.public_keys(1).unwrap().remove(0);
        let pem: String = public_key.pem.lines().filter(|line| !line.starts_with('-')).collect();
        // A public key's last 65 bytes are the point.
        let der = STANDARD.decode(pem).unwrap();
        let public_key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der[der.len() - 65..].to_vec());
        (CloudFrontSigner::new(DISTRIBUTION_URL, "K2JCJMDEHXQW5F", key), public_key)
    }

    fn parameter(query: &str, name: &str) -> Option<String> {
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    }

    fn decoded(text: &str) -> Vec<u8> {
        STANDARD.decode(text.replace('-', "+").replace('_', "=").replace('~', "/")).unwrap()
    }

    #[test]
    fn a_canned_policy_is_signed_and_not_sent() {
        let (signer, public_key) = signed();
        for key in ["media/a/source", "media/a/source?response-content-disposition=attachment"] {
            let url = signer.sign_object(key, end(), &PlaybackConditions::default()).unwrap();
            let query = url.strip_prefix(&format!("{DISTRIBUTION_URL}/{key}")).unwrap();
            assert!(query.starts_with(if key.contains('?') { '&' } else { '?' }), "{query}");
            let query = &query[1..];
            assert_eq!(parameter(query, "Expires").as_deref(), Some("1795162530"));
            assert_eq!((parameter(query, "Policy"), query.split('&').count()), (None, 4));
            let policy = format!(
                r#"{{"Statement":[{{"Resource":"{DISTRIBUTION_URL}/{key}","Condition":{{"DateLessThan":{{"AWS:EpochTime":1795162530}}}}}}]}}"#
            );
            let signature = decoded(&parameter(query, "Signature").unwrap());
            public_key.verify(policy.as_bytes(), &signature).unwrap();
        }
    }

    #[test]
    fn a_custom_policy_comes_along() {
        let (signer, public_key) = signed();
        let conditions = PlaybackConditions { ip: Some("203.0.113.7".parse().unwrap()), not_before: None };
        let object = signer.sign_object("media/a/source", end(), &conditions).unwrap();
        let folder = signer.sign_folder("media/a/", end(), &PlaybackConditions::default()).unwrap();
        for (query, resource) in
            [(object.split_once('?').unwrap().1, "media/a/source"), (folder.as_str(), "media/a/*")]
        {
            let policy = decoded(&parameter(query, "Policy").unwrap());
            public_key.verify(&policy, &decoded(&parameter(query, "Signature").unwrap())).unwrap();
            let policy: Value = serde_json::from_slice(&policy).unwrap();
            assert_eq!(policy["Statement"][0]["Resource"], format!("{DISTRIBUTION_URL}/{resource}"));
            assert_eq!(parameter(query, "Expires"), None);
        }
    }

    #[test]
    fn no_bytes_are_encoded_in_what_a_query_means_otherwise() {
        assert_eq!(url_safe(&[0xfb, 0xff, 0xfe, 0xff]), "-~~-~w__");
    }
}
