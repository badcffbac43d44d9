//! What is not here is refused by its name, and so is every parameter that would be ignored: never a quiet success.
//!
//! The lists are all other operations of the API references of DynamoDB (2012-08-10), SQS (2012-11-05), Secrets Manager
//! (2017-10-17) and STS (2011-06-15), and S3's sub-resources from "Actions" in the Amazon S3 API reference.

use aws_sdk_s3::error::ProvideErrorMetadata;
use http::Method;
use local::aws::Aws;
use serde_json::{Value, json};

use crate::support::{Local, MEDIA, QUEUE_URL, Refused, send, set_body};

const DYNAMODB: [&str; 49] = [
    "BatchExecuteStatement",
    "CancelBulkOperation",
    "CreateBackup",
    "CreateGlobalTable",
    "CreateTable",
    "DeleteBackup",
    "DeleteResourcePolicy",
    "DeleteTable",
    "DescribeBackup",
    "DescribeBulkOperation",
    "DescribeContinuousBackups",
    "DescribeContributorInsights",
    "DescribeEndpoints",
    "DescribeExport",
    "DescribeGlobalTable",
    "DescribeGlobalTableSettings",
    "DescribeImport",
    "DescribeKinesisStreamingDestination",
    "DescribeLimits",
    "DescribeTableReplicaAutoScaling",
    "DisableKinesisStreamingDestination",
    "EnableKinesisStreamingDestination",
    "ExecuteStatement",
    "ExecuteTransaction",
    "ExportTableToPointInTime",
    "GetResourcePolicy",
    "ImportTable",
    "ListBackups",
    "ListBulkOperations",
    "ListContributorInsights",
    "ListExports",
    "ListGlobalTables",
    "ListImports",
    "ListTagsOfResource",
    "PutResourcePolicy",
    "RestoreTableFromBackup",
    "RestoreTableToPointInTime",
    "SearchVectors",
    "StartBulkPutItems",
    "TagResource",
    "UntagResource",
    "UpdateContinuousBackups",
    "UpdateContributorInsights",
    "UpdateGlobalTable",
    "UpdateGlobalTableSettings",
    "UpdateKinesisStreamingDestination",
    "UpdateTable",
    "UpdateTableReplicaAutoScaling",
    "UpdateTimeToLive",
];

const SQS: [&str; 17] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessageBatch",
    "DeleteQueue",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "PurgeQueue",
    "RemovePermission",
    "SendMessageBatch",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

const SECRETS_MANAGER: [&str; 20] = [
    "AssociateCrossAccountReplica",
    "BatchGetSecretValue",
    "CancelRotateSecret",
    "DeleteResourcePolicy",
    "DisassociateCrossAccountReplica",
    "GetRandomPassword",
    "GetResourcePolicy",
    "ListResourcePolicies",
    "ListSecretVersionIds",
    "ListSecrets",
    "PutResourcePolicy",
    "RemoveRegionsFromReplication",
    "ReplicateSecretToRegions",
    "RotateSecret",
    "StopReplicationToReplica",
    "TagResource",
    "UntagResource",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "ValidateResourcePolicy",
];

const STS: [&str; 9] = [
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
];

