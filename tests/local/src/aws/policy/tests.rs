// Statements are written where they are used.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

use serde_json::{Value, json};

use super::{Access, Context, Policy, PrincipalMatch, evaluate, evaluate_resource};

fn policy(statement: Value) -> Policy {
    Policy::parse("Test", &json!({ "Version": "2012-10-17", "Statement": statement })).unwrap()
}

fn allows(statements: Value, action: &str, resource: &str, context: &Context) -> bool {
    evaluate(&[policy(statements)], &Access { action, resource, context }).allows()
}

fn reason(statement: Value) -> String {
    Policy::parse("Test", &json!({ "Version": "2012-10-17", "Statement": statement }))
        .unwrap_err()
        .to_string()
}

#[test]
fn actions_ignore_case_and_resources_do_not() {
    let none = Context::default();
    let statement = json!({ "Effect": "Allow", "Action": "S3:get*", "Resource": "arn:aws:s3:::Media/?a*" });
    assert!(allows(statement.clone(), "s3:GetObject", "arn:aws:s3:::Media/xa/b/c", &none));
    assert!(!allows(statement.clone(), "s3:GetObject", "arn:aws:s3:::media/xa", &none));
    assert!(!allows(statement.clone(), "s3:GetObject", "arn:aws:s3:::Media/a", &none));
    assert!(!allows(statement, "s3:PutObject", "arn:aws:s3:::Media/xa", &none));
}

#[test]
fn nothing_is_allowed_by_default_and_deny_wins() {
    let none = Context::default();
    assert!(!allows(json!([]), "s3:GetObject", "arn:aws:s3:::a/b", &none));
    let statements = json!([
        { "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::a/secret/*" },
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" },
    ]);
    assert!(allows(statements.clone(), "s3:GetObject", "arn:aws:s3:::a/b", &none));
    assert!(!allows(statements, "s3:GetObject", "arn:aws:s3:::a/secret/b", &none));
}

#[test]
fn not_action_and_not_resource_mean_everything_else() {
    let none = Context::default();
    let statement =
        json!({ "Effect": "Allow", "NotAction": "s3:Delete*", "NotResource": "arn:aws:s3:::a/*" });
    assert!(allows(statement.clone(), "s3:GetObject", "arn:aws:s3:::b/c", &none));
    assert!(!allows(statement.clone(), "s3:DeleteObject", "arn:aws:s3:::b/c", &none));
    assert!(!allows(statement, "s3:GetObject", "arn:aws:s3:::a/c", &none));
}

fn holds(condition: &Value, context: &Context) -> bool {
    let statement = json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition });
    allows(statement, "s3:ListBucket", "arn:aws:s3:::a", context)
}

