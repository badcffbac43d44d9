//! A small stack, clients for it, and requests made by hand.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresignedRequest;
use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local::aws::{Aws, AwsOptions, Credentials};
use local::stack::{
    Bucket, BucketCorsRule, BucketNotification, Function, Policy, Queue, Redrive, Role, Secret, Stack, Table,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:uploads";
pub(crate) const DEAD_LETTER_QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:uploads-dead";
pub(crate) const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/uploads";
pub(crate) const UPLOAD_ROLE_ARN: &str = "arn:aws:iam::000000000000:role/stack-upload";
/// Versioned, with notifications for `uploads/` and a CORS rule.
pub(crate) const INGEST: &str = "stack-ingest";
/// Not versioned.
pub(crate) const MEDIA: &str = "stack-media";

pub(crate) struct Local {
    pub(crate) aws: Aws,
    pub(crate) directory: TempDir,
}

impl Local {
    pub(crate) async fn start() -> Local {
        Local::start_with(&stack()).await
    }

    pub(crate) async fn start_with(stack: &Stack) -> Local {
        let directory = tempfile::tempdir().unwrap();
        let aws = start_in(&directory).await;
        aws.install(stack).await.unwrap();
        Local { aws, directory }
    }

    /// Stops and starts again on the same data.
    pub(crate) async fn restart(self) -> Local {
        self.aws.shut_down().await;
        let aws = start_in(&self.directory).await;
        aws.install(&stack()).await.unwrap();
        Local { aws, directory: self.directory }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.aws.address())
    }

    pub(crate) fn function(&self, logical_id: &str) -> Credentials {
        self.aws.function_credentials(logical_id)
    }

    pub(crate) fn s3(&self, credentials: &Credentials) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(sdk(credentials))
            .endpoint_url(self.url())
            .force_path_style(true)
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .http_client(http_client())
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    pub(crate) fn operator_s3(&self) -> aws_sdk_s3::Client {
        self.s3(&Aws::operator_credentials())
    }

    /// Credentials of a session of the upload role, narrowed by a policy.
    pub(crate) async fn assume(&self, policy: Option<&str>) -> Credentials {
        let assumed = self.sts(&self.function("Writer")).assume_role().role_arn(UPLOAD_ROLE_ARN);
        let assumed = assumed.role_session_name("upload-1").set_policy(policy.map(str::to_owned));
        let assumed = assumed.send().await.unwrap().credentials.unwrap();
        Credentials {
            access_key_id: assumed.access_key_id,
            secret_access_key: assumed.secret_access_key,
            session_token: Some(assumed.session_token),
        }
    }

    /// Sends a presigned request with more headers; those of the same name are replaced.
    pub(crate) async fn send_presigned(
        &self,
        presigned: &PresignedRequest,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut all: BTreeMap<String, String> =
            presigned.headers().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        for (name, value) in headers {
            if value.is_empty() {
                all.remove(*name);
            } else {
                all.insert((*name).to_owned(), (*value).to_owned());
            }
        }
        let all: Vec<(&str, &str)> =
            all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        send(presigned.method().parse().unwrap(), presigned.uri(), &all, body).await
    }
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        impl Local {
            pub(crate) fn $name(&self, credentials: &Credentials) -> $sdk::Client {
                let config = $sdk::Config::builder()
                    .behavior_version($sdk::config::BehaviorVersion::latest())
                    .region($sdk::config::Region::new(REGION))
                    .credentials_provider(sdk(credentials))
                    .endpoint_url(self.url())
                    .retry_config($sdk::config::retry::RetryConfig::disabled())
                    .http_client(http_client())
                    .build();
                $sdk::Client::from_conf(config)
            }
        }
    };
}

client!(dynamodb, aws_sdk_dynamodb);
client!(sqs, aws_sdk_sqs);
client!(sts, aws_sdk_sts);
client!(secrets, aws_sdk_secretsmanager);

async fn start_in(directory: &TempDir) -> Aws {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Aws::start(AwsOptions { data_directory: directory.path().to_owned(), address }).await.unwrap()
}

pub(crate) fn http_client() -> aws_sdk_s3::config::SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

pub(crate) fn sdk(credentials: &Credentials) -> SdkCredentials {
    SdkCredentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        credentials.session_token.clone(),
        None,
        "test",
    )
}

/// An answer to a request made by hand.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `<Code>` of an XML error.
    pub(crate) fn code(&self) -> String {
        self.element("Code").unwrap_or_default()
    }

    /// The text of an element of an XML error.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.replace("&quot;", "\"").replace("&apos;", "'"))
    }

    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.code())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) async fn send(method: Method, uri: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response =
        client.request(request.body(Full::new(Bytes::copy_from_slice(body))).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}

/// The bytes of an object; `None` where there is none.
pub(crate) async fn body(s3: &aws_sdk_s3::Client, bucket: &str, key: &str) -> Option<Vec<u8>> {
    match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => Some(object.body.collect().await.unwrap().to_vec()),
        Err(error) => {
            assert_eq!(error.code(), Some("NoSuchKey"));
            None
        }
    }
}

