//! Public keys as CloudFront takes them, and what they verify.
//!
//! A key comes as PEM of an X.509 `SubjectPublicKeyInfo` (RFC 5280, RFC 5480). Each of the two kinds has one encoding but
//! for the key itself, so that is what is compared. (An RSA key with another exponent than 65537 would have another one,
//! and is not taken here.)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

/// `id-ecPublicKey` on `prime256v1`; a point of 65 bytes follows.
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The first byte of a point that is not compressed, and its length.
const POINT: (u8, usize) = (0x04, 65);
/// `rsaEncryption`; an `RSAPublicKey` of 270 bytes follows.
const RSA_2048: &[u8] = &[
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
];
/// Begins an `RSAPublicKey` with a modulus of 2048 bits.
const MODULUS_2048: &[u8] = &[0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
/// Ends one with the exponent 65537.
const EXPONENT: &[u8] = &[0x02, 0x03, 0x01, 0x00, 0x01];

/// How a message is digested before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashAlgorithm {
    /// What CloudFront takes where nothing is said.
    Sha1,
    Sha256,
}

/// What became of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Genuine,
    Forged,
    /// ECDSA over SHA-1, which the library of this stack does not compute.
    NotImplemented,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// RSA of 2048 bits, as an `RSAPublicKey` (RFC 8017).
    Rsa2048(Vec<u8>),
    /// ECDSA on P-256, as a point that is not compressed.
    EcdsaP256(Vec<u8>),
}

impl PublicKey {
    /// Reads a PEM of either kind.
    pub(crate) fn from_pem(pem: &str) -> Option<PublicKey> {
        let base64 = pem
            .trim()
            .strip_prefix("-----BEGIN PUBLIC KEY-----")?
            .strip_suffix("-----END PUBLIC KEY-----")?
            .split_ascii_whitespace()
            .collect::<String>();
        let der = STANDARD.decode(base64).ok()?;
        if let Some(point) = der.strip_prefix(P256) {
            let is_point = (point.first().copied(), point.len()) == (Some(POINT.0), POINT.1);
            return is_point.then(|| PublicKey::EcdsaP256(point.to_vec()));
        }
        let key = der.strip_prefix(RSA_2048)?;
        let is_key = key.len() == 270 && key.starts_with(MODULUS_2048) && key.ends_with(EXPONENT);
        is_key.then(|| PublicKey::Rsa2048(key.to_vec()))
    }

    /// Whether the private half of this key has signed the message: RSASSA-PKCS1-v1_5, or ECDSA with its signature in DER.
    pub(crate) fn verify(&self, hash: HashAlgorithm, message: &[u8], signature: &[u8]) -> Verdict {
        let (algorithm, key): (&dyn VerificationAlgorithm, &[u8]) = match (self, hash) {
            (PublicKey::Rsa2048(key), HashAlgorithm::Sha1) => {
                (&signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key)
            }
            (PublicKey::Rsa2048(key), HashAlgorithm::Sha256) => (&signature::RSA_PKCS1_2048_8192_SHA256, key),
            (PublicKey::EcdsaP256(point), HashAlgorithm::Sha256) => {
                (&signature::ECDSA_P256_SHA256_ASN1, point)
            }
            (PublicKey::EcdsaP256(_), HashAlgorithm::Sha1) => return Verdict::NotImplemented,
        };
        match UnparsedPublicKey::new(algorithm, key).verify(message, signature) {
            Ok(()) => Verdict::Genuine,
            Err(ring::error::Unspecified) => Verdict::Forged,
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    fn pem(der: &[u8]) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    #[test]
    fn an_ecdsa_key_verifies_what_its_other_half_signs() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let key = PublicKey::from_pem(&pem(&[P256, pair.public_key().as_ref()].concat())).unwrap();
        let signature = pair.sign(&random, b"message").unwrap();
        let verify = |hash, message| key.verify(hash, message, signature.as_ref());
        assert_eq!(verify(HashAlgorithm::Sha256, b"message"), Verdict::Genuine);
        assert_eq!(verify(HashAlgorithm::Sha256, b"messages"), Verdict::Forged);
        assert_eq!(verify(HashAlgorithm::Sha1, b"message"), Verdict::NotImplemented);
    }

    #[test]
    fn only_keys_of_the_two_kinds_are_read() {
        let point = [[POINT.0].as_slice(), &[7; 64]].concat();
        let rsa = [RSA_2048, MODULUS_2048, &[0xff; 256], EXPONENT].concat();
        assert!(PublicKey::from_pem(&pem(&[P256, &point].concat())).is_some());
        assert!(PublicKey::from_pem(&pem(&rsa)).is_some());
        assert!(PublicKey::from_pem(&pem(&rsa).replace('\n', "\r\n")).is_some());
        for wrong in [
            pem(&[P256, &point[..64]].concat()),
            pem(&[P256, &[2; 65]].concat()),
            pem(&rsa[..rsa.len() - 1]),
            pem(&[&rsa[..rsa.len() - 1], &[3]].concat()),
            pem(&[]),
            pem(&rsa).replace("PUBLIC KEY", "RSA PUBLIC KEY"),
            pem(&rsa).replace("MIIB", "????"),
            String::new(),
        ] {
            assert_eq!(PublicKey::from_pem(&wrong), None, "{wrong}");
        }
    }
}