#[test]
fn a_missing_key_meets_only_if_exists_negation_and_for_all_values() {
    let none = Context::default();
    assert!(!holds(&json!({ "StringEquals": { "s3:prefix": "a" } }), &none));
    assert!(holds(&json!({ "StringEqualsIfExists": { "s3:prefix": "a" } }), &none));
    assert!(holds(&json!({ "StringNotEquals": { "s3:prefix": "a" } }), &none));
    assert!(holds(&json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": "a" } }), &none));
    assert!(!holds(&json!({ "ForAnyValue:StringLike": { "dynamodb:LeadingKeys": "a" } }), &none));
    assert!(holds(&json!({ "Null": { "s3:prefix": "true" } }), &none));
    assert!(!holds(&json!({ "Null": { "s3:prefix": "false" } }), &none));
}

#[test]
fn operators_compare_as_their_names_say() {
    let context = Context::default()
        .with("s3:prefix", "media/x")
        .with("s3:max-keys", "10")
        .with("aws:SecureTransport", "true")
        .with("aws:SourceArn", "arn:aws:s3:::ingest");
    assert!(holds(&json!({ "StringLike": { "S3:Prefix": ["other/*", "media/*"] } }), &context));
    assert!(!holds(&json!({ "StringEquals": { "s3:prefix": "media/*" } }), &context));
    assert!(!holds(&json!({ "StringNotLike": { "s3:prefix": ["other/*", "media/*"] } }), &context));
    assert!(holds(&json!({ "StringEqualsIgnoreCase": { "s3:prefix": "MEDIA/X" } }), &context));
    assert!(holds(&json!({ "NumericLessThanEquals": { "s3:max-keys": "10" } }), &context));
    assert!(!holds(&json!({ "NumericGreaterThan": { "s3:max-keys": 10 } }), &context));
    assert!(!holds(&json!({ "Bool": { "aws:SecureTransport": "false" } }), &context));
    assert!(holds(&json!({ "ArnLike": { "aws:SourceArn": "arn:aws:s3:*:*:ing*" } }), &context));
    assert!(!holds(&json!({ "ArnEquals": { "aws:SourceArn": "arn:*:ingest" } }), &context));
    // Both keys must hold.
    assert!(!holds(&json!({ "StringEquals": { "s3:prefix": "media/x", "s3:max-keys": "11" } }), &context));
}

#[test]
fn set_operators_look_at_every_value() {
    let mut context = Context::default();
    context.add("dynamodb:LeadingKeys", "USER#1");
    context.add("dynamodb:LeadingKeys", "RATE#login");
    let all = |values: Value| json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": values } });
    assert!(holds(&all(json!(["USER#*", "RATE#*"])), &context));
    assert!(!holds(&all(json!(["USER#*"])), &context));
    assert!(holds(&json!({ "ForAnyValue:StringLike": { "dynamodb:LeadingKeys": "USER#*" } }), &context));
    assert!(!holds(&json!({ "ForAnyValue:StringLike": { "dynamodb:LeadingKeys": "MEDIA#*" } }), &context));
}

#[test]
fn what_was_used_is_named() {
    let context = Context::default().with("s3:prefix", "media/x").with("aws:userid", "me");
    let named = |condition: Value| {
        let statement = json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition });
        let policy = policy(statement);
        let access = Access { action: "s3:ListBucket", resource: "arn:aws:s3:::a", context: &context };
        let verdict = evaluate(std::slice::from_ref(&policy), &access);
        assert!(verdict.allows());
        assert!(verdict.used.iter().all(|used| policy.permissions().contains(used)), "{verdict:?}");
        verdict.used.into_iter().map(|used| used.condition).collect::<Vec<_>>()
    };
    let some = |names: &[&str]| names.iter().map(|&name| Some(name.to_owned())).collect::<Vec<_>>();
    assert_eq!(named(json!({})), [None]);
    let both =
        json!({ "StringLike": { "S3:prefix": ["media/*", "me*"], "aws:userid": ["you", "${aws:userid}"] } });
    assert_eq!(named(both), some(&["S3:prefix media/*", "aws:userid ${aws:userid}"]));
    let negated = json!({ "StringNotEquals": { "s3:prefix": ["a", "b"] }, "Null": { "s3:max-keys": true } });
    assert_eq!(named(negated), some(&["s3:max-keys absent", "s3:prefix !a,b"]));
    assert_eq!(named(json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": "a" } })), some(&[]));
}

#[test]
fn variables_stand_for_themselves() {
    let statement = json!({
        "Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::a/${aws:userid}/${*}/*",
    });
    let context = Context::default().with("aws:userid", "AROA:*");
    assert!(allows(statement.clone(), "s3:GetObject", "arn:aws:s3:::a/AROA:*/*/b", &context));
    assert!(!allows(statement.clone(), "s3:GetObject", "arn:aws:s3:::a/AROA:x/*/b", &context));
    assert!(!allows(statement, "s3:GetObject", "arn:aws:s3:::a//*/b", &Context::default()));
}

#[test]
fn what_is_unknown_is_refused_when_it_is_read() {
    let with = |condition: Value| {
        reason(json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition }))
    };
    assert!(with(json!({ "IpAddress": { "aws:SourceArn": "1.2.3.4" } })).contains("IpAddress"));
    assert!(with(json!({ "StringEquals": { "aws:MadeUp": "x" } })).contains("aws:MadeUp"));
    assert!(with(json!({ "StringEquals": { "aws:userid": "${aws:nope}" } })).contains("aws:nope"));
    assert!(with(json!({ "Sometimes:StringEquals": { "aws:userid": "x" } })).contains("Sometimes"));
    assert!(reason(json!({ "Effect": "Allow", "Action": "*" })).contains("Resource"));
    assert!(reason(json!({ "Effect": "Perhaps", "Action": "*", "Resource": "*" })).contains("Effect"));
    assert!(reason(json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "When": 1 })).contains("When"));
}

#[test]
fn principals_are_left_to_the_caller() {
    let statements = json!([{
        "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" }, "Action": "sqs:SendMessage", "Resource": "*",
    }]);
    let context = Context::default();
    let access =
        Access { action: "sqs:SendMessage", resource: "arn:aws:sqs:us-east-1:0:q", context: &context };
    let policies = [policy(statements)];
    let named = |service: &str| {
        evaluate_resource(&policies, &access, |principal| {
            matches!(principal, PrincipalMatch::Named { services, .. } if services.iter().any(|one| one == service))
        })
        .allows()
    };
    assert!(named("s3.amazonaws.com"));
    assert!(!named("sns.amazonaws.com"));
    assert!(!evaluate(&policies, &access).allows());
}
