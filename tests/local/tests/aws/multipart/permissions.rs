//! Who may do what.

use aws_sdk_s3::error::ProvideErrorMetadata;
use serde_json::json;

use super::{Upload, list, listed};
use crate::post_form::PostForm;
use crate::support::{Local, MEDIA, Refused, function, policy, stack};

/// After "Required permissions for Amazon S3 API operations".
#[tokio::test]
async fn each_operation_needs_its_permission() {
    let (object, bucket) = ("arn:aws:s3:::stack-media/a", "arn:aws:s3:::stack-media");
    let all = [
        ("s3:PutObject", object),
        ("s3:GetObject", object),
        ("s3:AbortMultipartUpload", object),
        ("s3:ListMultipartUploadParts", object),
        ("s3:ListBucketMultipartUploads", bucket),
    ];
    // Each of these functions lacks one of the actions.
    let mut stack = stack();
    for (lacking, _) in all {
        let statements = all
            .iter()
            .filter(|(action, _)| *action != lacking)
            .map(|(action, resource)| json!({ "Effect": "Allow", "Action": action, "Resource": resource }));
        let name = lacking.replace("s3:", "Lacks");
        stack.functions.insert(name.clone(), function(&name, vec![policy(&name, statements.collect())]));
    }
    let local = Local::start_with(&stack).await;
    let operator = local.operator_s3();
    operator.put_object().bucket(MEDIA).key("a").send().await.unwrap();
    for (lacking, _) in all {
        let s3 = local.s3(&local.function(&lacking.replace("s3:", "Lacks")));
        let upload = Upload { s3: s3.clone(), ..Upload::begin(&operator, MEDIA, "a").await };
        let begin = s3.create_multipart_upload().bucket(MEDIA).key("a").send().await;
        let copy = s3.upload_part_copy().bucket(MEDIA).key("a").upload_id(&upload.id).part_number(1);
        let copy = copy.copy_source(format!("{MEDIA}/a")).send().await;
        let uploads = s3.list_multipart_uploads().bucket(MEDIA).send().await;
        let operations: [(&str, Option<String>, &[&str]); 7] = [
            ("begin", begin.err().map(|error| Refused::of(error).code), &["s3:PutObject"]),
            ("copy", copy.err().map(|error| Refused::of(error).code), &["s3:PutObject", "s3:GetObject"]),
            ("part", upload.try_part(2, b"x".to_vec()).await.err(), &["s3:PutObject"]),
            ("parts", upload.parts().await.err(), &["s3:ListMultipartUploadParts"]),
            (
                "uploads",
                uploads.err().map(|error| Refused::of(error).code),
                &["s3:ListBucketMultipartUploads"],
            ),
            ("complete", upload.complete(&[listed(1, "\"abc\"")]).await.err(), &["s3:PutObject"]),
            ("abort", upload.abort().await.err(), &["s3:AbortMultipartUpload"]),
        ];
        for (operation, code, needed) in operations {
            let is_denied = code.as_deref() == Some("AccessDenied");
            assert_eq!(is_denied, needed.contains(&lacking), "{operation} without {lacking}: {code:?}");
        }
    }
}

/// A policy can ask of requests that create an object what those before them cannot have: "Enforce conditional writes on
/// Amazon S3 buckets".
#[tokio::test]
async fn conditional_writes_can_be_enforced() {
    let mut stack = stack();
    let statement = json!([
        { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*",
          "Condition": { "Bool": { "s3:ObjectCreationOperation": "false" } } },
        { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*",
          "Condition": { "StringEquals": { "s3:if-none-match": "*" } } },
    ]);
    stack.functions.insert("Once".to_owned(), function("Once", vec![policy("Once", statement)]));
    let statement = json!([
        { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*" },
        { "Effect": "Deny", "Action": "s3:PutObject", "Resource": "*",
          "Condition": { "Bool": { "s3:ObjectCreationOperation": "true" }, "Null": { "s3:if-none-match": "true" } } },
    ]);
    stack.functions.insert("NotTwice".to_owned(), function("NotTwice", vec![policy("NotTwice", statement)]));
    let local = Local::start_with(&stack).await;
    let s3 = local.s3(&local.function("Once"));
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let parts = [upload.part(1, "one").await];
    assert_eq!(upload.complete(&parts).await.unwrap_err(), "AccessDenied");
    let complete = s3.complete_multipart_upload().bucket(MEDIA).key("a").upload_id(&upload.id);
    complete.if_none_match("*").multipart_upload(list(&parts)).send().await.unwrap();
    assert_eq!(s3.put_object().bucket(MEDIA).key("b").send().await.unwrap_err().code(), Some("AccessDenied"));
    // A form creates an object too, and cannot have the condition.
    for name in ["Once", "NotTwice"] {
        let form = PostForm::new("uploads/a").sign(&local.function(name)).send(&local).await;
        assert_eq!(form.refusal(), (403, "AccessDenied".to_owned()), "{name}");
    }
}
