//! The life of the signing keys: made, rotated, rolled back and removed, and what they verify meanwhile.
//!
//! CloudFormation's part is played as it asks: an update, then a deletion of what was replaced, or the update back and a
//! deletion of what was not to be. A stack's id of its own has public keys that no key group of this stack names.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth::CdnKeyRing;
use aws_sdk_cloudfront::types::{PublicKeyConfig, PublicKeySummary};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use local::DataDirectory;
use local::aws::Answer;
use reqwest::{Method, StatusCode};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::cloud_formation::invoke;
use crate::platform::{File, Platform, expect, with_cdn};

crate::tests![
    public_keys_are_made_rotated_rolled_back_and_removed,
    a_key_that_a_key_group_names_is_not_deleted,
    what_a_failed_deletion_left_is_deleted_by_the_next,
    a_creation_that_failed_halfway_is_gone_on_with,
    a_creation_that_failed_halfway_is_cleaned_up,
    an_answer_that_got_lost_makes_no_second_key,
    two_runs_of_one_request_answer_the_same,
    keys_are_found_among_many,
    what_was_signed_before_a_rotation_verifies_after_it,
    a_cdn_is_turned_on_and_off,
];

const NONE: [u32; 0] = [];

/// A stack of CloudFormation with a life of its own, on a platform with a CDN.
struct Stack<'a> {
    platform: &'a Platform,
    id: String,
}

/// What the resource is to be.
#[derive(Clone, Copy)]
struct Wanted {
    generation: u32,
    has_cdn: bool,
}

const fn cdn(generation: u32) -> Wanted {
    Wanted { generation, has_cdn: true }
}

impl Wanted {
    fn physical_id(self) -> String {
        format!("signing-keys-{}{}", self.generation, if self.has_cdn { "-cdn" } else { "" })
    }

    fn properties(self) -> Value {
        let mut properties = json!({
            "KeyGeneration": self.generation.to_string(),
            "AccessKeysSecret": "",
            "CapabilityKeysSecret": "",
        });
        if self.has_cdn {
            properties["CdnKeysSecret"] = json!("");
        }
        properties
    }
}

impl<'a> Stack<'a> {
    fn new(platform: &'a Platform) -> Self {
        let id =
            format!("arn:aws:cloudformation:us-east-1:000000000000:stack/other/{}", uuid::Uuid::now_v7());
        Self { platform, id }
    }

    /// The one that the platform is.
    fn installed(platform: &'a Platform) -> Self {
        let stack = platform.stack.stack();
        let id = format!(
            "arn:aws:cloudformation:{}:{}:stack/{}/00000000-0000-0000-0000-000000000000",
            stack.region, stack.account_id, stack.name
        );
        Self { platform, id }
    }

    fn request(&self, request_type: &str, physical_id: Option<&str>, wanted: Wanted) -> Value {
        json!({
            "RequestType": request_type,
            "RequestId": uuid::Uuid::now_v7().to_string(),
            "StackId": self.id,
            "LogicalResourceId": "SigningKeys",
            "ResourceType": "Custom::SigningKeys",
            "PhysicalResourceId": physical_id,
            "ResourceProperties": wanted.properties(),
        })
    }

    async fn succeed(&self, request: Value) -> Value {
        let answer = invoke(self.platform, request).await;
        assert_eq!(answer["Status"], "SUCCESS", "{answer}");
        answer
    }

    async fn create(&self, wanted: Wanted) -> Value {
        let answer = self.succeed(self.request("Create", None, wanted)).await;
        assert_eq!(answer["PhysicalResourceId"], wanted.physical_id());
        answer["Data"].clone()
    }

    async fn update(&self, from: Wanted, to: Wanted) -> Value {
        let mut request = self.request("Update", Some(&from.physical_id()), to);
        request["OldResourceProperties"] = from.properties();
        let answer = self.succeed(request).await;
        assert_eq!(answer["PhysicalResourceId"], to.physical_id());
        answer["Data"].clone()
    }

    async fn delete(&self, what: Wanted) {
        let answer = self.succeed(self.request("Delete", Some(&what.physical_id()), what)).await;
        assert_eq!(answer["PhysicalResourceId"], what.physical_id());
    }

