//! ECDSA keys on P-256 (FIPS 186-5) as JWKs (RFC 7518, section 6.2): they sign URLs of CloudFront.
//!
//! CloudFront takes the public key as PEM of a `SubjectPublicKeyInfo` (RFC 5480), and signatures as ASN.1 DER, which is
//! what its documentation's `openssl sha256 -sign` writes:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-linux-openssl.html>.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::jwk::{Jwk, bytes32, encode, thumbprint};
use super::{KeyError, KeyKind};

const KIND: [&str; 3] = ["EC", "P-256", "ES256"];

/// What precedes the private key in PKCS #8 (RFC 5208) of a P-256 key, as `ring` writes it: version, `id-ecPublicKey` with
/// `prime256v1`, and the head of an `ECPrivateKey` (RFC 5915).
const PKCS8_HEAD: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01,
    0x04, 0x20,
];

/// What precedes the point in a `SubjectPublicKeyInfo` of a P-256 key (RFC 5480).
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// SEC 1, section 2.3.3: this octet, then both coordinates.
const UNCOMPRESSED_POINT: u8 = 4;

/// Characters of a line of PEM (RFC 7468).
const PEM_LINE_LENGTH: usize = 64;

/// The kind of key that signs URLs of CloudFront.
#[derive(Debug)]
pub enum P256 {}

impl KeyKind for P256 {
    type SigningKey = CdnSigningKey;

    fn generate(generation: u32) -> Result<Jwk, KeyError> {
        let malformed = || KeyError::Malformed("a new key is not laid out as expected".to_owned());
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(|_| KeyError::Randomness)?;
        let pair = from_document(document.as_ref())?;
        let (private, _) = document
            .as_ref()
            .strip_prefix(&PKCS8_HEAD)
            .and_then(|rest| rest.split_first_chunk::<32>())
            .ok_or_else(malformed)?;
        let (x, y) = pair
            .public_key()
            .as_ref()
            .strip_prefix(&[UNCOMPRESSED_POINT])
            .and_then(|coordinates| coordinates.split_at_checked(32))
            .ok_or_else(malformed)?;
        let (x, y) = (encode(x), encode(y));
        let [kty, crv, alg] = KIND.map(str::to_owned);
        Ok(Jwk {
            kty,
            crv,
            usage: "sig".to_owned(),
            alg,
            kid: key_id(&x, &y),
            x,
            y: Some(y),
            d: Some(encode(private)),
            generation: Some(generation),
        })
    }

    fn check(key: &Jwk) -> Result<(), KeyError> {
        key.check(KIND)
    }

    fn signing_key(key: &Jwk) -> Result<CdnSigningKey, KeyError> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        // That the two halves belong together is checked.
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, &key.private()?, &point(key)?, &random)
                .map_err(|error| KeyError::Malformed(error.to_string()))?;
        Ok(CdnSigningKey { key_id: key.kid.clone(), pair, random })
    }
}

fn from_document(document: &[u8]) -> Result<EcdsaKeyPair, KeyError> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document, &SystemRandom::new())
        .map_err(|error| KeyError::Malformed(error.to_string()))
}

fn key_id(x: &str, y: &str) -> String {
    thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
}

/// The public key as a point (SEC 1, uncompressed).
fn point(key: &Jwk) -> Result<[u8; 65], KeyError> {
    let y = key.y.as_deref().ok_or_else(|| KeyError::Malformed(format!("key {} has no y", key.kid)))?;
    let mut point = [UNCOMPRESSED_POINT; 65];
    point[1..33].copy_from_slice(&bytes32(&key.x)?);
    point[33..].copy_from_slice(&bytes32(y)?);
    Ok(point)
}

/// The public key as CloudFront takes it.
pub(super) fn public_key_pem(key: &Jwk) -> Result<String, KeyError> {
    let encoded = BASE64_STANDARD.encode([SPKI_HEAD.as_slice(), &point(key)?].concat());
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_LINE_LENGTH));
        pem.extend([line, "\n"]);
        rest = after;
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    Ok(pem)
}

/// The key that a function signs URLs of CloudFront with.
pub struct CdnSigningKey {
    key_id: String,
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl CdnSigningKey {
    /// The signature of SHA-256 of these bytes, as ASN.1 DER. No two of the same bytes are alike.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| KeyError::Randomness)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for CdnSigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CdnSigningKey").field(&self.key_id).finish()
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;
    use crate::keys::CdnKeyRing;

    /// RFC 6979, appendix A.2.5.
    fn of_the_rfc() -> Jwk {
        let bytes = |hexadecimal: &str| {
            let digit = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap();
            (0..64).step_by(2).map(digit).collect::<Vec<u8>>()
        };
        let x = encode(&bytes("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"));
        let y = encode(&bytes("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"));
        let d = encode(&bytes("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"));
        let [kty, crv, alg] = KIND.map(str::to_owned);
        let kid = key_id(&x, &y);
        Jwk { kty, crv, usage: "sig".to_owned(), alg, kid, x, y: Some(y), d: Some(d), generation: Some(1) }
    }

    #[test]
    fn what_is_signed_verifies_with_the_public_key_that_cloudfront_gets() {
        let ring = CdnKeyRing::new().advance_to(1).unwrap();
        let ring = CdnKeyRing::parse(&ring.to_secret().unwrap()).unwrap();
        let key_id = ring.signing_key_id(1).unwrap();
        let signature = ring.signing_key(key_id).unwrap().sign(b"a policy").unwrap();

        let published = ring.public_keys(1).unwrap();
        let pem = &published.iter().find(|key| key.key_id == key_id).unwrap().pem;
        let lines: Vec<&str> = pem.lines().collect();
        let [begin, body @ .., end] = lines.as_slice() else { panic!("{pem}") };
        assert_eq!((*begin, *end), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        let spki = BASE64_STANDARD.decode(body.concat()).unwrap();
        let point = spki.strip_prefix(&SPKI_HEAD).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
        assert!(public.verify(b"a policy", &signature).is_ok());
        assert!(public.verify(b"another", &signature).is_err());
        // The next one verifies its own only.
        let next = &published.iter().find(|key| key.generation == 2).unwrap().pem;
        assert_ne!(pem, next);
    }

    #[test]
    fn a_public_key_is_written_as_openssl_writes_it() {
        let by_openssl = "-----BEGIN PUBLIC KEY-----\n\
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n\
            Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n\
            -----END PUBLIC KEY-----\n";
        assert_eq!(public_key_pem(&of_the_rfc()).unwrap(), by_openssl);
        assert!(P256::signing_key(&of_the_rfc()).is_ok());
    }

    #[test]
    fn halves_that_do_not_belong_together_are_refused() {
        let other = P256::generate(1).unwrap();
        let mixed = Jwk { d: other.d, ..of_the_rfc() };
        assert!(matches!(P256::signing_key(&mixed), Err(KeyError::Malformed(_))));
        let incomplete = Jwk { y: None, ..of_the_rfc() };
        assert!(P256::signing_key(&incomplete).is_err());
    }

    #[test]
    fn nothing_private_is_shown() {
        let key = of_the_rfc();
        let shown = format!("{:?}", P256::signing_key(&key).unwrap());
        assert_eq!(shown, format!("CdnSigningKey({:?})", key.kid));
    }
}
