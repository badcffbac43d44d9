//! The examples of the S3 API reference: "Examples: Signature Calculations in AWS Signature Version 4", "Authenticating
//! Requests: Using Query Parameters", "Signature Calculations for the Authorization Header: Transferring Payload in
//! Multiple Chunks" and "Examples: Browser-Based Upload using HTTP POST".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::aws::signature::{
    Authorization, CredentialScope, Path, SignatureError, SignedRequest, sha256, sign_text,
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TIME: &str = "20130524T000000Z";
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const STREAMING: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
/// Of the request in chunks; the first chunk's signature is made over it.
const SEED_SIGNATURE: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

struct Example {
    method: Method,
    uri: &'static str,
    headers: &'static [(&'static str, &'static str)],
    payload_sha256: &'static str,
    signature: &'static str,
}

const HOST: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");
const DATE: (&str, &str) = ("x-amz-date", TIME);
const NO_PAYLOAD: (&str, &str) = ("x-amz-content-sha256", NOTHING);

const EXAMPLES: [Example; 6] = [
    Example {
        method: Method::GET,
        uri: "/test.txt",
        headers: &[HOST, ("range", "bytes=0-9"), NO_PAYLOAD, DATE],
        payload_sha256: NOTHING,
        signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    },
    Example {
        method: Method::PUT,
        uri: "/test%24file.text",
        headers: &[
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            HOST,
            ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
            DATE,
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
        payload_sha256: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    },
    Example {
        method: Method::GET,
        uri: "/?lifecycle",
        headers: &[HOST, NO_PAYLOAD, DATE],
        payload_sha256: NOTHING,
        signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    },
    Example {
        method: Method::GET,
        uri: "/?max-keys=2&prefix=J",
        headers: &[HOST, NO_PAYLOAD, DATE],
        payload_sha256: NOTHING,
        signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    },
    Example {
        method: Method::GET,
        uri: "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F\
              us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
              &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        headers: &[HOST],
        payload_sha256: "UNSIGNED-PAYLOAD",
        signature: "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    },
    Example {
        method: Method::PUT,
        uri: "/examplebucket/chunkObject.txt",
        headers: &[
            ("content-encoding", "aws-chunked"),
            ("content-length", "66824"),
            ("host", "s3.amazonaws.com"),
            ("x-amz-content-sha256", STREAMING),
            DATE,
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
        payload_sha256: STREAMING,
        signature: SEED_SIGNATURE,
    },
];

fn scope(date: &str) -> CredentialScope {
    CredentialScope::parse(&format!("AKIAIOSFODNN7EXAMPLE/{date}/us-east-1/s3/aws4_request")).unwrap()
}

fn compare(example: &Example, uri: &Uri) -> Result<(), SignatureError> {
    let mut headers = HeaderMap::new();
    for (name, value) in example.headers {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let authorization = Authorization {
        scope: scope("20130524"),
        signed_headers: example.headers.iter().map(|(name, _)| (*name).to_owned()).collect(),
        signature: example.signature.to_owned(),
    };
    let request = SignedRequest {
        method: &example.method,
        uri,
        headers: &headers,
        path: Path::AsSent,
        payload_sha256: example.payload_sha256,
    };
    request.compare(&authorization, TIME, SECRET)
}

#[test]
fn the_examples_are_accepted_and_what_is_changed_is_not() {
    for example in &EXAMPLES {
        assert_eq!(compare(example, &example.uri.parse().unwrap()), Ok(()), "{}", example.uri);
        let changed = example.uri.replacen('/', "/changed", 1).parse().unwrap();
        assert_eq!(compare(example, &changed), Err(SignatureError::Mismatch), "{}", example.uri);
    }
}

/// 66 560 times `a`, in chunks of 64 KiB.
#[test]
fn chunks_are_signed_one_over_the_other() {
    let mut previous = SEED_SIGNATURE.to_owned();
    for (length, signature) in [
        (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1_024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ] {
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{TIME}\n20130524/us-east-1/s3/aws4_request\n{previous}\n{NOTHING}\n{}",
            sha256(&vec![b'a'; length])
        );
        previous = sign_text(SECRET, &scope("20130524"), &string_to_sign);
        assert_eq!(previous, signature);
    }
}

#[test]
fn a_post_policy_is_signed_as_it_is() {
    let policy = [
        r#"{ "expiration": "2015-12-30T12:00:00.000Z","#,
        r#"  "conditions": ["#,
        r#"    {"bucket": "sigv4examplebucket"},"#,
        r#"    ["starts-with", "$key", "user/user1/"],"#,
        r#"    {"acl": "public-read"},"#,
        r#"    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},"#,
        r#"    ["starts-with", "$Content-Type", "image/"],"#,
        r#"    {"x-amz-meta-uuid": "14365123651274"},"#,
        r#"    {"x-amz-server-side-encryption": "AES256"},"#,
        r#"    ["starts-with", "$x-amz-meta-tag", ""],"#,
        "",
        r#"    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},"#,
        r#"    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},"#,
        r#"    {"x-amz-date": "20151229T000000Z" }"#,
        "  ]",
        "}",
    ];
    let policy = STANDARD.encode(policy.join("\r\n"));
    assert_eq!(
        sign_text(SECRET, &scope("20151229"), &policy),
        "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
    );
}