    /// The generations of its public keys.
    async fn generations(&self) -> Vec<u32> {
        let prefix = format!("signing-keys-{}-", self.id.rsplit('/').next().unwrap());
        let keys = public_keys(self.platform).await;
        let names = keys.iter().filter_map(|key| key.name().strip_prefix(&prefix));
        let mut generations: Vec<u32> =
            names.map(|name| name.split_once('-').unwrap().0.parse().unwrap()).collect();
        generations.sort_unstable();
        generations
    }
}

fn cloudfront(platform: &Platform) -> aws_sdk_cloudfront::Client {
    aws_sdk_cloudfront::Client::new(&platform.sdk_configuration())
}

async fn public_keys(platform: &Platform) -> Vec<PublicKeySummary> {
    let (mut keys, mut marker) = (Vec::new(), None);
    loop {
        let answer = cloudfront(platform).list_public_keys().set_marker(marker).send().await.unwrap();
        let page = answer.public_key_list.unwrap();
        keys.extend(page.items.unwrap_or_default());
        marker = page.next_marker;
        if marker.is_none() {
            return keys;
        }
    }
}

fn ids(data: &Value) -> Vec<&str> {
    data["CdnPublicKeyIds"].as_str().unwrap().split(',').collect()
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::Error { status, code: code.to_owned(), message: "refused".to_owned() }
}

async fn public_keys_are_made_rotated_rolled_back_and_removed(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let stack = Stack::new(&platform);
    let first = stack.create(cdn(1)).await;
    assert_eq!(stack.generations().await, [1, 2]);
    assert_eq!(first["CdnKeyPairId"], ids(&first)[0]);
    assert_eq!(stack.create(cdn(1)).await, first, "asked again, the same");

    // A rotation that is rolled back.
    let second = stack.update(cdn(1), cdn(2)).await;
    assert_eq!(stack.generations().await, [1, 2, 3]);
    assert_eq!(ids(&second)[..2], ids(&first)[..], "what is known stays known");
    assert_eq!(second["CdnKeyPairId"], ids(&first)[1], "what was next signs");
    assert_eq!(stack.update(cdn(2), cdn(1)).await, first);
    stack.delete(cdn(2)).await;
    assert_eq!(stack.generations().await, [1, 2]);

    // Two rotations that stay. The old key goes only when CloudFormation cleans up.
    let second = stack.update(cdn(1), cdn(2)).await;
    stack.delete(cdn(1)).await;
    assert_eq!(stack.generations().await, [1, 2, 3], "the previous one still verifies");
    let third = stack.update(cdn(2), cdn(3)).await;
    assert_eq!(stack.generations().await, [1, 2, 3, 4]);
    assert_eq!(ids(&third)[..2], ids(&second)[1..]);
    stack.delete(cdn(2)).await;
    assert_eq!(stack.generations().await, [2, 3, 4]);
    // A deletion that comes twice, and late.
    stack.delete(cdn(2)).await;
    stack.delete(cdn(1)).await;
    assert_eq!(stack.generations().await, [2, 3, 4]);

    // Turned off: nothing goes before the key group has gone.
    let without = Wanted { generation: 3, has_cdn: false };
    let off = stack.update(cdn(3), without).await;
    assert!(off.get("CdnKeyPairId").is_none(), "{off}");
    assert_eq!(off["AccessJwks"], third["AccessJwks"]);
    assert_eq!(stack.generations().await, [2, 3, 4]);
    // Rolled back, and then for good.
    assert_eq!(stack.update(without, cdn(3)).await, third);
    stack.delete(without).await;
    assert_eq!(stack.generations().await, [2, 3, 4]);
    stack.update(cdn(3), without).await;
    stack.delete(cdn(3)).await;
    assert_eq!(stack.generations().await, NONE);

    // The removal of the stack, while there is a CDN.
    stack.update(without, cdn(3)).await;
    stack.delete(without).await;
    assert_eq!(stack.generations().await, [2, 3, 4]);
    stack.delete(cdn(3)).await;
    assert_eq!(stack.generations().await, NONE);
    stack.delete(cdn(3)).await;
    platform.shut_down().await;
}

