//! Signed URLs: what a viewer's query says, and whether its signature holds.
//!
//! Follows "Create a signed URL using a canned policy" and "… using a custom policy" in the CloudFront developer guide. A
//! canned policy is not sent: CloudFront writes it again from the URL and `Expires`, byte for byte as it has to be signed. A
//! custom one comes as `Policy`, and its own bytes are what is signed. `Hash-Algorithm` is SHA-1 where nothing is said.
//!
//! What does not hold is refused with 403. `MissingKey` and `InvalidKey` are what "How do I troubleshoot issues related to a
//! signed URL" tells; of all else CloudFront says no more than `AccessDenied`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use http::Uri;
use percent_encoding::percent_decode_str;

use super::policy::{CannedPolicy, Policy};
use crate::aws::{HashAlgorithm, PublicKey, Verdict};

/// What CloudFront takes out of a query before it looks at the rest.
const PARAMETERS: [&str; 5] = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];

/// Why a viewer is not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Missing Key-Pair-Id query parameter or cookie value")]
    MissingKey,
    #[error("Unknown Key")]
    UnknownKey,
    #[error("Malformed Policy")]
    MalformedPolicy,
    #[error("Access denied")]
    AccessDenied,
    #[error(
        "This distribution is not configured to allow the HTTP request method that was used for this request."
    )]
    MethodNotAllowed,
    #[error("The Host header is not the domain name of the distribution.")]
    WrongHost,
    #[error("The URL cannot be read.")]
    MalformedUrl,
    #[error(
        "ECDSA over SHA-1 is not implemented by the local stack; sign over SHA-256 and say Hash-Algorithm=SHA256."
    )]
    NotImplemented,
    #[error("The public keys cannot be read: {0}")]
    Internal(#[from] rusqlite::Error),
}

impl Refusal {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Refusal::MissingKey => "MissingKey",
            Refusal::UnknownKey => "InvalidKey",
            Refusal::MalformedPolicy => "MalformedPolicy",
            Refusal::AccessDenied | Refusal::WrongHost => "AccessDenied",
            Refusal::MethodNotAllowed => "MethodNotAllowed",
            Refusal::MalformedUrl => "InvalidURI",
            Refusal::NotImplemented => "NotImplemented",
            Refusal::Internal(_) => "InternalError",
        }
    }
}

/// A URL as it was sent.
pub(super) struct SignedUrl {
    /// The URL without CloudFront's parameters: what a policy's resource is compared with.
    resource: String,
    /// CloudFront's parameters, by name.
    parameters: BTreeMap<String, String>,
    /// The query without them.
    pub(super) query: String,
}

impl SignedUrl {
    /// Reads a URL. One in which a parameter of CloudFront's is there twice is refused: one reading could be signed, and the
    /// other used.
    pub(super) fn read(host: &str, uri: &Uri) -> Result<SignedUrl, Refusal> {
        let mut parameters = BTreeMap::new();
        let mut rest = Vec::new();
        for parameter in uri.query().unwrap_or_default().split('&').filter(|one| !one.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if !PARAMETERS.contains(&name) {
                rest.push(parameter);
                continue;
            }
            let value = percent_decode_str(value).decode_utf8().map_err(|_| Refusal::AccessDenied)?;
            if parameters.insert(name.to_owned(), value.into_owned()).is_some() {
                return Err(Refusal::AccessDenied);
            }
        }
        let query = rest.join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let resource = format!("http://{host}{}{mark}{query}", uri.path());
        Ok(SignedUrl { resource, parameters, query })
    }

    /// Whether one of the keys has signed this URL, for this viewer and this moment.
    pub(super) fn verify(
        &self,
        key: impl FnOnce(&str) -> Result<Option<PublicKey>, rusqlite::Error>,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let key_pair_id = self.parameter("Key-Pair-Id").ok_or(Refusal::MissingKey)?;
        let key = key(key_pair_id)?.ok_or(Refusal::UnknownKey)?;
        let policy = self.policy()?;
        let signature = self.parameter("Signature").and_then(decode).ok_or(Refusal::AccessDenied)?;
        let hash = match self.parameter("Hash-Algorithm") {
            None | Some("SHA1") => HashAlgorithm::Sha1,
            Some("SHA256") => HashAlgorithm::Sha256,
            Some(_) => return Err(Refusal::AccessDenied),
        };
        match key.verify(hash, &policy, &signature) {
            Verdict::Genuine => {}
            Verdict::Forged => return Err(Refusal::AccessDenied),
            Verdict::NotImplemented => return Err(Refusal::NotImplemented),
        }
        let policy = Policy::parse(&policy).ok_or(Refusal::MalformedPolicy)?;
        if policy.allows(&self.resource, address, now) { Ok(()) } else { Err(Refusal::AccessDenied) }
    }

    /// A parameter that is there and not empty.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The policy's text, as it has to be signed. A custom one counts where both are there.
    fn policy(&self) -> Result<Vec<u8>, Refusal> {
        if let Some(policy) = self.parameter("Policy") {
            return decode(policy).ok_or(Refusal::MalformedPolicy);
        }
        let expires = self.parameter("Expires").ok_or(Refusal::AccessDenied)?;
        let policy = CannedPolicy { resource: &self.resource, expires };
        Ok(policy.to_string().into_bytes())
    }
}

/// Base64 in which what a query cannot hold is replaced: `+` by `-`, `=` by `_`, `/` by `~`.
fn decode(text: &str) -> Option<Vec<u8>> {
    let base64 = text.chars().map(|character| match character {
        '-' => '+',
        '_' => '=',
        '~' => '/',
        // What is replaced has no second spelling.
        '+' | '=' | '/' => ' ',
        other => other,
    });
    STANDARD.decode(base64.collect::<String>()).ok()
}

#[cfg(test)]
mod tests;
