//! Signing keys and their rotation.
//!
//! A [`KeyRing`] is what a secret of Secrets Manager holds: Ed25519 keys as JWKs (RFC 7517, RFC 8037), each of a
//! *generation*. While generation *n* signs, the keys of *n − 1*, *n* and *n + 1* verify. So a rotation promotes a key
//! that every function knows already, and a deployment that is half done, or rolled back, verifies what either side
//! signs.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};

/// Why keys cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no set of Ed25519 JWKs.
    #[error("not a JSON Web Key Set of Ed25519 keys: {0}")]
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

/// One key: the fields of RFC 8037, and the generation.
#[derive(Clone, Serialize, Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    #[serde(rename = "use")]
    usage: String,
    alg: String,
    /// RFC 7638 thumbprint.
    kid: String,
    /// Public key.
    x: String,
    /// Private key; absent from public sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

impl Jwk {
    fn generate(generation: u32) -> Result<Self, KeyError> {
        let mut seed = [0_u8; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::Randomness)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|error| KeyError::Malformed(error.to_string()))?;
        let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
        Ok(Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            usage: "sig".to_owned(),
            alg: "EdDSA".to_owned(),
            kid: thumbprint(&x),
            x,
            d: Some(BASE64_URL_SAFE_NO_PAD.encode(seed)),
            generation: Some(generation),
        })
    }

    fn public(&self) -> Self {
        Self { d: None, generation: None, ..self.clone() }
    }

    fn check(&self) -> Result<(), KeyError> {
        if self.kty == "OKP" && self.crv == "Ed25519" && self.alg == "EdDSA" {
            Ok(())
        } else {
            Err(KeyError::Malformed(format!("key {} is of another kind", self.kid)))
        }
    }
}

/// RFC 7638: SHA-256 of the required members, in lexicographic order, without white space.
fn thumbprint(x: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, canonical.as_bytes()))
}

fn bytes32(field: &str) -> Result<[u8; 32], KeyError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(field)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| KeyError::Malformed("a key is not 32 bytes of base64url".to_owned()))
}

/// Private keys by generation: the content of a secret.
pub struct KeyRing(BTreeMap<u32, Jwk>);

impl KeyRing {
    /// An empty one.
    pub fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// From the secret's text.
    pub fn parse(secret: &str) -> Result<Self, KeyError> {
        // The parser's own message may quote the secret: only where it stopped is passed on.
        let set: JwkSet = serde_json::from_str(secret).map_err(|error| {
            KeyError::Malformed(format!("line {} column {}", error.line(), error.column()))
        })?;
        let mut keys = BTreeMap::new();
        for key in set.keys {
            key.check()?;
            let generation = key.generation.ok_or_else(|| KeyError::Malformed("no generation".to_owned()))?;
            keys.insert(generation, key);
        }
        Ok(Self(keys))
    }

    /// The secret's text.
    pub fn to_secret(&self) -> Result<String, KeyError> {
        let set = JwkSet { keys: self.0.values().cloned().collect() };
        serde_json::to_string(&set).map_err(|error| KeyError::Malformed(error.to_string()))
    }

    /// The ring with the keys of `generation` and of the one after it, made if they are not there, and without those
    /// that no longer verify. Asked again for the same generation it changes nothing. A ring goes on by one generation at
    /// a time, since what it skips nobody could verify; an empty one begins anywhere.
    pub fn advance_to(mut self, generation: u32) -> Result<Self, KeyError> {
        if !self.0.is_empty() && !self.0.contains_key(&generation) {
            return Err(KeyError::Generation(generation));
        }
        for needed in [generation, generation.saturating_add(1)] {
            if let std::collections::btree_map::Entry::Vacant(vacant) = self.0.entry(needed) {
                vacant.insert(Jwk::generate(needed)?);
            }
        }
        self.0.retain(|known, _| *known >= generation.saturating_sub(1));
        Ok(self)
    }

    /// The public keys that verify while `generation` signs, as a JWK set.
    pub fn public_set(&self, generation: u32) -> Result<String, KeyError> {
        let verifying = generation.saturating_sub(1)..=generation.saturating_add(1);
        let set = JwkSet { keys: self.0.range(verifying).map(|(_, key)| key.public()).collect() };
        serde_json::to_string(&set).map_err(|error| KeyError::Malformed(error.to_string()))
    }

