//! Signing keys and their rotation.
//!
//! A [`KeyRing`] is what a secret of Secrets Manager holds: keys of one kind as JWKs (RFC 7517), each of a *generation*.
//! While generation *n* signs, the keys of *n − 1*, *n* and *n + 1* verify. So a rotation promotes a key that every
//! function knows already, and a deployment that is half done, or rolled back, verifies what either side signs.
//!
//! Tokens are signed with Ed25519 ([`TokenKeyRing`]), URLs of CloudFront with ECDSA on P-256 ([`CdnKeyRing`]), since
//! CloudFront knows no other elliptic curve.

mod ed25519;
mod jwk;
mod p256;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

pub use self::ed25519::{Ed25519, PublicKeys, SigningKey};
use self::jwk::{Jwk, JwkSet};
pub use self::p256::{CdnSigningKey, P256};

/// Private keys that sign tokens.
pub type TokenKeyRing = KeyRing<Ed25519>;

/// Private keys that sign URLs of CloudFront.
pub type CdnKeyRing = KeyRing<P256>;

/// Why keys cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no set of JWKs of the kind that is wanted.
    #[error("not a JSON Web Key Set of the expected kind: {0}")]
    Malformed(String),
    /// The set has no key of that id.
    #[error("the key set has no key {0}")]
    Unknown(String),
    /// The generation is neither one that the ring knows nor its first.
    #[error("generation {0} is not known yet, or not any more: go on by one at a time")]
    Generation(u32),
    /// The system gave no randomness.
    #[error("no randomness to be had")]
    Randomness,
}

/// A kind of key pair: [`Ed25519`] or [`P256`].
pub trait KeyKind {
    /// What signs with a private key of this kind.
    type SigningKey;

    /// A new key pair.
    #[doc(hidden)]
    fn generate(generation: u32) -> Result<Jwk, KeyError>;

    /// Refuses a key of another kind.
    #[doc(hidden)]
    fn check(key: &Jwk) -> Result<(), KeyError>;

    /// The private key, whose halves belong together.
    #[doc(hidden)]
    fn signing_key(key: &Jwk) -> Result<Self::SigningKey, KeyError>;
}

/// Private keys by generation: the content of a secret.
pub struct KeyRing<Kind> {
    keys: BTreeMap<u32, Jwk>,
    kind: PhantomData<Kind>,
}

impl<Kind: KeyKind> KeyRing<Kind> {
    /// An empty one.
    pub fn new() -> Self {
        Self { keys: BTreeMap::new(), kind: PhantomData }
    }

    /// From the secret's text. Members beside the keys are passed over.
    pub fn parse(secret: &str) -> Result<Self, KeyError> {
        // The parser's own message may quote the secret: only where it stopped is passed on.
        let set: JwkSet = serde_json::from_str(secret).map_err(|error| {
            KeyError::Malformed(format!("line {} column {}", error.line(), error.column()))
        })?;
        let mut keys = BTreeMap::new();
        for key in set.keys {
            Kind::check(&key)?;
            let generation = key.generation.ok_or_else(|| KeyError::Malformed("no generation".to_owned()))?;
            keys.insert(generation, key);
        }
        Ok(Self { keys, kind: PhantomData })
    }

    /// The secret's text.
    pub fn to_secret(&self) -> Result<String, KeyError> {
        set_of(self.keys.values().cloned().collect())
    }

    /// The ring with the keys of `generation` and of the one after it, made if they are not there. Asked again for the
    /// same generation it changes nothing. What verified in the generation before is kept, so that a rollback to that
    /// finds all of its keys; what is older goes.
    ///
    /// A ring goes on, or back, by one generation at a time, since what it skips nobody could verify; an empty one begins
    /// anywhere.
    pub fn advance_to(mut self, generation: u32) -> Result<Self, KeyError> {
        if let Some(newest) = self.keys.keys().next_back() {
            let is_too_far_back = generation.saturating_add(2) < *newest;
            if is_too_far_back || !self.keys.contains_key(&generation) {
                return Err(KeyError::Generation(generation));
            }
        }
        for needed in [generation, generation.saturating_add(1)] {
            if let Entry::Vacant(vacant) = self.keys.entry(needed) {
                vacant.insert(Kind::generate(needed)?);
            }
        }
        self.keys.retain(|known, _| *known >= generation.saturating_sub(2));
        Ok(self)
    }

    /// The public keys that verify while `generation` signs, as a JWK set.
    pub fn public_set(&self, generation: u32) -> Result<String, KeyError> {
        set_of(self.verifying(generation).map(|(_, key)| key.public()).collect())
    }

    /// The id of the key that signs in `generation`.
    pub fn signing_key_id(&self, generation: u32) -> Result<&str, KeyError> {
        let key = self
            .keys
            .get(&generation)
            .ok_or_else(|| KeyError::Unknown(format!("of generation {generation}")))?;
        Ok(&key.kid)
    }

    /// The key with this id, to sign with.
    pub fn signing_key(&self, key_id: &str) -> Result<Kind::SigningKey, KeyError> {
        let key = self.keys.values().find(|key| key.kid == key_id);
        Kind::signing_key(key.ok_or_else(|| KeyError::Unknown(key_id.to_owned()))?)
    }

    fn verifying(&self, generation: u32) -> impl Iterator<Item = (&u32, &Jwk)> {
        self.keys.range(generation.saturating_sub(1)..=generation.saturating_add(1))
    }
}

