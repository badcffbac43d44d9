//! Refresh tokens: opaque to clients, they name the user and the session and carry two secrets: one that all tokens of
//! the session share, which tells that a token was issued once, and one of its own. Only SHA-256 of each is stored.

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use domain::{SessionId, UserId};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::KeyError;

const FAMILY_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

// Where each part is.
const USER_ID: Range<usize> = 0..16;
const SESSION_ID: Range<usize> = 16..32;
const FAMILY: Range<usize> = 32..32 + FAMILY_BYTES;
const SECRET: Range<usize> = FAMILY.end..FAMILY.end + SECRET_BYTES;

/// A refresh token.
pub struct RefreshToken {
    user_id: UserId,
    session_id: SessionId,
    family: [u8; FAMILY_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// The first one of a session.
    pub fn generate(user_id: UserId, session_id: SessionId) -> Result<Self, KeyError> {
        Ok(Self { user_id, session_id, family: random()?, secret: random()? })
    }

    /// Another one of the same session.
    pub fn successor(&self) -> Result<Self, KeyError> {
        Ok(Self { secret: random()?, ..*self })
    }

    /// From what a client sent; `None` if it is not one of ours by its form.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; SECRET.end] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let uuid = |range: Range<usize>| Uuid::from_slice(&bytes[range]).ok();
        Some(Self {
            user_id: UserId::new(uuid(USER_ID)?),
            session_id: SessionId::new(uuid(SESSION_ID)?),
            family: bytes[FAMILY].try_into().ok()?,
            secret: bytes[SECRET].try_into().ok()?,
        })
    }

    /// The text for the client.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(SECRET.end);
        bytes.extend_from_slice(self.user_id.uuid().as_bytes());
        bytes.extend_from_slice(self.session_id.uuid().as_bytes());
        bytes.extend_from_slice(&self.family);
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
        sha256(&self.secret)
    }

    /// What is stored of what it shares with the others of its session.
    pub fn family_sha256(&self) -> String {
        sha256(&self.family)
    }

    /// Whether it is, or was, a token of the session of which `family_sha256` is stored. In constant time.
    pub fn is_of_family(&self, family_sha256: &str) -> bool {
        self.family_sha256().as_bytes().ct_eq(family_sha256.as_bytes()).into()
    }
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], KeyError> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Randomness)?;
    Ok(bytes)
}

fn sha256(secret: &[u8]) -> String {
    BASE64_STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, secret))
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
    fn reads_back_and_is_known_by_its_digests() {
        let (user_id, session_id) = (UserId::new(Uuid::from_u128(1)), SessionId::new(Uuid::from_u128(2)));
        let token = RefreshToken::generate(user_id, session_id).unwrap();
        let parsed = RefreshToken::parse(&token.to_text()).unwrap();
        assert_eq!((parsed.user_id(), parsed.session_id()), (user_id, session_id));
        assert_eq!(parsed.sha256(), token.sha256());
        assert!(parsed.is_of_family(&token.family_sha256()));

        let successor = parsed.successor().unwrap();
        assert_eq!((successor.user_id(), successor.session_id()), (user_id, session_id));
        assert!(successor.is_of_family(&token.family_sha256()));
        assert_ne!(successor.sha256(), token.sha256());

        let other = RefreshToken::generate(user_id, session_id).unwrap();
        assert!(!other.is_of_family(&token.family_sha256()));
        assert_ne!(other.sha256(), token.sha256());
    }

    #[test]
    fn what_has_another_form_is_none() {
        let text =
            RefreshToken::generate(UserId::new(Uuid::nil()), SessionId::new(Uuid::nil())).unwrap().to_text();
        for other in ["", "x", &text[1..], &format!("{text}A"), &format!("{text}="), &format!(" {text}")] {
            assert!(RefreshToken::parse(other).is_none(), "{other}");
        }
    }
}
