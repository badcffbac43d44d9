//! Ed25519 keys (RFC 8032) as JWKs (RFC 8037): they sign tokens.

use std::collections::BTreeMap;
use std::fmt;

use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::jwk::{Jwk, JwkSet, bytes32, encode, thumbprint};
use super::{KeyError, KeyKind};

const KIND: [&str; 3] = ["OKP", "Ed25519", "EdDSA"];

/// The kind of key that signs tokens.
#[derive(Debug)]
pub enum Ed25519 {}

impl KeyKind for Ed25519 {
    type SigningKey = SigningKey;

    fn generate(generation: u32) -> Result<Jwk, KeyError> {
        let mut seed = [0_u8; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::Randomness)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|error| KeyError::Malformed(error.to_string()))?;
        let x = encode(pair.public_key().as_ref());
        let [kty, crv, alg] = KIND.map(str::to_owned);
        Ok(Jwk {
            kty,
            crv,
            usage: "sig".to_owned(),
            alg,
            kid: key_id(&x),
            x,
            y: None,
            d: Some(encode(&seed)),
            generation: Some(generation),
        })
    }

    fn check(key: &Jwk) -> Result<(), KeyError> {
        key.check(KIND)
    }

    fn signing_key(key: &Jwk) -> Result<SigningKey, KeyError> {
        let seed = key.private()?;
        Ed25519KeyPair::from_seed_and_public_key(&seed, &bytes32(&key.x)?)
            .map_err(|error| KeyError::Malformed(error.to_string()))?;
        Ok(SigningKey { key_id: key.kid.clone(), key: EncodingKey::from_ed_der(&seed) })
    }
}

fn key_id(x: &str) -> String {
    thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))
}

/// The key that a function signs tokens with.
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
            Ed25519::check(&key)?;
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

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037() {
        // Appendix A.3.
        let of_the_rfc = key_id("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(of_the_rfc, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
