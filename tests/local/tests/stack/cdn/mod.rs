//! The distribution of a template, by real HTTP: who is let in, what the bucket is asked, what comes back.

mod access;
mod answers;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_cloudfront::types::PublicKeyConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local::{DataDirectory, LocalStack, Options};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Reply, send};
use crate::write;

const TEMPLATE: &str = include_str!("../../../conformance/cdn.yaml");
/// The object that is there, and a thumbnail.
const OBJECT: &str = "/media/1/source";
const THUMBNAIL: &str = "/media/1/thumbnail/2";
const BODY: &[u8] = b"0123456789";

/// A distribution in front of a bucket, and whoever signs its URLs.
struct Site {
    stack: LocalStack,
    signer: Signer,
    key_id: String,
    directory: TempDir,
}

/// How a site differs from the usual one.
struct Change {
    /// By JSON pointer, in the template.
    values: Vec<(&'static str, Value)>,
    /// How far ahead the stack's clock is.
    ahead: Duration,
}

impl Site {
    async fn start() -> Site {
        Site::start_with(Change { values: Vec::new(), ahead: Duration::ZERO }).await
    }

    /// A public key is there before the key group that names it: the stack starts without the CDN first.
    async fn start_with(change: Change) -> Site {
        let directory = TempDir::new().unwrap();
        let signer = Signer::new();
        let first = LocalStack::start(options(&directory, "", Vec::new(), Duration::ZERO)).await.unwrap();
        assert_eq!(first.cdn_url(), None);
        let key_id = create_public_key(&first, "present", &signer.public_key()).await;
        for key in [OBJECT, THUMBNAIL] {
            let put = s3(&first).put_object().bucket("media").key(&key[1..]).content_type("video/mp4");
            put.body(BODY.to_vec().into()).send().await.unwrap();
        }
        first.shut_down().await;
        let options = options(&directory, &key_id, change.values, change.ahead);
        let stack = LocalStack::start(options).await.unwrap();
        Site { stack, signer, key_id, directory }
    }

    fn url(&self) -> String {
        self.stack.cdn_url().unwrap()
    }

    /// A path with a canned policy.
    fn signed(&self, path: &str) -> String {
        self.signer.canned(&self.url(), path, &self.key_id, unix_seconds() + 600)
    }

    async fn send(&self, method: &str, path: &str, headers: &[&str]) -> Reply {
        send(&self.url(), &format!("{method} {path}"), headers, b"").await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[]).await
    }
}

fn options(
    directory: &TempDir,
    public_key_ids: &str,
    values: Vec<(&'static str, Value)>,
    ahead: Duration,
) -> Options {
    let mut tree = local::template::parse(TEMPLATE).unwrap();
    for (pointer, value) in values {
        *tree.pointer_mut(pointer).unwrap() = value;
    }
    Options {
        template: write(directory.path(), &tree),
        parameters: [("PublicKeyIds".to_owned(), public_key_ids.to_owned())].into(),
        data_directory: DataDirectory::Persistent(directory.path().join("data")),
        clock: api::Clock::new(move || SystemTime::now() + ahead),
        ..Options::default()
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn credentials() -> Credentials {
    Credentials::new("local", "local-secret", None, None, "test")
}

fn s3(stack: &LocalStack) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(stack.aws_url())
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    aws_sdk_s3::Client::from_conf(config.build())
}

fn cloudfront(stack: &LocalStack) -> aws_sdk_cloudfront::Client {
    let config = aws_sdk_cloudfront::Config::builder()
        .behavior_version(aws_sdk_cloudfront::config::BehaviorVersion::latest())
        .region(aws_sdk_cloudfront::config::Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(stack.aws_url())
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    aws_sdk_cloudfront::Client::from_conf(config.build())
}

async fn create_public_key(stack: &LocalStack, name: &str, pem: &str) -> String {
    let config = PublicKeyConfig::builder().name(name).caller_reference(name).encoded_key(pem);
    let request = cloudfront(stack).create_public_key().public_key_config(config.build().unwrap());
    request.send().await.unwrap().public_key.unwrap().id
}

/// Signs as CloudFront's documentation says, by ECDSA on P-256 over SHA-256.
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

    fn public_key(&self) -> String {
        let prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
        let prefix =
            (0..prefix.len()).step_by(2).map(|at| u8::from_str_radix(&prefix[at..at + 2], 16).unwrap());
        let der: Vec<u8> = prefix.chain(self.pair.public_key().as_ref().iter().copied()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    fn canned(&self, site: &str, path: &str, key_id: &str, expires: u64) -> String {
        let policy = format!(
            r#"{{"Statement":[{{"Resource":"{site}{path}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
        );
        self.add(path, &format!("Expires={expires}"), &policy, key_id)
    }

    fn custom(&self, path: &str, key_id: &str, policy: &Value) -> String {
        let policy = policy.to_string();
        self.add(path, &format!("Policy={}", encode(policy.as_bytes())), &policy, key_id)
    }

    fn add(&self, path: &str, parameter: &str, policy: &str, key_id: &str) -> String {
        let mark = if path.contains('?') { '&' } else { '?' };
        let signature = encode(self.pair.sign(&SystemRandom::new(), policy.as_bytes()).unwrap().as_ref());
        format!("{path}{mark}{parameter}&Signature={signature}&Key-Pair-Id={key_id}&Hash-Algorithm=SHA256")
    }
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~")
}

/// The `<Code>` of an XML error.
fn code(reply: &Reply) -> &str {
    let (_, rest) = reply.text().split_once("<Code>").unwrap_or_else(|| panic!("{reply:?}"));
    rest.split_once("</Code>").unwrap().0
}

fn condition(resource: &str, condition: &Value) -> Value {
    json!({"Statement": [{"Resource": resource, "Condition": condition}]})
}
