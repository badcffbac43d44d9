#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{PolicyError, PostPolicy};
use crate::aws::s3::post::fields::Fields;
use crate::aws::s3::post::form::Field;

fn parse(document: &str) -> Result<PostPolicy, PolicyError> {
    PostPolicy::parse(&STANDARD.encode(document))
}

fn fields(fields: &[(&str, &str)]) -> Fields {
    let field = |(name, value): &(&str, &str)| Field { name: (*name).to_owned(), value: (*value).to_owned() };
    Fields::new(fields.iter().map(field).collect(), None)
}

/// Compares with a policy of these conditions, some time before it ends.
fn check(conditions: &Value, form: &[(&str, &str)]) -> Result<RangeInclusive<u64>, String> {
    let document = json!({ "expiration": "2030-01-01T12:00:00Z", "conditions": conditions });
    let policy = parse(&document.to_string()).map_err(|error| error.to_string())?;
    policy.check("bucket", &fields(form), at(1_893_499_199)).map_err(|error| error.to_string())
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

fn failed(condition: &str) -> Result<RangeInclusive<u64>, String> {
    Err(format!("Invalid according to Policy: Policy Condition failed: {condition}"))
}

#[test]
fn fields_equal_or_start_with_what_the_policy_says() {
    let all = Ok(0..=u64::MAX);
    let conditions =
        json!([{ "bUcKeT": "bucket" }, ["StArTs-WiTh", "$KeY", "a/"], ["eq", "$acl", "private"]]);
    assert_eq!(check(&conditions, &[("kEy", "a/b"), ("ACL", "private")]), all);
    assert_eq!(
        check(&conditions, &[("key", "b"), ("acl", "private")]),
        failed(r#"["StArTs-WiTh", "$KeY", "a/"]"#)
    );
    assert_eq!(
        check(&conditions, &[("key", "a/b"), ("acl", "Private")]),
        failed(r#"["eq", "$acl", "private"]"#)
    );
    assert_eq!(check(&json!([{ "bucket": "other" }]), &[]), failed(r#"["eq", "$bucket", "other"]"#));
    assert_eq!(check(&json!([["eq", "$a", "\"q\""]]), &[]), failed(r#"["eq", "$a", "\"q\""]"#));
    assert_eq!(check(&json!([["eq", "a", "b"]]), &[("a", "b")]), failed(r#"["eq", "a", "b"]"#));
    // Any value, but not none.
    let any = json!([["starts-with", "$a", ""]]);
    assert_eq!(check(&any, &[("a", "")]), all);
    assert_eq!(check(&any, &[]), failed(r#"["starts-with", "$a", ""]"#));
}

#[test]
fn each_of_a_list_of_content_types_counts() {
    let conditions = json!([["starts-with", "$Content-Type", "image/"], ["starts-with", "$x", "image/"]]);
    let types = |content_type| check(&conditions, &[("Content-Type", content_type), ("x", "image/a,text/b")]);
    assert!(types("image/jpg,image/png, image/gif").is_ok());
    assert_eq!(types("image/jpg,text/plain"), failed(r#"["starts-with", "$Content-Type", "image/"]"#));
}

#[test]
fn every_field_needs_a_condition() {
    let extra = |name: &str| Err(format!("Invalid according to Policy: Extra input fields: {name}"));
    let form =
        [("a", "b"), ("Policy", ""), ("X-Amz-Signature", ""), ("x-ignore-c", ""), ("AWSAccessKeyId", "")];
    assert!(check(&json!([{ "A": "b" }]), &form).is_ok());
    assert_eq!(check(&json!([]), &form), extra("a"));
    assert_eq!(check(&json!([]), &[("StorageClass", "x"), ("b", "x")]), extra("StorageClass, b"));
}

#[test]
fn the_file_is_bounded_by_every_range() {
    let range = |first: Value, second: Value| check(&json!([["content-length-range", first, second]]), &[]);
    assert_eq!(range(json!(5), json!(10)), Ok(5..=10));
    assert_eq!(range(json!("5"), json!("10")), Ok(5..=10));
    let both = json!([["content-length-range", 1, 9], ["content-length-range", 2, 10]]);
    assert_eq!(check(&both, &[]), Ok(2..=9));
    assert_eq!(range(json!("test"), json!("10")), failed(r#"["content-length-range", "test", "10"]"#));
    for wrong in [json!(-1), json!(1.5), json!(null)] {
        assert_eq!(range(wrong, json!(10)), Err("Invalid Policy: Invalid JSON.".to_owned()));
    }
}

#[test]
fn a_policy_ends() {
    for end in ["2030-01-01T12:00:00Z", "2030-01-01T12:00:00.000Z"] {
        let policy = parse(&json!({ "expiration": end, "conditions": [] }).to_string()).unwrap();
        assert!(policy.check("bucket", &fields(&[]), at(1_893_499_199)).is_ok());
        let expired = PolicyError::Unmet("Policy expired.".to_owned());
        assert_eq!(policy.check("bucket", &fields(&[]), at(1_893_499_200)), Err(expired));
    }
}

#[test]
fn what_is_no_policy_is_named() {
    for (document, message) in [
        ("", "Invalid JSON."),
        ("[]", "Invalid JSON."),
        (r#"{"expiration": "2030-01-01T12:00:00Z", "conditions": [],}"#, "Invalid JSON."),
        ("{}", "Policy missing expiration."),
        (r#"{"EXPIRATION": ""}"#, "Unexpected: 'expiration'"),
        (r#"{"Statement": []}"#, "Unexpected: 'statement'"),
        (r#"{"expiration": "2030-01-01T12:00:00Z"}"#, "Policy missing conditions."),
        (
            r#"{"expiration": "2030-01-01T12:00:00Z", "conditions": {}}"#,
            "Invalid 'conditions' value: must be a List.",
        ),
        (
            r#"{"expiration": "2030-01-01T12:00:00+02:00", "conditions": []}"#,
            "Invalid 'expiration' value: '2030-01-01T12:00:00+02:00'",
        ),
        (
            r#"{"expiration": "2030-01-01 12:00:00Z", "conditions": []}"#,
            "Invalid 'expiration' value: '2030-01-01 12:00:00Z'",
        ),
    ] {
        assert_eq!(parse(document), Err(PolicyError::Invalid(message.to_owned())), "{document}");
    }
    assert_eq!(PostPolicy::parse("%"), Err(PolicyError::Invalid("Invalid Base64 encoding.".to_owned())));
    for (condition, message) in [
        (json!("a"), "Invalid condition: must be a List or Object."),
        (json!([]), "Invalid Condition: missing operation identifier."),
        (json!(["eq", "$a"]), "Invalid eq: wrong number of arguments."),
        (json!(["content-length-range", 0]), "Invalid content-length-range: wrong number of arguments."),
        (json!(["ends-with", "$a", "b"]), "Invalid Condition: unknown operation 'ends-with'."),
        (json!(["eq", "$a", 1]), "Invalid JSON."),
        (json!({ "a": 1 }), "Invalid Simple-Condition: value must be a string."),
        (
            json!({ "a": "b", "c": "d" }),
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
        ),
    ] {
        assert_eq!(check(&json!([condition]), &[]), Err(format!("Invalid Policy: {message}")), "{condition}");
    }
}

#[test]
fn a_policy_has_escapes_that_json_has_not() {
    let document = r#"{"expiration": "2030-01-01T12:00:00Z", "conditions": [{"x": "\$5 \\$\v\n\u0041"}]}"#;
    let policy = parse(document).unwrap();
    let met = |value: &str| policy.check("bucket", &fields(&[("x", value)]), at(1_893_499_199)).is_ok();
    assert!(met("$5 \\$\u{b}\nA"));
    assert!(!met("\\$5 \\$\u{b}\nA"));
}
