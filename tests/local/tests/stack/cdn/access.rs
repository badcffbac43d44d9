//! Who is let in, and by whose leave.

use std::net::TcpListener;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use http::Uri;
use local::aws::{Credentials, Principal};
use local::{AwsEndpoint, LocalStack, Options, StartError};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{
    BODY, Change, OBJECT, Signer, Site, THUMBNAIL, cloudfront, code, condition, create_public_key, options,
    unix_seconds,
};
use crate::http::address;

#[tokio::test]
async fn a_signature_lets_in_and_the_bucket_is_read_as_the_distribution() {
    let site = Site::start().await;
    let calls = site.stack.aws().unwrap().calls();
    let before = calls.sequence();
    let reply = site.get(&site.signed(OBJECT)).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, BODY));
    let [call] = calls.since(before).try_into().unwrap();
    assert_eq!(call.principal, Principal::Service("cloudfront.amazonaws.com"));
    let action = ("s3:GetObject".to_owned(), "arn:aws:s3:::media/media/1/source".to_owned());
    assert_eq!((call.operation.as_str(), call.actions), ("GetObject", vec![action]));

    // Who is refused at the edge never reaches the bucket.
    let before = calls.sequence();
    let other = Signer::new().canned(&site.url(), OBJECT, &site.key_id, unix_seconds() + 600);
    for (path, expected) in [
        (OBJECT.to_owned(), "MissingKey"),
        (site.signed(OBJECT).replace("/1/", "/2/"), "AccessDenied"),
        (other, "AccessDenied"),
        (site.signer.canned(&site.url(), OBJECT, "KUNKNOWN", unix_seconds() + 600), "InvalidKey"),
        (site.signer.canned(&site.url(), OBJECT, &site.key_id, unix_seconds()), "AccessDenied"),
        // Signed for another host.
        (
            site.signer.canned("http://example.org", OBJECT, &site.key_id, unix_seconds() + 600),
            "AccessDenied",
        ),
    ] {
        let reply = site.get(&path).await;
        assert_eq!((reply.status, code(&reply)), (403, expected), "{path}");
        assert_eq!(reply.header("x-cache"), Some("Error from cloudfront"));
    }
    assert_eq!(calls.sequence(), before);
    site.stack.shut_down().await;
}

#[tokio::test]
async fn a_custom_policy_is_for_a_folder_an_address_and_a_time() {
    let site = Site::start().await;
    let now = unix_seconds();
    let folder = format!("{}/media/1/*", site.url());
    let until = json!({"AWS:EpochTime": now + 600});
    let address = |range: &str| json!({"DateLessThan": until, "IpAddress": {"AWS:SourceIp": range}});
    let from = |seconds: u64| json!({"DateLessThan": until, "DateGreaterThan": {"AWS:EpochTime": seconds}});
    for (resource, when, expected) in [
        (folder.as_str(), json!({"DateLessThan": until}), 200),
        ("http*://127.0.0.?:*/media/1/sourc?", json!({"DateLessThan": until}), 200),
        (&folder.replace("/1/", "/2/"), json!({"DateLessThan": until}), 403),
        (&folder, json!({"DateLessThan": {"AWS:EpochTime": now - 1}}), 403),
        (&folder, address("127.0.0.1/32"), 200),
        (&folder, address("127.0.0.0/8"), 200),
        (&folder, address("192.0.2.0/24"), 403),
        (&folder, from(now - 10), 200),
        (&folder, from(now + 300), 403),
    ] {
        let path = site.signer.custom(OBJECT, &site.key_id, &condition(resource, &when));
        let reply = site.get(&path).await;
        assert_eq!(reply.status, expected, "{resource} {when}: {reply:?}");
    }
    // The address is that of the connection, whatever a header says.
    let path = site.signer.custom(OBJECT, &site.key_id, &condition(&folder, &address("192.0.2.7/32")));
    let forged = ["X-Forwarded-For: 192.0.2.7", "CloudFront-Viewer-Address: 192.0.2.7:1"];
    assert_eq!(site.send("GET", &path, &forged).await.status, 403);
    site.stack.shut_down().await;
}

#[tokio::test]
async fn time_is_the_stacks() {
    let site = Site::start_with(Change { values: Vec::new(), ahead: Duration::from_hours(1) }).await;
    let expires = |seconds| site.signer.canned(&site.url(), OBJECT, &site.key_id, unix_seconds() + seconds);
    assert_eq!(site.get(&expires(3000)).await.status, 403);
    assert_eq!(site.get(&expires(4000)).await.status, 200);
    site.stack.shut_down().await;
}