/// Method, sub-resource and operation on a bucket.
const BUCKET: [(Method, &str, &str); 41] = [
    (Method::GET, "", "ListObjects"),
    (Method::GET, "accelerate", "GetBucketAccelerateConfiguration"),
    (Method::GET, "acl", "GetBucketAcl"),
    (Method::GET, "analytics", "ListBucketAnalyticsConfigurations"),
    (Method::GET, "cors", "GetBucketCors"),
    (Method::GET, "encryption", "GetBucketEncryption"),
    (Method::GET, "inventory", "ListBucketInventoryConfigurations"),
    (Method::GET, "lifecycle", "GetBucketLifecycleConfiguration"),
    (Method::GET, "location", "GetBucketLocation"),
    (Method::GET, "logging", "GetBucketLogging"),
    (Method::GET, "metrics", "ListBucketMetricsConfigurations"),
    (Method::GET, "notification", "GetBucketNotificationConfiguration"),
    (Method::GET, "object-lock", "GetObjectLockConfiguration"),
    (Method::GET, "ownershipControls", "GetBucketOwnershipControls"),
    (Method::GET, "policy", "GetBucketPolicy"),
    (Method::GET, "policyStatus", "GetBucketPolicyStatus"),
    (Method::GET, "publicAccessBlock", "GetPublicAccessBlock"),
    (Method::GET, "replication", "GetBucketReplication"),
    (Method::GET, "requestPayment", "GetBucketRequestPayment"),
    (Method::GET, "tagging", "GetBucketTagging"),
    (Method::GET, "versioning", "GetBucketVersioning"),
    (Method::GET, "versions", "ListObjectVersions"),
    (Method::GET, "website", "GetBucketWebsite"),
    (Method::POST, "delete", "DeleteObjects"),
    (Method::PUT, "", "CreateBucket"),
    (Method::PUT, "acl", "PutBucketAcl"),
    (Method::PUT, "cors", "PutBucketCors"),
    (Method::PUT, "encryption", "PutBucketEncryption"),
    (Method::PUT, "lifecycle", "PutBucketLifecycleConfiguration"),
    (Method::PUT, "notification", "PutBucketNotificationConfiguration"),
    (Method::PUT, "policy", "PutBucketPolicy"),
    (Method::PUT, "publicAccessBlock", "PutPublicAccessBlock"),
    (Method::PUT, "tagging", "PutBucketTagging"),
    (Method::PUT, "versioning", "PutBucketVersioning"),
    (Method::PUT, "website", "PutBucketWebsite"),
    (Method::DELETE, "", "DeleteBucket"),
    (Method::DELETE, "cors", "DeleteBucketCors"),
    (Method::DELETE, "lifecycle", "DeleteBucketLifecycle"),
    (Method::DELETE, "policy", "DeleteBucketPolicy"),
    (Method::DELETE, "tagging", "DeleteBucketTagging"),
    (Method::DELETE, "website", "DeleteBucketWebsite"),
];

/// The same on an object.
const OBJECT: [(Method, &str, &str); 13] = [
    (Method::GET, "acl", "GetObjectAcl"),
    (Method::GET, "attributes", "GetObjectAttributes"),
    (Method::GET, "legal-hold", "GetObjectLegalHold"),
    (Method::GET, "retention", "GetObjectRetention"),
    (Method::GET, "tagging", "GetObjectTagging"),
    (Method::GET, "torrent", "GetObjectTorrent"),
    (Method::PUT, "acl", "PutObjectAcl"),
    (Method::PUT, "legal-hold", "PutObjectLegalHold"),
    (Method::PUT, "retention", "PutObjectRetention"),
    (Method::PUT, "tagging", "PutObjectTagging"),
    (Method::DELETE, "tagging", "DeleteObjectTagging"),
    (Method::POST, "restore", "RestoreObject"),
    (Method::POST, "select&select-type=2", "SelectObjectContent"),
];

fn check(refused: &Refused, status: u16, name: &str) {
    assert_eq!((refused.status, refused.code.as_str()), (status, "NotImplemented"), "{name}: {refused:?}");
    assert!(refused.message.contains(name), "{name}: {refused:?}");
}