    /// The id of the key that signs in `generation`.
    pub fn signing_key_id(&self, generation: u32) -> Result<&str, KeyError> {
        let key = self
            .0
            .get(&generation)
            .ok_or_else(|| KeyError::Unknown(format!("of generation {generation}")))?;
        Ok(&key.kid)
    }

    /// The key with this id, to sign with.
    pub fn signing_key(&self, key_id: &str) -> Result<SigningKey, KeyError> {
        let unknown = || KeyError::Unknown(key_id.to_owned());
        let key = self.0.values().find(|key| key.kid == key_id).ok_or_else(unknown)?;
        let seed = bytes32(key.d.as_deref().ok_or_else(unknown)?)?;
        Ed25519KeyPair::from_seed_and_public_key(&seed, &bytes32(&key.x)?)
            .map_err(|error| KeyError::Malformed(error.to_string()))?;
        Ok(SigningKey { key_id: key.kid.clone(), key: EncodingKey::from_ed_der(&seed) })
    }
}

impl Default for KeyRing {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(generation, key)| (generation, &key.kid))).finish()
    }
}

/// The key that a function signs with.
pub struct SigningKey {
    pub(crate) key_id: String,
    pub(crate) key: EncodingKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SigningKey").field(&self.key_id).finish()
    }
}

/// The public keys that tokens are verified with, by id.
#[derive(Clone, Debug)]
pub struct PublicKeys(BTreeMap<String, DecodingKey>);

impl PublicKeys {
    pub(crate) fn get(&self, key_id: &str) -> Option<&DecodingKey> {
        self.0.get(key_id)
    }
}

impl std::str::FromStr for PublicKeys {
    type Err = KeyError;

    /// From a JWK set. One with a private key in it is refused: it is where it should never have come.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let set: JwkSet =
            serde_json::from_str(text).map_err(|error| KeyError::Malformed(error.to_string()))?;
        let mut keys = BTreeMap::new();
        for key in set.keys {
            key.check()?;
            if key.d.is_some() {
                return Err(KeyError::Malformed(format!("key {} is private", key.kid)));
            }
            keys.insert(key.kid.clone(), DecodingKey::from_ed_der(&bytes32(&key.x)?));
        }
        if keys.is_empty() {
            return Err(KeyError::Malformed("it is empty".to_owned()));
        }
        Ok(Self(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(set: &str) -> Vec<String> {
        serde_json::from_str::<JwkSet>(set).unwrap().keys.into_iter().map(|key| key.kid).collect()
    }

    #[test]
    fn a_rotation_promotes_a_key_that_is_already_known() {
        let first = KeyRing::new().advance_to(1).unwrap();
        let known_before = ids(&first.public_set(1).unwrap());
        let second = KeyRing::parse(&first.to_secret().unwrap()).unwrap().advance_to(2).unwrap();

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
    fn no_generation_is_skipped() {
        let ring = || KeyRing::new().advance_to(3).unwrap();
        for skipping in [1, 2, 5, u32::MAX] {
            assert!(matches!(ring().advance_to(skipping), Err(KeyError::Generation(_))), "{skipping}");
        }
        assert!(ring().advance_to(4).is_ok());
    }

    #[test]
    fn asking_again_changes_nothing() {
        let once = KeyRing::new().advance_to(1).unwrap().to_secret().unwrap();
        let twice = KeyRing::parse(&once).unwrap().advance_to(1).unwrap().to_secret().unwrap();
        assert_eq!(once, twice);
    }

    #[test]
    fn public_sets_hold_nothing_private() {
        let ring = KeyRing::new().advance_to(1).unwrap();
        let public = ring.public_set(1).unwrap();
        assert!(!public.contains("\"d\""), "{public}");
        assert!(public.parse::<PublicKeys>().is_ok());
        assert!(ring.to_secret().unwrap().parse::<PublicKeys>().is_err());
        assert!(!format!("{ring:?}").contains(ring.0[&1].d.as_deref().unwrap()));
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        // RFC 8037, appendix A.3.
        let of_the_rfc = thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(of_the_rfc, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn keys_of_another_kind_are_refused() {
        let set = r#"{"keys":[{"kty":"oct","crv":"","use":"sig","alg":"HS256","kid":"a","x":"AAAA"}]}"#;
        assert!(set.parse::<PublicKeys>().is_err());
        assert!(r#"{"keys":[]}"#.parse::<PublicKeys>().is_err());
        assert!(KeyRing::parse("{}").is_err());
    }
}