async fn a_key_that_a_key_group_names_is_not_deleted(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let stack = Stack::installed(&platform);
    assert_eq!(stack.generations().await, [1, 2]);
    let answer = invoke(&platform, stack.request("Delete", Some("signing-keys-1-cdn"), cdn(1))).await;
    assert_eq!(answer["Status"], "FAILED", "{answer}");
    assert_eq!(answer["PhysicalResourceId"], "signing-keys-1-cdn");
    let reason = answer["Reason"].as_str().unwrap();
    assert!(reason.contains("still in a key group"), "{reason}");
    assert_eq!(stack.generations().await, [1, 2]);
    platform.shut_down().await;
}

async fn what_a_failed_deletion_left_is_deleted_by_the_next(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let stack = Stack::new(&platform);
    let without = |generation| Wanted { generation, has_cdn: false };
    stack.create(cdn(1)).await;
    stack.update(cdn(1), without(1)).await;
    let interception = platform.calls().intercept(|attempt| {
        (attempt.operation == "DeletePublicKey").then(|| refusal(409, "PublicKeyInUse"))
    });
    let failed = invoke(&platform, stack.request("Delete", Some("signing-keys-1-cdn"), cdn(1))).await;
    drop(interception);
    assert_eq!(failed["Status"], "FAILED", "{failed}");
    // CloudFormation goes on without. That there was a CDN is not forgotten.
    stack.update(without(1), without(2)).await;
    assert_eq!(stack.generations().await, [1, 2]);
    stack.delete(without(1)).await;
    assert_eq!(stack.generations().await, NONE);
    platform.shut_down().await;
}

/// Creates the keys while CloudFront takes one and no more.
async fn fail_halfway(stack: &Stack<'_>) -> Value {
    let created = AtomicUsize::new(0);
    let interception = stack.platform.calls().intercept(move |attempt| {
        let is_second = attempt.operation == "CreatePublicKey" && created.fetch_add(1, Ordering::Relaxed) > 0;
        is_second.then(|| refusal(400, "TooManyPublicKeys"))
    });
    let request = stack.request("Create", None, cdn(1));
    let failed = invoke(stack.platform, request.clone()).await;
    drop(interception);
    assert_eq!(failed["Status"], "FAILED");
    assert_eq!(failed["PhysicalResourceId"], "signing-keys-not-created");
    assert!(failed["Reason"].as_str().unwrap().contains("TooManyPublicKeys"), "{failed}");
    assert_eq!(stack.generations().await, [1]);
    request
}

async fn a_creation_that_failed_halfway_is_gone_on_with(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let stack = Stack::new(&platform);
    let request = fail_halfway(&stack).await;
    let kept = public_keys(&platform).await;
    let again = stack.succeed(request).await;
    assert_eq!(stack.generations().await, [1, 2]);
    let signing = again["Data"]["CdnKeyPairId"].as_str().unwrap();
    assert!(kept.iter().any(|key| key.id() == signing), "the key that is there is used");
    platform.shut_down().await;
}