#[tokio::test]
async fn every_other_operation_is_refused_by_its_name() {
    let local = Local::start().await;
    let operator = Aws::operator_credentials();
    for operation in DYNAMODB {
        check(&local.dynamodb_refuses(&operator, operation, json!({})).await, 400, operation);
    }
    for operation in SQS {
        check(&local.sqs_refuses(&operator, operation, json!({})).await, 400, operation);
    }
    for operation in SECRETS_MANAGER {
        check(&local.secrets_manager_refuses(&operator, operation, json!({})).await, 400, operation);
    }
    for operation in STS {
        let form = format!("Action={operation}&Version=2011-06-15");
        check(&local.sts_refuses(&operator, &form).await, 400, operation);
    }
    for (method, resource, operation) in BUCKET {
        check(
            &local.s3_refuses(&operator, method, &format!("/{MEDIA}?{resource}"), &[]).await,
            501,
            operation,
        );
    }
    for (method, resource, operation) in OBJECT {
        check(
            &local.s3_refuses(&operator, method, &format!("/{MEDIA}/a?{resource}"), &[]).await,
            501,
            operation,
        );
    }
    // Nobody without permission learns more.
    let nobody = local.function("Nobody");
    check(&local.dynamodb_refuses(&nobody, "DeleteTable", json!({})).await, 400, "DeleteTable");
    check(&local.s3_refuses(&nobody, Method::GET, &format!("/{MEDIA}?acl"), &[]).await, 501, "GetBucketAcl");
}

#[tokio::test]
async fn a_parameter_that_would_be_ignored_is_refused_by_its_name() {
    let local = Local::start().await;
    let operator = Aws::operator_credentials();
    let key = json!({ "PK": { "S": "a" }, "SK": { "S": "b" } });
    let dynamodb: [(&str, Value, &str); 6] = [
        ("PutItem", json!({ "TableName": "stack", "Item": key, "Expected": {} }), "Expected"),
        (
            "GetItem",
            json!({ "TableName": "stack", "Key": key, "AttributesToGet": ["PK"] }),
            "AttributesToGet",
        ),
        ("Query", json!({ "TableName": "stack", "KeyConditions": {} }), "KeyConditions"),
        ("Scan", json!({ "TableName": "stack", "Segment": 0, "TotalSegments": 2 }), "Segment"),
        (
            "UpdateItem",
            json!({ "TableName": "stack", "Key": key, "AttributeUpdates": {} }),
            "AttributeUpdates",
        ),
        (
            "TransactWriteItems",
            json!({ "TransactItems": [{ "Put": { "TableName": "stack", "Item": key, "ReturnValues": "NONE" } }] }),
            "ReturnValues",
        ),
    ];
    for (operation, request, name) in dynamodb {
        check(&local.dynamodb_refuses(&operator, operation, request).await, 400, name);
    }
    let sqs: [(&str, Value, &str); 4] = [
        (
            "SendMessage",
            json!({ "QueueUrl": QUEUE_URL, "MessageBody": "x", "MessageAttributes": {} }),
            "MessageAttributes",
        ),
        (
            "SendMessage",
            json!({ "QueueUrl": QUEUE_URL, "MessageBody": "x", "MessageGroupId": "g" }),
            "MessageGroupId",
        ),
        (
            "ReceiveMessage",
            json!({ "QueueUrl": QUEUE_URL, "ReceiveRequestAttemptId": "r" }),
            "ReceiveRequestAttemptId",
        ),
        ("GetQueueAttributes", json!({ "QueueUrl": QUEUE_URL, "AttributeNames": ["Policy"] }), "Policy"),
    ];
    for (operation, request, name) in sqs {
        check(&local.sqs_refuses(&operator, operation, request).await, 400, name);
    }
    let create = |more: Value| {
        let mut request = json!({ "Name": "n", "SecretString": "s" });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    for (name, request) in [
        ("KmsKeyId", create(json!({ "KmsKeyId": "k" }))),
        ("Tags", create(json!({ "Tags": [] }))),
        ("AddReplicaRegions", create(json!({ "AddReplicaRegions": [] }))),
    ] {
        check(&local.secrets_manager_refuses(&operator, "CreateSecret", request).await, 400, name);
    }
    for name in [
        "PolicyArns.member.1.arn",
        "Tags.member.1.Key",
        "SerialNumber",
        "TokenCode",
        "SourceIdentity",
        "TransitiveTagKeys.member.1",
    ] {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/stack-upload\
             &RoleSessionName=upload-1&{name}=x"
        );
        check(&local.sts_refuses(&operator, &form).await, 400, name);
    }
    let (object, list) = (format!("/{MEDIA}/a"), format!("/{MEDIA}?list-type=2"));
    for (method, target, headers, name) in [
        (Method::PUT, object.clone(), &[("x-amz-acl", "private")][..], "x-amz-acl"),
        (Method::PUT, object.clone(), &[("x-amz-storage-class", "GLACIER")][..], "x-amz-storage-class"),
        (
            Method::PUT,
            object.clone(),
            &[("x-amz-object-lock-mode", "GOVERNANCE")][..],
            "x-amz-object-lock-mode",
        ),
        (Method::PUT, format!("{object}?versionId=null"), &[][..], "versionId of PutObject"),
        (Method::GET, format!("{object}?prefix=a"), &[][..], "prefix of GetObject"),
        (Method::GET, format!("{list}&marker=a"), &[][..], "marker of ListObjectsV2"),
    ] {
        check(&local.s3_refuses(&operator, method, &target, headers).await, 501, name);
    }
    // What begins with `x-` is for the log only, and ignored on AWS as well.
    let s3 = local.operator_s3();
    s3.put_object().bucket(MEDIA).key("a").send().await.unwrap();
    let with_own = s3.get_object().bucket(MEDIA).key("a").customize().mutate_request(|request| {
        let uri = format!("{}&x-for-the-log=1", request.uri());
        request.set_uri(uri).unwrap();
    });
    with_own.send().await.unwrap();
}