#[tokio::test]
async fn a_key_counts_only_in_a_trusted_group() {
    let site = Site::start().await;
    let stranger = Signer::new();
    let id = create_public_key(&site.stack, "stranger", &stranger.public_key()).await;
    let path = stranger.canned(&site.url(), OBJECT, &id, unix_seconds() + 600);
    assert_eq!(code(&site.get(&path).await), "InvalidKey");

    // While a key group names it, a key stays.
    let cloudfront = cloudfront(&site.stack);
    let e_tag =
        |id: String| async { cloudfront.get_public_key().id(id).send().await.unwrap().e_tag.unwrap() };
    let delete = cloudfront.delete_public_key().id(&site.key_id).if_match(e_tag(site.key_id.clone()).await);
    assert_eq!(delete.send().await.unwrap_err().code(), Some("PublicKeyInUse"));
    cloudfront.delete_public_key().id(&id).if_match(e_tag(id.clone()).await).send().await.unwrap();
    site.stack.shut_down().await;
}

#[tokio::test]
async fn without_the_buckets_leave_nothing_is_read() {
    let statement = "/Resources/MediaPolicy/Properties/PolicyDocument/Statement/1";
    let granted = |principal: &str, source: &str| {
        json!({
            "Effect": "Allow",
            "Principal": {"Service": principal},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": source}},
        })
    };
    let anybody = "arn:aws:cloudfront::000000000000:distribution/*";
    for value in [
        json!({"Ref": "AWS::NoValue"}),
        granted("cloudfront.amazonaws.com", "arn:aws:cloudfront::000000000000:distribution/EOTHER"),
        granted("s3.amazonaws.com", anybody),
    ] {
        let site =
            Site::start_with(Change { values: vec![(statement, value.clone())], ahead: Duration::ZERO })
                .await;
        for path in [site.signed(OBJECT), THUMBNAIL.to_owned()] {
            let reply = site.get(&path).await;
            assert_eq!((reply.status, code(&reply)), (403, "AccessDenied"), "{value}");
        }
        site.stack.shut_down().await;
    }
}

#[tokio::test]
async fn what_a_distribution_does_not_do_is_refused() {
    let site = Site::start().await;
    let reply = site.send("PUT", &site.signed(OBJECT), &[]).await;
    assert_eq!((reply.status, code(&reply)), (403, "MethodNotAllowed"));
    let reply = site.send("OPTIONS", THUMBNAIL, &[]).await;
    assert_eq!((reply.status, code(&reply)), (403, "MethodNotAllowed"));

    // A list of the bucket, and an object that is not there: nobody may know.
    for path in ["/", "/media/1/nothing"] {
        let reply = site.get(&site.signed(path)).await;
        assert_eq!((reply.status, code(&reply)), (403, "AccessDenied"), "{path}");
    }
    // The distribution is found by its domain name.
    let mut stream = TcpStream::connect(address(&site.url())).await.unwrap();
    let request = format!("GET {THUMBNAIL} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    site.stack.shut_down().await;
}

#[tokio::test]
async fn what_cannot_be_served_is_named() {
    let directory = TempDir::new().unwrap();
    let with = |ids: &str| options(&directory, ids, Vec::new(), Duration::ZERO);
    let error = async |options: Options| LocalStack::start(options).await.unwrap_err();

    assert_eq!(
        error(with("KNOTHING")).await.to_string(),
        "key group Keys names the public key KNOTHING, which CloudFront does not have"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let cdn_address = taken.local_addr().unwrap();
    let message = error(Options { cdn_address, ..with("K1") }).await.to_string();
    assert_eq!(message, format!("port {} is taken; choose another with --cdn-port", cdn_address.port()));
    // Without a distribution nobody asks for the port.
    LocalStack::start(Options { cdn_address, ..with("") }).await.unwrap().shut_down().await;

    let elsewhere = AwsEndpoint {
        url: Uri::from_static("http://127.0.0.1:1"),
        region: "us-east-1".to_owned(),
        credentials: Credentials {
            access_key_id: "a".to_owned(),
            secret_access_key: "b".to_owned(),
            session_token: None,
        },
    };
    let error = error(Options { aws_endpoint: Some(elsewhere), ..with("K1") }).await;
    assert!(matches!(error, StartError::CdnOfAnotherEndpoint), "{error}");
}

#[tokio::test]
async fn keys_outlive_a_restart() {
    let site = Site::start().await;
    site.stack.shut_down().await;
    let again = LocalStack::start(options(&site.directory, &site.key_id, Vec::new(), Duration::ZERO)).await;
    let site = Site { stack: again.unwrap(), ..site };
    assert_eq!(site.get(&site.signed(OBJECT)).await.status, 200);
    site.stack.shut_down().await;
}