async fn a_creation_that_failed_halfway_is_cleaned_up(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let stack = Stack::new(&platform);
    // As in a new stack, nothing is present.
    let secret = secret_arn(&platform, "AccessKeysSecret");
    let secrets = aws_sdk_secretsmanager::Client::new(&platform.sdk_configuration());
    secrets.put_secret_value().secret_id(secret).secret_string(r#"{"keys":[]}"#).send().await.unwrap();
    fail_halfway(&stack).await;
    let deletion = stack.request("Delete", Some("signing-keys-not-created"), cdn(1));
    stack.succeed(deletion).await;
    assert_eq!(stack.generations().await, NONE);
    assert_eq!(Stack::installed(&platform).generations().await, [1, 2], "others' keys stay");
    platform.shut_down().await;
}

async fn an_answer_that_got_lost_makes_no_second_key(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let stack = Stack::new(&platform);
    let created = AtomicUsize::new(0);
    let interception = platform.calls().intercept(move |attempt| {
        let is_first = attempt.operation == "CreatePublicKey" && created.fetch_add(1, Ordering::Relaxed) == 0;
        is_first.then_some(Answer::DropAnswer)
    });
    let data = stack.create(cdn(1)).await;
    drop(interception);
    assert_eq!(stack.generations().await, [1, 2]);
    assert_eq!(stack.create(cdn(1)).await, data);
    platform.shut_down().await;
}

async fn two_runs_of_one_request_answer_the_same(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let stack = Stack::new(&platform);
    stack.create(cdn(1)).await;
    let request = stack.request("Update", Some("signing-keys-1-cdn"), cdn(2));
    let (one, other) = tokio::join!(stack.succeed(request.clone()), stack.succeed(request.clone()));
    assert_eq!(one["Data"], other["Data"]);
    assert_eq!(stack.generations().await, [1, 2, 3]);
    platform.shut_down().await;
}

async fn keys_are_found_among_many(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let stack = Stack::new(&platform);
    let data = stack.create(cdn(1)).await;
    let pem = public_keys(&platform).await[0].encoded_key().to_owned();
    let client = cloudfront(&platform);
    for number in 0..300 {
        let configuration = PublicKeyConfig::builder()
            .name(format!("another-{number}"))
            .caller_reference(format!("another-{number}"))
            .encoded_key(&pem);
        let configuration = configuration.build().unwrap();
        client.create_public_key().public_key_config(configuration).send().await.unwrap();
    }
    let sequence = platform.calls().sequence();
    assert_eq!(stack.create(cdn(1)).await, data);
    stack.delete(cdn(1)).await;
    let calls = platform.calls().since(sequence);
    assert_eq!(calls.iter().filter(|call| call.operation == "ListPublicKeys").count(), 2 * 4);
    assert_eq!(stack.generations().await, NONE);
    assert_eq!(public_keys(&platform).await.len(), 300 + 2, "nobody else's");
    platform.shut_down().await;
}

fn secret_arn(platform: &Platform, logical_id: &str) -> String {
    let secrets = &platform.stack.stack().secrets;
    secrets.iter().find(|secret| secret.logical_id == logical_id).unwrap().arn.clone()
}

async fn kept_platform(data: &Path, generation: u32, has_cdn: bool) -> Platform {
    Platform::start(|options| {
        options.data_directory = DataDirectory::Persistent(data.to_owned());
        options.parameters.insert("KeyGeneration".to_owned(), generation.to_string());
        options.parameters.insert("CdnEnabled".to_owned(), has_cdn.to_string());
    })
    .await
}

fn environment<'a>(platform: &'a Platform, function: &str, name: &str) -> &'a str {
    &platform.stack.stack().functions[function].environment[name]
}

/// Verifies a token with these public keys and nothing of the platform's.
fn verifies(token: &str, jwks: &str) -> bool {
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let header: Value = serde_json::from_slice(&decode(signed.split_once('.').unwrap().0)).unwrap();
    let jwks: Value = serde_json::from_str(jwks).unwrap();
    let key = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]);
    key.is_some_and(|key| {
        let public = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str().unwrap()));
        public.verify(signed.as_bytes(), &decode(signature)).is_ok()
    })
}

/// Signs with the key that `create-stream-url` is told to sign URLs of CloudFront with.
async fn signed_for_cloudfront(platform: &Platform) -> (String, Vec<u8>) {
    let told = |name| environment(platform, "CreateStreamUrlFunction", name);
    let secrets = aws_sdk_secretsmanager::Client::new(&platform.sdk_configuration());
    let secret = secrets.get_secret_value().secret_id(told("CDN_KEYS_SECRET")).send().await.unwrap();
    let ring = CdnKeyRing::parse(secret.secret_string().unwrap()).unwrap();
    let key = ring.signing_key(told("CDN_SIGNING_KID")).unwrap();
    (told("CDN_KEY_PAIR_ID").to_owned(), key.sign(b"a policy").unwrap())
}