/// Those that S3 has not, and those of `CopyObject` and `DeleteObject` ("Conditional requests" in the S3 user guide).
#[tokio::test]
async fn a_condition_that_would_be_ignored_is_refused_by_its_name() {
    let local = Local::start().await;
    let operator = Aws::operator_credentials();
    let object = format!("/{MEDIA}/a");
    for (method, target, headers, name) in [
        (
            Method::PUT,
            object.clone(),
            &[("if-unmodified-since", "Fri, 24 Jan 2030 12:00:00 GMT")][..],
            "if-unmodified-since of PutObject",
        ),
        (
            Method::PUT,
            object.clone(),
            &[("if-none-match", "*"), ("x-amz-copy-source", "stack-media/b")][..],
            "if-none-match of CopyObject",
        ),
        (
            Method::POST,
            format!("{object}?uploads"),
            &[("if-none-match", "*")][..],
            "if-none-match of CreateMultipartUpload",
        ),
        (
            Method::PUT,
            format!("{object}?partNumber=1&uploadId=x"),
            &[("if-none-match", "*")][..],
            "if-none-match of UploadPart",
        ),
        (Method::DELETE, object.clone(), &[("if-match", "\"x\"")][..], "if-match of DeleteObject"),
    ] {
        check(&local.s3_refuses(&operator, method, &target, headers).await, 501, name);
    }
}

#[tokio::test]
async fn a_presigned_request_to_sts_is_refused_by_name() {
    let local = Local::start().await;
    let query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
                 &X-Amz-Credential=local%2F20260101%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Signature=00";
    let answer = send(Method::GET, &format!("{}/?{query}", local.url()), &[], b"").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "NotImplemented"));
    assert!(answer.text().contains("GET of a request to sts"), "{}", answer.text());
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_after_its_signature() {
    let local = Local::start().await;
    let operator = Aws::operator_credentials();
    let list = local.dynamodb(&operator).list_tables().customize().mutate_request(|request| {
        set_body(request, "{");
    });
    let error = list.send().await.unwrap_err();
    assert_eq!(error.code(), Some("SerializationException"));
    let twice = "Action=GetCallerIdentity&Version=2011-06-15&Action=AssumeRole";
    assert_eq!(local.sts_refuses(&operator, twice).await.code, "MalformedQueryString");
    assert_eq!(local.sts_refuses(&operator, "Version=2011-06-15").await.code, "MissingAction");
    assert_eq!(
        local.sts_refuses(&operator, "Action=GetCallerIdentity&Version=2010-01-01").await.code,
        "InvalidAction"
    );
}
