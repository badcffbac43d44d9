//! Refresh tokens: opaque to clients, they name the user and the session and carry a secret of 256 random bits, of
//! which only the SHA-256 is stored.

use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use domain::{SessionId, UserId};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::KeyError;

const SECRET_BYTES: usize = 32;
const LENGTH: usize = 16 + 16 + SECRET_BYTES;

/// A refresh token.
pub struct RefreshToken {
    user_id: UserId,
    session_id: SessionId,
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// A fresh one.
    pub fn generate(user_id: UserId, session_id: SessionId) -> Result<Self, KeyError> {
        let mut secret = [0; SECRET_BYTES];
        SystemRandom::new().fill(&mut secret).map_err(|_| KeyError::Randomness)?;
        Ok(Self { user_id, session_id, secret })
    }

    /// From what a client sent; `None` if it is not one of ours by its form.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; LENGTH] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let uuid = |range: std::ops::Range<usize>| Uuid::from_slice(&bytes[range]).ok();
        Some(Self {
            user_id: UserId::new(uuid(0..16)?),
            session_id: SessionId::new(uuid(16..32)?),
            secret: bytes[32..].try_into().ok()?,
        })
    }

    /// The text for the client.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(self.user_id.uuid().as_bytes());
        bytes.extend_from_slice(self.session_id.uuid().as_bytes());
        bytes.extend_from_slice(&self.secret);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whose session it names.
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Which session it names.
    pub fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// What is stored of it.
    pub fn sha256(&self) -> String {
        BASE64_STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, &self.secret))
    }

    /// Whether this is the token of which `sha256` is stored. In constant time.
    pub fn matches(&self, sha256: &str) -> bool {
        self.sha256().as_bytes().ct_eq(sha256.as_bytes()).into()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("RefreshToken").field(&self.session_id).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_matches_only_its_own_digest() {
        let (user_id, session_id) = (UserId::new(Uuid::from_u128(1)), SessionId::new(Uuid::from_u128(2)));
        let token = RefreshToken::generate(user_id, session_id).unwrap();
        let parsed = RefreshToken::parse(&token.to_text()).unwrap();
        assert_eq!((parsed.user_id(), parsed.session_id()), (user_id, session_id));
        assert!(parsed.matches(&token.sha256()));
        let other = RefreshToken::generate(user_id, session_id).unwrap();
        assert!(!other.matches(&token.sha256()));
        assert!(RefreshToken::parse("x").is_none());
    }
}