/// A string as an attribute of an item.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Waits for what somebody else does.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    tokio::time::timeout(Duration::from_secs(10), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

pub(crate) fn policy(source: &str, statement: Value) -> Policy {
    Policy { source: source.to_owned(), document: json!({ "Version": "2012-10-17", "Statement": statement }) }
}

pub(crate) fn function(logical_id: &str, policies: Vec<Policy>) -> Function {
    Function {
        logical_id: logical_id.to_owned(),
        name: format!("stack-{logical_id}"),
        arn: format!("arn:aws:lambda:us-east-1:000000000000:function:stack-{logical_id}"),
        binary: logical_id.to_owned(),
        role_arn: format!("arn:aws:iam::000000000000:role/stack-{logical_id}-role"),
        environment: BTreeMap::new(),
        timeout: Duration::from_secs(30),
        memory_mib: 256,
        policies,
        permissions_boundary: None,
    }
}

/// `Writer` has every permission the tests need on parts of the stack; `Nobody` has none.
pub(crate) fn stack() -> Stack {
    let writer = vec![
        policy(
            "Writer.Policies[0]",
            json!([
                { "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
                  "Resource": "arn:aws:s3:::stack-media/allowed/*" },
                { "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "arn:aws:dynamodb:*:*:table/stack",
                  "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": "USER#*" } } },
                { "Effect": "Allow", "Action": "dynamodb:Query",
                  "Resource": "arn:aws:dynamodb:us-east-1:000000000000:table/stack/index/GSI1" },
                { "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE_ARN },
                { "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*" },
                { "Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::stack-media/allowed/not/*" },
            ]),
        ),
        policy(
            "WriterAssumesUploadRole",
            json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": UPLOAD_ROLE_ARN }),
        ),
    ];
    let role = Role {
        logical_id: "UploadRole".to_owned(),
        name: "stack-upload".to_owned(),
        arn: UPLOAD_ROLE_ARN.to_owned(),
        trust: policy(
            "UploadRole.AssumeRolePolicyDocument",
            json!({ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::000000000000:root" },
                    "Action": "sts:AssumeRole",
                    "Condition": { "StringLike": { "sts:RoleSessionName": "upload-*" } } }),
        ),
        policies: vec![policy(
            "UploadRole.Policies[0]",
            json!({ "Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"],
                    "Resource": "arn:aws:s3:::stack-ingest/uploads/*" }),
        )],
        max_session_duration: Duration::from_hours(2),
    };
    Stack {
        name: "stack".to_owned(),
        region: REGION.to_owned(),
        account_id: "000000000000".to_owned(),
        functions: [function("Writer", writer), function("Nobody", Vec::new())]
            .into_iter()
            .map(|function| (function.logical_id.clone(), function))
            .collect(),
        routes: Vec::new(),
        api_cors: None,
        tables: vec![table()],
        buckets: buckets(),
        queues: queues(),
        event_source_mappings: Vec::new(),
        secrets: vec![Secret {
            logical_id: "Keys".to_owned(),
            name: "stack/keys".to_owned(),
            arn: "arn:aws:secretsmanager:us-east-1:000000000000:secret:stack/keys-AbCdEf".to_owned(),
        }],
        roles: vec![role],
        key_groups: Vec::new(),
        distribution: None,
        schedules: Vec::new(),
        custom_resources: Vec::new(),
        outputs: BTreeMap::new(),
    }
}

fn table() -> Table {
    Table {
        logical_id: "Table".to_owned(),
        name: "stack".to_owned(),
        arn: "arn:aws:dynamodb:us-east-1:000000000000:table/stack".to_owned(),
        create_request: json!({
            "TableName": "stack",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                { "AttributeName": "PK", "AttributeType": "S" }, { "AttributeName": "SK", "AttributeType": "S" },
                { "AttributeName": "GSI1PK", "AttributeType": "S" },
            ],
            "KeySchema": [
                { "AttributeName": "PK", "KeyType": "HASH" }, { "AttributeName": "SK", "KeyType": "RANGE" },
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "GSI1",
                "KeySchema": [{ "AttributeName": "GSI1PK", "KeyType": "HASH" }],
                "Projection": { "ProjectionType": "ALL" },
            }],
        }),
        time_to_live_attribute: Some("expires_at".to_owned()),
    }
}

