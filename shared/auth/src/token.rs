//! JSON Web Tokens (RFC 7519), signed with Ed25519 (RFC 8037), by the advice of RFC 8725: one algorithm, a `kid` that
//! names a known key, an explicit `typ`, issuer and audience checked, and one kind of claims for each audience.

use std::marker::PhantomData;
use std::time::Duration;

use domain::{Ipv4Block, MediaId, Role, SessionId, Timestamp, UserId};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::crypto;
use crate::keys::{PublicKeys, SigningKey};

/// Claims that belong to one audience.
pub trait Audience: Serialize + DeserializeOwned {
    /// The `aud` claim.
    const AUDIENCE: &'static str;
    /// The `typ` header.
    const TYPE: &'static str;
    /// The `exp` claim, in seconds since the epoch.
    fn expires_at(&self) -> i64;
    /// The `nbf` claim, in seconds since the epoch, of tokens that may have one.
    fn not_before(&self) -> Option<i64> {
        None
    }
}

/// What an access token says (RFC 9068).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The user.
    pub sub: UserId,
    /// Their role when the token was made.
    pub role: Role,
    /// The session that it belongs to.
    pub sid: SessionId,
    /// The generation of the session: one that is over is told from others by it.
    pub session_generation: u64,
    /// When it was made, in seconds since the epoch.
    pub iat: i64,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
    /// Its own id.
    pub jti: Uuid,
}

impl Audience for AccessClaims {
    const AUDIENCE: &'static str = "api";
    const TYPE: &'static str = "at+jwt";

    fn expires_at(&self) -> i64 {
        self.exp
    }
}

/// How long an access token lives: for so long a demotion or a disabled account may not show on what only reads.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_mins(30);

/// What a stream token says: whoever has it may play this media until it ends, as the viewer whom it was made for. What
/// they may see is not in it: it outlives what is known of them when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamClaims {
    /// The media.
    pub sub: MediaId,
    /// For whom it was made.
    pub viewer: UserId,
    /// The addresses that it plays for; without them, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<Ipv4Block>,
    /// When it was made, in seconds since the epoch.
    pub iat: i64,
    /// From when on it plays, in seconds since the epoch; without it, at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
    /// Its own id.
    pub jti: Uuid,
}

impl Audience for StreamClaims {
    const AUDIENCE: &'static str = "stream";
    const TYPE: &'static str = "stream+jwt";

    fn expires_at(&self) -> i64 {
        self.exp
    }

    fn not_before(&self) -> Option<i64> {
        self.nbf
    }
}

/// The longest life of an upload token.
pub const LONGEST_UPLOAD_TOKEN_LIFE: Duration = Duration::from_hours(24);

/// What an upload token says: whoever has it may upload as this user until it ends, and see and give up what they are
/// uploading. What they may do is not in it: it is asked at each use, and so is whether the session goes on that it was made
/// in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadClaims {
    /// The user.
    pub sub: UserId,
    /// The session that it was made in.
    pub sid: SessionId,
    /// The generation of the session.
    pub session_generation: u64,
    /// When it was made, in seconds since the epoch.
    pub iat: i64,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
    /// Its own id.
    pub jti: Uuid,
}

impl Audience for UploadClaims {
    const AUDIENCE: &'static str = "upload";
    const TYPE: &'static str = "upload+jwt";

    fn expires_at(&self) -> i64 {
        self.exp
    }
}

/// Why a token is not accepted. Clients are told which of these it is, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It will be good.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is not one of ours, or not for this.
    #[error("the token is not valid")]
    Invalid,
}

