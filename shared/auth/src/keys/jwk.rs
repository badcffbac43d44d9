//! JSON Web Keys (RFC 7517) of the two kinds that are used here, private ones with the generation that they sign in.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::KeyError;

/// One key: the fields of RFC 7518, section 6.2, or of RFC 8037, and the generation.
#[derive(Clone, Serialize, Deserialize)]
pub struct Jwk {
    pub(super) kty: String,
    pub(super) crv: String,
    #[serde(rename = "use")]
    pub(super) usage: String,
    pub(super) alg: String,
    /// RFC 7638 thumbprint.
    pub(super) kid: String,
    /// Public key; of a curve with two coordinates, the first.
    pub(super) x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) y: Option<String>,
    /// Private key; absent from public sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) d: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<u32>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct JwkSet {
    pub(super) keys: Vec<Jwk>,
}

impl Jwk {
    pub(super) fn public(&self) -> Self {
        Self { d: None, generation: None, ..self.clone() }
    }

    /// Refuses a key that is not of this type, curve and algorithm.
    pub(super) fn check(&self, kind: [&str; 3]) -> Result<(), KeyError> {
        if [&self.kty, &self.crv, &self.alg] == kind {
            Ok(())
        } else {
            Err(KeyError::Malformed(format!("key {} is of another kind", self.kid)))
        }
    }

    /// The private key's bytes.
    pub(super) fn private(&self) -> Result<[u8; 32], KeyError> {
        bytes32(self.d.as_deref().ok_or_else(|| KeyError::Unknown(self.kid.clone()))?)
    }
}

/// RFC 7638: SHA-256 of the required members, in lexicographic order, without white space.
pub(super) fn thumbprint(canonical: &str) -> String {
    encode(ring::digest::digest(&ring::digest::SHA256, canonical.as_bytes()).as_ref())
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn bytes32(field: &str) -> Result<[u8; 32], KeyError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(field)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| KeyError::Malformed("a key is not 32 bytes of base64url".to_owned()))
}