impl CdnKeyRing {
    /// The public keys that verify while `generation` signs, as CloudFront takes them.
    pub fn public_keys(&self, generation: u32) -> Result<Vec<CdnPublicKey>, KeyError> {
        let public_key = |(generation, key): (&u32, &Jwk)| {
            let pem = p256::public_key_pem(key)?;
            Ok(CdnPublicKey { generation: *generation, key_id: key.kid.clone(), pem })
        };
        self.verifying(generation).map(public_key).collect()
    }
}

/// A public key that CloudFront verifies with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdnPublicKey {
    /// The generation in which it signs.
    pub generation: u32,
    /// Its RFC 7638 thumbprint. CloudFront gives it another id.
    pub key_id: String,
    /// `SubjectPublicKeyInfo` as PEM.
    pub pem: String,
}

fn set_of(keys: Vec<Jwk>) -> Result<String, KeyError> {
    serde_json::to_string(&JwkSet { keys }).map_err(|error| KeyError::Malformed(error.to_string()))
}

impl<Kind: KeyKind> Default for KeyRing<Kind> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Kind> fmt::Debug for KeyRing<Kind> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(|(generation, key)| (generation, &key.kid));
        formatter.debug_list().entries(keys).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(set: &str) -> Vec<String> {
        serde_json::from_str::<JwkSet>(set).unwrap().keys.into_iter().map(|key| key.kid).collect()
    }

    fn a_rotation_promotes_a_key_that_is_already_known<Kind: KeyKind>() {
        let first = KeyRing::<Kind>::new().advance_to(1).unwrap();
        let known_before = ids(&first.public_set(1).unwrap());
        let second = KeyRing::<Kind>::parse(&first.to_secret().unwrap()).unwrap().advance_to(2).unwrap();

        assert!(known_before.contains(&second.signing_key_id(2).unwrap().to_owned()));
        // What the first generation signed still verifies, and so does a rollback to it.
        assert!(ids(&second.public_set(2).unwrap()).contains(&first.signing_key_id(1).unwrap().to_owned()));
        let rolled_back = second.advance_to(1).unwrap();
        assert_eq!(rolled_back.signing_key_id(1).unwrap(), first.signing_key_id(1).unwrap());
        // Two rotations later it is gone.
        let third = rolled_back.advance_to(2).unwrap().advance_to(3).unwrap();
        assert!(!ids(&third.public_set(3).unwrap()).contains(&first.signing_key_id(1).unwrap().to_owned()));
    }

    #[test]
    fn every_kind_rotates() {
        a_rotation_promotes_a_key_that_is_already_known::<Ed25519>();
        a_rotation_promotes_a_key_that_is_already_known::<P256>();
    }

    #[test]
    fn a_rollback_finds_all_of_its_keys() {
        let at = |ring: &TokenKeyRing, generation| ids(&ring.public_set(generation).unwrap());
        let ring = TokenKeyRing::new().advance_to(1).unwrap().advance_to(2).unwrap().advance_to(3).unwrap();
        let before = at(&ring, 3);
        let ring = ring.advance_to(4).unwrap();
        assert_eq!(before.len(), 3);
        let ring = ring.advance_to(3).unwrap();
        assert_eq!(at(&ring, 3), before);
        // And no more is kept than that needs.
        let ring = ring.advance_to(4).unwrap().advance_to(5).unwrap();
        assert_eq!(ring.keys.keys().copied().collect::<Vec<_>>(), [3, 4, 5, 6]);
    }

    #[test]
    fn no_generation_is_skipped() {
        let ring = || TokenKeyRing::new().advance_to(3).unwrap();
        for skipping in [1, 2, 5, u32::MAX] {
            assert!(matches!(ring().advance_to(skipping), Err(KeyError::Generation(_))), "{skipping}");
        }
        let third = TokenKeyRing::new().advance_to(1).unwrap().advance_to(2).unwrap().advance_to(3).unwrap();
        assert!(third.keys.contains_key(&1));
        assert!(matches!(third.advance_to(1), Err(KeyError::Generation(1))));
        assert!(ring().advance_to(4).is_ok());
    }

    #[test]
    fn asking_again_changes_nothing() {
        let once = TokenKeyRing::new().advance_to(1).unwrap().to_secret().unwrap();
        let twice = TokenKeyRing::parse(&once).unwrap().advance_to(1).unwrap().to_secret().unwrap();
        assert_eq!(once, twice);
    }

    #[test]
    fn public_sets_hold_nothing_private() {
        let ring = TokenKeyRing::new().advance_to(1).unwrap();
        let public = ring.public_set(1).unwrap();
        assert!(!public.contains("\"d\""), "{public}");
        assert!(public.parse::<PublicKeys>().is_ok());
        assert!(ring.to_secret().unwrap().parse::<PublicKeys>().is_err());
        assert!(!format!("{ring:?}").contains(ring.keys[&1].d.as_deref().unwrap()));
    }

    #[test]
    fn keys_of_another_kind_are_refused() {
        let set = r#"{"keys":[{"kty":"oct","crv":"","use":"sig","alg":"HS256","kid":"a","x":"AAAA"}]}"#;
        assert!(set.parse::<PublicKeys>().is_err());
        assert!(r#"{"keys":[]}"#.parse::<PublicKeys>().is_err());
        assert!(TokenKeyRing::parse("{}").is_err());
        let cdn = CdnKeyRing::new().advance_to(1).unwrap();
        assert!(TokenKeyRing::parse(&cdn.to_secret().unwrap()).is_err());
        assert!(cdn.public_set(1).unwrap().parse::<PublicKeys>().is_err());
    }
}
