//! Access tokens as whoever has the signing key could make them, and as whoever has not might try.
//!
//! They are signed with `ring`, not with the platform's own code, which would not sign most of them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::platform::{Platform, User};

/// What is wrong with a token (RFC 8725, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Expired,
    /// Another role, under the signature of the first one.
    Tampered,
    /// Made for playing back, and in all else an access token.
    WrongAudience,
    WrongIssuer,
    /// A stream token by its header.
    WrongType,
    /// `alg: none`, without a signature.
    Unsigned,
    /// `alg: HS256`, with the public key for a secret.
    HmacWithPublicKey,
    /// Under a `kid` that nobody knows, by a key that its header brings along.
    UnknownKey,
    /// Under the right `kid`, by another key.
    ForeignKey,
}

impl Fault {
    pub(crate) const EVERY: [Self; 9] = [
        Self::Expired,
        Self::Tampered,
        Self::WrongAudience,
        Self::WrongIssuer,
        Self::WrongType,
        Self::Unsigned,
        Self::HmacWithPublicKey,
        Self::UnknownKey,
        Self::ForeignKey,
    ];

    /// The code of the problem that answers it.
    pub(crate) fn problem_code(self) -> &'static str {
        if self == Self::Expired { "token_expired" } else { "token_invalid" }
    }
}

/// The key that a platform signs access tokens with, and a token to make others after.
pub(crate) struct Mint {
    key: Ed25519KeyPair,
    header: Value,
    claims: Value,
}

impl Mint {
    /// For access tokens like this user's.
    pub(crate) async fn open(platform: &Platform, user: &User) -> Self {
        Self::of(platform, &user.token, "AccessKeysSecret").await
    }

    /// For tokens like this one, whose key is in the secret with this logical id.
    pub(crate) async fn of(platform: &Platform, token: &str, secret: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let json_of = |part: &str| -> Value {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = (json_of(parts[0]), json_of(parts[1]));
        let mut secrets = platform.stack.stack().secrets.iter();
        let secret = secrets.find(|known| known.logical_id == secret).expect("the secret");
        let answer = aws_sdk_secretsmanager::Client::new(&platform.sdk_configuration())
            .get_secret_value()
            .secret_id(&secret.arn)
            .send()
            .await
            .unwrap();
        let ring: Value = serde_json::from_str(&answer.secret_string.unwrap()).unwrap();
        let mut keys = ring["keys"].as_array().unwrap().iter();
        let key = keys.find(|key| key["kid"] == header["kid"]).expect("the signing key");
        let seed = BASE64_URL_SAFE_NO_PAD.decode(key["d"].as_str().unwrap()).unwrap();
        Self { key: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(), header, claims }
    }

    /// A token without a fault.
    pub(crate) fn token(&self, user_id: &str, role: &str) -> String {
        sign(&self.key, &self.header, &self.claims(user_id, role))
    }

    /// A token whose header and claims are changed so, and signed.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let (mut header, mut claims) = (self.header.clone(), self.claims.clone());
        change(&mut header, &mut claims);
        sign(&self.key, &header, &claims)
    }

    /// What the token says that others are made after.
    pub(crate) fn original_claims(&self) -> &Value {
        &self.claims
    }

    /// A token with this fault and no other.
    pub(crate) fn faulty(&self, fault: Fault, user_id: &str, role: &str) -> String {
        let claims = self.claims(user_id, role);
        let with = |json: &Value, name: &str, value: Value| {
            let mut json = json.clone();
            json[name] = value;
            json
        };
        let signed = |claims: Value| sign(&self.key, &self.header, &claims);
        match fault {
            Fault::Expired => {
                let now = claims["iat"].as_i64().unwrap();
                signed(with(&with(&claims, "iat", json!(now - 1_801)), "exp", json!(now - 1)))
            }
            Fault::Tampered => {
                let valid = sign(&self.key, &self.header, &with(&claims, "role", json!("viewer")));
                let (_, signature) = valid.rsplit_once('.').unwrap();
                format!("{}.{signature}", signing_input(&self.header, &claims))
            }
            Fault::WrongAudience => signed(with(&claims, "aud", json!("stream"))),
            Fault::WrongIssuer => signed(with(&claims, "iss", json!("https://evil.example"))),
            Fault::WrongType => sign(&self.key, &with(&self.header, "typ", json!("stream+jwt")), &claims),
            Fault::Unsigned => {
                format!("{}.", signing_input(&with(&self.header, "alg", json!("none")), &claims))
            }
            Fault::HmacWithPublicKey => {
                let input = signing_input(&with(&self.header, "alg", json!("HS256")), &claims);
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.public_key().as_ref());
                let tag = hmac::sign(&key, input.as_bytes());
                format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
            }
            Fault::UnknownKey => {
                let key = fresh_key();
                let x = BASE64_URL_SAFE_NO_PAD.encode(key.public_key());
                let header = with(&self.header, "kid", json!("unknown"));
                let header = with(&header, "jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": x}));
                sign(&key, &header, &claims)
            }
            Fault::ForeignKey => sign(&fresh_key(), &self.header, &claims),
        }
    }

    fn claims(&self, user_id: &str, role: &str) -> Value {
        let mut claims = self.claims.clone();
        claims["sub"] = json!(user_id);
        claims["role"] = json!(role);
        claims["jti"] = json!(uuid::Uuid::now_v7());
        claims
    }
}

fn fresh_key() -> Ed25519KeyPair {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap()
}

fn signing_input(header: &Value, claims: &Value) -> String {
    let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

fn sign(key: &Ed25519KeyPair, header: &Value, claims: &Value) -> String {
    let input = signing_input(header, claims);
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}
