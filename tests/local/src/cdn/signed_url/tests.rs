#![allow(clippy::unwrap_used, clippy::expect_used)]

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::*;

const URL: &str = "/media/1/source?response-content-disposition=inline";
const NOW: i64 = 1_800_000_000;

struct Signer {
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new() -> Signer {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Signer { pair }
    }

    fn signature(&self, policy: &str) -> String {
        encode(self.pair.sign(&SystemRandom::new(), policy.as_bytes()).unwrap().as_ref())
    }

    fn canned(&self, url: &str, expires: i64) -> String {
        let resource = format!("http://cdn{url}");
        let policy = CannedPolicy { resource: &resource, expires: &expires.to_string() }.to_string();
        self.with(url, &format!("Expires={expires}"), &policy)
    }

    fn custom(&self, url: &str, policy: &str) -> String {
        self.with(url, &format!("Policy={}", encode(policy.as_bytes())), policy)
    }

    fn with(&self, url: &str, parameter: &str, policy: &str) -> String {
        let mark = if url.contains('?') { '&' } else { '?' };
        let signature = self.signature(policy);
        format!("{url}{mark}{parameter}&Signature={signature}&Key-Pair-Id=K1&Hash-Algorithm=SHA256")
    }

    /// `Ok` or the code of the refusal.
    fn verify(&self, url: &str) -> Result<(), &'static str> {
        let key = PublicKey::EcdsaP256(self.pair.public_key().as_ref().to_vec());
        let signed = SignedUrl::read("cdn", &url.parse().unwrap()).map_err(|refusal| refusal.code())?;
        let verified = signed.verify(
            |id| Ok((id == "K1").then_some(key)),
            "127.0.0.1".parse().unwrap(),
            Timestamp::from_unix_seconds(NOW),
        );
        verified.map_err(|refusal| refusal.code())
    }
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~")
}

#[test]
fn both_kinds_of_policy_let_in_until_they_end() {
    let signer = Signer::new();
    for url in [URL, "/media/1/source"] {
        assert_eq!(signer.verify(&signer.canned(url, NOW + 1)), Ok(()));
        assert_eq!(signer.verify(&signer.canned(url, NOW)), Err("AccessDenied"));
    }
    let custom = |seconds: i64| {
        format!(
            r#"{{"Statement":[{{"Resource":"http://cdn/media/1/*","Condition":{{"DateLessThan":{{"AWS:EpochTime":{seconds}}}}}}}]}}"#
        )
    };
    // One signature for a folder: the policy and its signature go with any URL in it.
    for url in [URL, "/media/1/segments/7.ts"] {
        assert_eq!(signer.verify(&signer.custom(url, &custom(NOW + 1))), Ok(()));
        assert_eq!(signer.verify(&signer.custom(url, &custom(NOW))), Err("AccessDenied"));
    }
    assert_eq!(signer.verify(&signer.custom("/media/2/source", &custom(NOW + 1))), Err("AccessDenied"));
}

#[test]
fn the_parameters_may_stand_anywhere_and_be_percent_encoded() {
    let signer = Signer::new();
    let url = signer.canned(URL, NOW + 1);
    let (path, query) = url.split_once('?').unwrap();
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.reverse();
    assert_eq!(signer.verify(&format!("{path}?{}", parameters.join("&"))), Ok(()));
    assert_eq!(signer.verify(&url.replace('_', "%5F").replace('~', "%7E")), Ok(()));
}

#[test]
fn every_tampering_is_refused() {
    let signer = Signer::new();
    let url = signer.canned(URL, NOW + 1);
    let other = Signer::new().canned(URL, NOW + 1);
    let changed = |from: &str, to: &str| {
        assert!(url.contains(from), "{from}");
        url.replacen(from, to, 1)
    };
    for (tampered, code) in [
        (changed("/media/1/", "/media/2/"), "AccessDenied"),
        (changed("inline", "attachment"), "AccessDenied"),
        (changed("?", "?more=1&"), "AccessDenied"),
        (changed("response-content-disposition=inline&", ""), "AccessDenied"),
        (changed("Expires=18", "Expires=19"), "AccessDenied"),
        (changed("Expires=18", "Expires=018"), "AccessDenied"),
        (changed(&format!("Expires={}", NOW + 1), "Expires="), "AccessDenied"),
        (changed(&format!("Expires={}&", NOW + 1), ""), "AccessDenied"),
        (changed("Signature=M", "Signature=N"), "AccessDenied"),
        (changed("Signature=", "Signature=*"), "AccessDenied"),
        (changed("Signature=", "signature="), "AccessDenied"),
        (changed("Key-Pair-Id=K1", "Key-Pair-Id=K2"), "InvalidKey"),
        (changed("Key-Pair-Id=K1", "Key-Pair-Id="), "MissingKey"),
        (changed("&Key-Pair-Id=K1", ""), "MissingKey"),
        (changed("Hash-Algorithm=SHA256", "Hash-Algorithm=MD5"), "AccessDenied"),
        (changed("Hash-Algorithm=SHA256", "Hash-Algorithm=SHA1"), "NotImplemented"),
        (changed("&Hash-Algorithm=SHA256", ""), "NotImplemented"),
        (format!("{url}&Expires={}", NOW + 100), "AccessDenied"),
        (format!("{url}&Policy=e30_"), "AccessDenied"),
        (format!("{url}&Policy=%21"), "MalformedPolicy"),
        (other, "AccessDenied"),
        (URL.to_owned(), "MissingKey"),
    ] {
        assert_eq!(signer.verify(&tampered), Err(code), "{tampered}");
    }
    assert_eq!(signer.verify(&url), Ok(()));
    assert_eq!(signer.verify(&signer.custom(URL, "{}")), Err("MalformedPolicy"));
}

#[test]
fn base64_has_one_spelling() {
    assert_eq!(decode("-~8_").unwrap(), [0xfb, 0xff]);
    for other in ["+~8_", "-/8_", "-~8=", "-~8", "%"] {
        assert_eq!(decode(other), None, "{other}");
    }
}