/// Verifies it as CloudFront does: by the public key with that id, if a key group names it.
async fn cloudfront_verifies(platform: &Platform, (key_id, signature): &(String, Vec<u8>)) -> bool {
    if !platform.stack.stack().key_groups.iter().any(|group| group.public_key_ids.contains(key_id)) {
        return false;
    }
    let answer = cloudfront(platform).get_public_key().id(key_id).send().await.unwrap();
    let configuration = answer.public_key.unwrap().public_key_config.unwrap();
    let body: String =
        configuration.encoded_key().lines().filter(|line| !line.starts_with("-----")).collect();
    let spki = BASE64_STANDARD.decode(body).unwrap();
    let point = &spki[spki.len() - 65..];
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(b"a policy", signature).is_ok()
}

/// What a generation's keys have signed.
struct Signed {
    access_token: String,
    stream_path: String,
    for_cloudfront: (String, Vec<u8>),
}

impl Signed {
    async fn by(platform: &Platform, email: &str, media_id: &str) -> Self {
        let access_token = platform.log_in(email).await;
        let path = format!("/media/{media_id}/stream-url");
        let answer = platform.request(Method::GET, &path).bearer_auth(&access_token).send().await.unwrap();
        let urls = expect(answer, StatusCode::OK).await;
        let stream_url = urls["stream_url"].as_str().unwrap();
        let stream_path = stream_url.strip_prefix(platform.stack.api_url()).unwrap().to_owned();
        Self { access_token, stream_path, for_cloudfront: signed_for_cloudfront(platform).await }
    }

    fn stream_token(&self) -> &str {
        self.stream_path.split_once("token=").unwrap().1
    }

    /// Whether functions take it, the keys that they are told verify it, and CloudFront does.
    async fn is_good(&self, platform: &Platform) -> bool {
        let profile = platform.request(Method::GET, "/users/me").bearer_auth(&self.access_token);
        let stream = platform.request(Method::GET, &self.stream_path);
        let told = |function, name| environment(platform, function, name);
        let verdicts = [
            profile.send().await.unwrap().status() == StatusCode::OK,
            stream.send().await.unwrap().status() == StatusCode::FOUND,
            verifies(&self.access_token, told("GetProfileFunction", "ACCESS_JWKS")),
            verifies(self.stream_token(), told("StreamMediaFunction", "CAPABILITY_JWKS")),
            cloudfront_verifies(platform, &self.for_cloudfront).await,
        ];
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
        verdicts[0]
    }
}

async fn what_was_signed_before_a_rotation_verifies_after_it(_shared: &Platform) {
    let directory = tempfile::tempdir().unwrap();
    let at = async |generation| kept_platform(directory.path(), generation, true).await;

    let platform = at(1).await;
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::video()).await;
    let media_id = media["id"].as_str().unwrap();
    let first = Signed::by(&platform, &user.email, media_id).await;
    assert!(first.is_good(&platform).await);
    platform.shut_down().await;

    let platform = at(2).await;
    let second = Signed::by(&platform, &user.email, media_id).await;
    assert_ne!(first.for_cloudfront.0, second.for_cloudfront.0);
    assert!(first.is_good(&platform).await && second.is_good(&platform).await);
    platform.shut_down().await;

    // The rotation is taken back: what it has signed meanwhile is good too.
    let platform = at(1).await;
    assert!(first.is_good(&platform).await && second.is_good(&platform).await);
    platform.shut_down().await;

    at(2).await.shut_down().await;
    let platform = at(3).await;
    assert!(!first.is_good(&platform).await);
    assert!(second.is_good(&platform).await);
    platform.shut_down().await;
}

async fn a_cdn_is_turned_on_and_off(_shared: &Platform) {
    let directory = tempfile::tempdir().unwrap();
    let at = async |has_cdn| kept_platform(directory.path(), 1, has_cdn).await;
    for (has_cdn, generations) in [(false, vec![]), (true, vec![1, 2]), (false, vec![]), (true, vec![1, 2])] {
        let platform = at(has_cdn).await;
        assert_eq!(Stack::installed(&platform).generations().await, generations, "{has_cdn}");
        assert_eq!(environment(&platform, "CreateStreamUrlFunction", "CDN_KEY_PAIR_ID").is_empty(), !has_cdn);
        platform.shut_down().await;
    }
}