fn buckets() -> Vec<Bucket> {
    let ingest = Bucket {
        logical_id: "IngestBucket".to_owned(),
        name: INGEST.to_owned(),
        arn: format!("arn:aws:s3:::{INGEST}"),
        versioned: true,
        cors_rules: vec![BucketCorsRule {
            allowed_origins: vec!["https://*.example.com".to_owned()],
            allowed_methods: vec!["PUT".to_owned(), "POST".to_owned()],
            allowed_headers: vec!["content-type".to_owned(), "x-amz-*".to_owned()],
            exposed_headers: vec!["ETag".to_owned()],
            max_age_seconds: Some(600),
        }],
        notifications: vec![BucketNotification {
            event: "s3:ObjectCreated:*".to_owned(),
            queue_arn: QUEUE_ARN.to_owned(),
            prefix: Some("uploads/".to_owned()),
            suffix: None,
        }],
        policies: vec![policy(
            "IngestBucketPolicy",
            json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
                    "Condition": { "Bool": { "aws:SecureTransport": "false" } } }),
        )],
    };
    let media = Bucket {
        logical_id: "MediaBucket".to_owned(),
        name: MEDIA.to_owned(),
        arn: format!("arn:aws:s3:::{MEDIA}"),
        versioned: false,
        cors_rules: Vec::new(),
        notifications: Vec::new(),
        policies: Vec::new(),
    };
    vec![ingest, media]
}

fn queues() -> Vec<Queue> {
    let queue = |name: &str, arn: &str| Queue {
        logical_id: name.to_owned(),
        name: name.to_owned(),
        arn: arn.to_owned(),
        url: format!("https://sqs.us-east-1.amazonaws.com/000000000000/{name}"),
        visibility_timeout: Duration::from_secs(30),
        message_retention: Duration::from_hours(96),
        maximum_message_bytes: 2048,
        redrive: None,
        policies: Vec::new(),
    };
    let mut uploads = queue("uploads", QUEUE_ARN);
    uploads.redrive =
        Some(Redrive { dead_letter_queue_arn: DEAD_LETTER_QUEUE_ARN.to_owned(), max_receive_count: 2 });
    uploads.policies = vec![policy(
        "UploadsQueuePolicy",
        json!({ "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" }, "Action": "sqs:SendMessage",
                "Resource": QUEUE_ARN,
                "Condition": { "ArnLike": { "aws:SourceArn": "arn:aws:s3:::stack-ingest" },
                               "StringEquals": { "aws:SourceAccount": "000000000000" } } }),
    )];
    vec![uploads, queue("uploads-dead", DEAD_LETTER_QUEUE_ARN)]
}

/// A refusal, whatever service it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn of<E: ProvideErrorMetadata>(error: SdkError<E, HttpResponse>) -> Refused {
        Refused {
            status: error.raw_response().unwrap().status().as_u16(),
            code: error.code().unwrap_or_default().to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
        }
    }
}

/// Replaces what a request sends, before it is signed.
pub(crate) fn set_body(request: &mut HttpRequest, body: &str) {
    request.headers_mut().insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
}

macro_rules! refusal {
    ($name:ident, $client:ident, $any_operation:ident, $target:literal) => {
        impl Local {
            /// Sends any operation of the service, whether its client has it or not.
            pub(crate) async fn $name(
                &self,
                credentials: &Credentials,
                operation: &str,
                body: Value,
            ) -> Refused {
                let target = format!(concat!($target, ".{}"), operation);
                let any = self.$client(credentials).$any_operation().customize();
                let changed = any.mutate_request(move |request| {
                    request.headers_mut().insert("x-amz-target", target.clone());
                    set_body(request, &body.to_string());
                });
                Refused::of(changed.send().await.unwrap_err())
            }
        }
    };
}

refusal!(dynamodb_refuses, dynamodb, list_tables, "DynamoDB_20120810");
refusal!(sqs_refuses, sqs, list_queues, "AmazonSQS");
refusal!(secrets_manager_refuses, secrets, list_secrets, "secretsmanager");

impl Local {
    /// Sends any form to STS.
    pub(crate) async fn sts_refuses(&self, credentials: &Credentials, form: &str) -> Refused {
        let form = form.to_owned();
        let any = self.sts(credentials).get_caller_identity().customize();
        let changed = any.mutate_request(move |request| set_body(request, &form));
        Refused::of(changed.send().await.unwrap_err())
    }

    /// Sends any request to S3: a path with its query.
    pub(crate) async fn s3_refuses(
        &self,
        credentials: &Credentials,
        method: Method,
        target: &str,
        headers: &'static [(&'static str, &'static str)],
    ) -> Refused {
        let uri = format!("{}{target}", self.url());
        let any = self.s3(credentials).list_buckets().customize();
        let changed = any.mutate_request(move |request| {
            request.set_method(method.as_str()).unwrap();
            request.set_uri(uri.clone()).unwrap();
            for (name, value) in headers {
                request.headers_mut().insert(*name, *value);
            }
            if method != Method::GET && method != Method::DELETE {
                set_body(request, "");
            }
        });
        Refused::of(changed.send().await.unwrap_err())
    }
}