/// A token could not be signed: the key is unusable.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed: {0}")]
pub struct SignError(#[from] jsonwebtoken::errors::Error);

#[derive(Serialize, Deserialize)]
struct Envelope<C> {
    iss: String,
    aud: String,
    #[serde(flatten)]
    claims: C,
}

/// Signs tokens of one kind.
#[derive(Debug)]
pub struct TokenSigner<C> {
    issuer: String,
    key: SigningKey,
    claims: PhantomData<fn(C)>,
}

impl<C: Audience> TokenSigner<C> {
    /// For this issuer, with this key.
    pub fn new(issuer: impl Into<String>, key: SigningKey) -> Self {
        crypto::install();
        Self { issuer: issuer.into(), key, claims: PhantomData }
    }

    /// The token.
    pub fn sign(&self, claims: C) -> Result<String, SignError> {
        let header = Header {
            typ: Some(C::TYPE.to_owned()),
            kid: Some(self.key.key_id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let envelope = Envelope { iss: self.issuer.clone(), aud: C::AUDIENCE.to_owned(), claims };
        Ok(jsonwebtoken::encode(&header, &envelope, &self.key.key)?)
    }
}

/// Verifies tokens of one kind.
#[derive(Clone, Debug)]
pub struct TokenVerifier<C> {
    validation: Validation,
    keys: PublicKeys,
    claims: PhantomData<fn() -> C>,
}

impl<C: Audience> TokenVerifier<C> {
    /// For tokens of this issuer, signed with one of these keys.
    pub fn new(issuer: &str, keys: PublicKeys) -> Self {
        crypto::install();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[C::AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // `verify` compares `exp` and `nbf` itself, with the caller's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { validation, keys, claims: PhantomData }
    }

    /// What the token says, if it is one of ours, has begun and has not ended by `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<C, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.typ.as_deref() != Some(C::TYPE) {
            return Err(TokenError::Invalid);
        }
        let key =
            header.kid.as_deref().and_then(|key_id| self.keys.get(key_id)).ok_or(TokenError::Invalid)?;
        let envelope = jsonwebtoken::decode::<Envelope<C>>(token, key, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        if envelope.claims.expires_at() <= now.unix_seconds() {
            return Err(TokenError::Expired);
        }
        if envelope.claims.not_before().is_some_and(|not_before| now.unix_seconds() < not_before) {
            return Err(TokenError::NotYetValid);
        }
        Ok(envelope.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::TokenKeyRing;
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    const NOW: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(NOW)
    }

    fn claims() -> AccessClaims {
        AccessClaims {
            sub: UserId::new(Uuid::from_u128(1)),
            role: Role::Operator,
            sid: SessionId::new(Uuid::from_u128(2)),
            session_generation: 0,
            iat: NOW - 60,
            exp: NOW + 60,
            jti: Uuid::from_u128(3),
        }
    }

    fn signer<C: Audience>(ring: &TokenKeyRing, issuer: &str) -> TokenSigner<C> {
        TokenSigner::new(issuer, ring.signing_key(ring.signing_key_id(1).unwrap()).unwrap())
    }

    fn verifier<C: Audience>(ring: &TokenKeyRing) -> TokenVerifier<C> {
        TokenVerifier::new("here", ring.public_set(1).unwrap().parse().unwrap())
    }

    #[test]
    fn what_is_signed_reads_back_until_it_ends() {
        let ring = TokenKeyRing::new().advance_to(1).unwrap();
        let token = signer(&ring, "here").sign(claims()).unwrap();
        let verifier = verifier::<AccessClaims>(&ring);
        assert_eq!(verifier.verify(&token, now()), Ok(claims()));
        let end = Timestamp::from_unix_seconds(NOW + 60);
        assert_eq!(verifier.verify(&token, end), Err(TokenError::Expired));
    }

    #[test]
    fn a_stream_token_may_begin_later() {
        let ring = TokenKeyRing::new().advance_to(1).unwrap();
        let claims = StreamClaims {
            sub: MediaId::new(Uuid::from_u128(1)),
            viewer: UserId::new(Uuid::from_u128(2)),
            ip: Some("203.0.113.0/24".parse().unwrap()),
            iat: NOW - 60,
            nbf: Some(NOW),
            exp: NOW + 60,
            jti: Uuid::from_u128(3),
        };
        let verifier = verifier::<StreamClaims>(&ring);
        let token = signer(&ring, "here").sign(claims.clone()).unwrap();
        let before = Timestamp::from_unix_seconds(NOW - 1);
        assert_eq!(verifier.verify(&token, before), Err(TokenError::NotYetValid));
        assert_eq!(verifier.verify(&token, now()), Ok(claims));
    }

    #[test]
    fn only_our_own_tokens_for_this_purpose_are_accepted() {
        let ring = TokenKeyRing::new().advance_to(1).unwrap();
        let other_ring = TokenKeyRing::new().advance_to(1).unwrap();
        let access = verifier::<AccessClaims>(&ring);
        let token = signer(&ring, "here").sign(claims()).unwrap();

        assert_eq!(
            access.verify(&signer(&ring, "there").sign(claims()).unwrap(), now()),
            Err(TokenError::Invalid)
        );
        assert_eq!(
            access.verify(&signer(&other_ring, "here").sign(claims()).unwrap(), now()),
            Err(TokenError::Invalid)
        );
        // A token for another purpose, signed with the same key.
        assert_eq!(verifier::<StreamClaims>(&ring).verify(&token, now()), Err(TokenError::Invalid));
        assert_eq!(verifier::<UploadClaims>(&ring).verify(&token, now()), Err(TokenError::Invalid));
        for damaged in
            [String::new(), "a.b.c".to_owned(), token[..token.len() - 4].to_owned(), format!("{token}.")]
        {
            assert_eq!(access.verify(&damaged, now()), Err(TokenError::Invalid), "{damaged}");
        }
    }

    #[test]
    fn the_header_cannot_choose_the_algorithm_or_the_key() {
        let ring = TokenKeyRing::new().advance_to(1).unwrap();
        let token = signer(&ring, "here").sign(claims()).unwrap();
        let kid = ring.signing_key_id(1).unwrap();
        let (_, rest) = token.split_once('.').unwrap();
        for header in [
            format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#),
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"unknown"}"#.to_owned(),
            r#"{"alg":"EdDSA","typ":"at+jwt"}"#.to_owned(),
        ] {
            let forged = format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(&header));
            assert_eq!(
                verifier::<AccessClaims>(&ring).verify(&forged, now()),
                Err(TokenError::Invalid),
                "{header}"
            );
        }
    }
}
