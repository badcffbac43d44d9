//! Policies as they are installed, and the use of each permission.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use local::aws::{AwsError, PermissionUse};
use local::stack::Stack;
use serde_json::{Value, json};

use crate::support::{INGEST, Local, MEDIA, QUEUE_ARN, QUEUE_URL, Refused, function, policy, stack, text};

/// The stack with one more function, `Other`, and its policy.
fn stack_with(statement: Value) -> Stack {
    let mut stack = stack();
    let other = function("Other", vec![policy("Other.Policies[0]", statement)]);
    stack.functions.insert(other.logical_id.clone(), other);
    stack
}

fn used_by_other(local: &Local) -> Vec<PermissionUse> {
    let usage = local.aws.calls().permission_usage();
    usage.into_iter().filter(|permission| permission.source == "Other.Policies[0]").collect()
}

fn put(partition_key: &str) -> TransactWriteItem {
    let put = Put::builder().table_name("stack").item("PK", text(partition_key)).item("SK", text("x"));
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

#[tokio::test]
async fn each_value_of_a_condition_is_counted() {
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/stack";
    let local = Local::start_with(&stack_with(json!([
        { "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": table,
          "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["USER#*", "EMAIL#*", "*"] } } },
        { "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*" },
        { "Effect": "Deny", "Action": "dynamodb:PutItem", "Resource": "arn:aws:dynamodb:*:*:table/another" },
    ])))
    .await;
    let other = local.dynamodb(&local.function("Other"));
    let write =
        |items: Vec<TransactWriteItem>| other.transact_write_items().set_transact_items(Some(items)).send();
    write(vec![put("USER#1"), put("USER#2"), put("MEDIA#1")]).await.unwrap();
    write(vec![put("USER#3")]).await.unwrap();

    let used: Vec<_> = used_by_other(&local)
        .into_iter()
        .map(|permission| (permission.statement, permission.resource, permission.condition, permission.times))
        .collect();
    let condition = |value: &str| Some(format!("dynamodb:LeadingKeys {value}"));
    let expected = [
        (0, table.to_owned(), condition("*"), 1),
        (0, table.to_owned(), condition("EMAIL#*"), 0),
        (0, table.to_owned(), condition("USER#*"), 2),
        (1, "*".to_owned(), None, 2),
    ];
    assert_eq!(used, expected);
}

#[tokio::test]
async fn a_call_that_is_denied_in_part_counts_nothing() {
    let local = Local::start_with(&stack_with(json!([
        { "Effect": "Allow", "Action": ["dynamodb:PutItem", "s3:GetObject"], "Resource": "*" },
    ])))
    .await;
    let credentials = local.function("Other");
    let update = Update::builder()
        .table_name("stack")
        .key("PK", text("a"))
        .key("SK", text("b"))
        .update_expression("SET n = :n")
        .expression_attribute_values(":n", text("n"));
    let items = vec![put("a"), TransactWriteItem::builder().update(update.build().unwrap()).build()];
    let dynamodb = local.dynamodb(&credentials);
    let error = dynamodb.transact_write_items().set_transact_items(Some(items)).send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
    let s3 = local.s3(&credentials);
    let copy = s3.copy_object().bucket(MEDIA).key("b").copy_source(format!("{MEDIA}/a"));
    assert_eq!(copy.send().await.unwrap_err().code(), Some("AccessDenied"));

    let used = used_by_other(&local);
    assert_eq!(used.iter().map(|permission| permission.times).collect::<Vec<_>>(), [0, 0], "{used:?}");
}

#[tokio::test]
async fn a_policy_needs_its_version() {
    let local = Local::start().await;
    for version in [None, Some("2008-10-17")] {
        let mut stack = stack_with(json!([]));
        let document = &mut stack.functions.get_mut("Other").unwrap().policies[0].document;
        document.as_object_mut().unwrap().remove("Version");
        if let Some(version) = version {
            document["Version"] = json!(version);
        }
        let error = local.aws.install(&stack).await.unwrap_err();
        assert!(matches!(error, AwsError::Policy(_)), "{error}");
        let message = "policy of Other.Policies[0]: Version must be \"2012-10-17\"";
        assert_eq!(error.to_string(), message, "{version:?}");
    }
}

#[tokio::test]
async fn denying_an_account_denies_everybody_in_it_and_allowing_it_allows_nobody() {
    let send = |stack: Stack, logical_id: &'static str| async move {
        let local = Local::start_with(&stack).await;
        let sqs = local.sqs(&local.function(logical_id));
        sqs.send_message().queue_url(QUEUE_URL).message_body("x").send().await
    };
    for account in ["000000000000", "arn:aws:iam::000000000000:root"] {
        let with = |effect: &str| {
            let mut stack = stack();
            stack.queues[0].policies.push(policy(
                "Account",
                json!({ "Effect": effect, "Principal": { "AWS": account }, "Action": "sqs:SendMessage",
                        "Resource": QUEUE_ARN }),
            ));
            stack
        };
        send(with("Allow"), "Writer").await.unwrap();
        let error = send(with("Allow"), "Nobody").await.unwrap_err();
        assert!(error.message().unwrap().contains("no identity-based policy allows"), "{error:?}");
        let error = send(with("Deny"), "Writer").await.unwrap_err();
        assert!(error.message().unwrap().contains("explicit deny in a resource-based policy"), "{error:?}");
    }
    let mut stack = stack();
    stack.queues[0].policies.push(policy(
        "Account",
        json!({ "Effect": "Deny", "Principal": { "AWS": "111111111111" }, "Action": "*", "Resource": "*" }),
    ));
    send(stack, "Writer").await.unwrap();
}

/// After "Required permissions for Amazon S3 API operations": a version has actions of its own, however a request spells
/// that it means one.
#[tokio::test]
async fn a_version_is_read_and_deleted_by_actions_of_its_own() {
    let on = |actions: [&str; 2]| {
        json!([
            { "Effect": "Allow", "Action": actions, "Resource": "arn:aws:s3:::stack-ingest/a" },
            { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*" },
        ])
    };
    let mut stack = stack_with(on(["s3:GetObjectVersion", "s3:DeleteObjectVersion"]));
    let latest = function("Latest", vec![policy("Latest", on(["s3:GetObject", "s3:DeleteObject"]))]);
    stack.functions.insert("Latest".to_owned(), latest);
    let local = Local::start_with(&stack).await;
    let put = local.operator_s3().put_object().bucket(INGEST).key("a").send().await.unwrap();
    let version = put.version_id().unwrap();
    let source = format!("{INGEST}/a?versionId={version}");
    let upload = local.operator_s3().create_multipart_upload().bucket(MEDIA).key("b").send().await.unwrap();
    for (name, may_latest) in [("Latest", true), ("Other", false)] {
        let s3 = local.s3(&local.function(name));
        let get = || s3.get_object().bucket(INGEST).key("a");
        let spelled = get().version_id(version).customize().mutate_request(|request| {
            let uri = request.uri().replace("versionId=", "version%49d=");
            request.set_uri(uri).unwrap();
        });
        let part = s3.upload_part_copy().bucket(MEDIA).key("b").part_number(1).copy_source(&source);
        let part = part.upload_id(upload.upload_id().unwrap());
        let copy = s3.copy_object().bucket(MEDIA).key("c").copy_source(&source);
        let delete = || s3.delete_object().bucket(INGEST).key("a");
        for (operation, code, is_of_version) in [
            ("get", get().send().await.err().map(|error| Refused::of(error).code), false),
            (
                "get version",
                get().version_id(version).send().await.err().map(|error| Refused::of(error).code),
                true,
            ),
            ("get version%49d", spelled.send().await.err().map(|error| Refused::of(error).code), true),
            ("copy version", copy.send().await.err().map(|error| Refused::of(error).code), true),
            ("copy part of version", part.send().await.err().map(|error| Refused::of(error).code), true),
            (
                "delete version",
                delete().version_id("null").send().await.err().map(|error| Refused::of(error).code),
                true,
            ),
        ] {
            let expected = (may_latest == is_of_version).then(|| "AccessDenied".to_owned());
            assert_eq!(code, expected, "{operation} by {name}");
        }
        let deleted = delete().send().await;
        assert_eq!(deleted.is_ok(), may_latest, "{name}");
        if let Some(marker) = deleted.ok().and_then(|deleted| deleted.version_id) {
            let remove = local.operator_s3().delete_object().bucket(INGEST).key("a").version_id(marker);
            remove.send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_use_of_each_permission_is_counted() {
    let local = Local::start().await;
    let used = |action: &str| {
        let usage = local.aws.calls().permission_usage();
        let permission = usage.iter().find(|permission| permission.action == action).unwrap();
        (permission.source.clone(), permission.statement, permission.times)
    };
    assert_eq!(used("dynamodb:PutItem"), ("Writer.Policies[0]".to_owned(), 1, 0));
    let writer = local.dynamodb(&local.function("Writer"));
    for key in ["USER#1", "USER#2"] {
        writer
            .put_item()
            .table_name("stack")
            .item("PK", text(key))
            .item("SK", text("x"))
            .send()
            .await
            .unwrap();
    }
    writer
        .put_item()
        .table_name("stack")
        .item("PK", text("X"))
        .item("SK", text("x"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(used("dynamodb:PutItem").2, 2);
    assert_eq!(used("dynamodb:Query").2, 0);
    local.aws.install(&crate::support::stack()).await.unwrap();
    assert_eq!(used("dynamodb:PutItem").2, 2, "a new install keeps the counts");
}
