//! Resource types: which properties are honoured, which make no difference on one machine, and what becomes of them.

mod api;
mod cdn;
mod custom;
mod function;
mod identity;
mod queue;
mod storage;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub(super) use self::api::apis_of;
pub(super) use self::custom::pending;

use super::Resource;
use super::error::{Problem, TemplateError};
use super::evaluate::evaluate;
use super::names::{Names, is_custom};
use super::properties::{Properties, text};
use crate::stack::{Policy, Stack};

/// Evaluated resources by type, then by logical id.
struct Evaluated {
    by_type: BTreeMap<String, Vec<(String, Value)>>,
}

impl Evaluated {
    fn of_type(&self, resource_type: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.by_type
            .get(resource_type)
            .into_iter()
            .flatten()
            .map(|(logical_id, properties)| (logical_id.as_str(), properties))
    }
}

const TYPES: &[&str] = &[
    "AWS::Serverless::Function",
    "AWS::Serverless::HttpApi",
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::ManagedPolicy",
    "AWS::SecretsManager::Secret",
    "AWS::CloudFront::CachePolicy",
    "AWS::CloudFront::Distribution",
    "AWS::CloudFront::KeyGroup",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudFront::OriginRequestPolicy",
    "AWS::CloudFront::ResponseHeadersPolicy",
];

/// Nothing runs for these: logs go to the terminal, and nobody is paged.
const ACCEPTED_TYPES: &[&str] = &[
    "AWS::Logs::LogGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SNS::Subscription",
];

/// The stack without what is `waiting` for a custom resource.
pub(super) fn build(names: &Names, waiting: &BTreeSet<String>) -> Result<Stack, TemplateError> {
    let mut evaluated = Evaluated { by_type: BTreeMap::new() };
    for (logical_id, resource) in &names.template.resources {
        let resource_type = resource.resource_type.as_str();
        if !TYPES.contains(&resource_type)
            && !ACCEPTED_TYPES.contains(&resource_type)
            && !is_custom(resource_type)
        {
            return Err(TemplateError::at(
                logical_id,
                Problem::UnknownResourceType(resource_type.to_owned()),
            ));
        }
        if waiting.contains(logical_id) {
            continue;
        }
        let properties = properties(names, logical_id, resource)?;
        evaluated.by_type.entry(resource_type.to_owned()).or_default().push((logical_id.clone(), properties));
    }
    let settings = &names.template.settings;
    let buckets = storage::buckets(names, &evaluated)?;
    let key_groups = cdn::key_groups(names, &evaluated)?;
    let mut stack = Stack {
        name: settings.stack_name.clone(),
        region: settings.region.clone(),
        account_id: settings.account_id.clone(),
        functions: function::functions(names, &evaluated)?,
        routes: Vec::new(),
        api_cors: None,
        tables: storage::tables(names, &evaluated)?,
        distribution: cdn::distribution(names, &evaluated, &buckets, &key_groups)?,
        buckets,
        key_groups,
        queues: queue::queues(names, &evaluated)?,
        event_source_mappings: Vec::new(),
        secrets: identity::secrets(names, &evaluated)?,
        roles: identity::roles(names, &evaluated)?,
        schedules: Vec::new(),
        custom_resources: custom::provisioned(names, &evaluated)?,
        outputs: BTreeMap::new(),
    };
    identity::attach_role_policies(&evaluated, &mut stack)?;
    function::events(names, &evaluated, &mut stack)?;
    stack.api_cors = api::cors(names, &evaluated)?;
    api::check_routes(&stack.routes)?;
    Ok(stack)
}

fn properties(names: &Names, logical_id: &str, resource: &Resource) -> Result<Value, TemplateError> {
    let place = format!("{logical_id}.Properties");
    Ok(evaluate(&resource.properties, names, &place)?.unwrap_or_default())
}

/// `Outputs`, evaluated.
pub(super) fn outputs(names: &Names, declared: &Value) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut outputs = BTreeMap::new();
    for (name, declaration) in declared.as_object().into_iter().flatten() {
        let place = format!("Outputs.{name}");
        let output =
            Properties::new(declaration, &place, &["Value", "Condition"], &["Description", "Export"])?;
        let exists = match output.string("Condition")? {
            Some(condition) => super::Scope::condition(names, &condition, &output.place_of("Condition"))?,
            None => true,
        };
        if exists {
            let place = output.place_of("Value");
            let value = evaluate(output.required("Value")?, names, &place)?.unwrap_or_default();
            outputs.insert(name.clone(), text(&value, &place)?);
        }
    }
    Ok(outputs)
}

/// A policy document with its source. It has to hold statements.
fn policy(source: String, document: &Value) -> Result<Policy, TemplateError> {
    let properties = Properties::new(document, &source, &["Version", "Statement"], &["Id"])?;
    match properties.required("Statement")? {
        Value::Array(_) | Value::Object(_) => Ok(Policy { source, document: document.clone() }),
        other => Err(TemplateError::expected(properties.place_of("Statement"), "statements", other)),
    }
}

/// What a managed policy allows here; `None` for those that are about logs and traces, which need no permission on one
/// machine.
fn managed_policy(name: &str, place: &str) -> Result<Option<Policy>, TemplateError> {
    match name.rsplit('/').next().unwrap_or(name) {
        "AWSLambdaBasicExecutionRole" | "AWSXRayDaemonWriteAccess" | "AWSXrayWriteOnlyAccess" => Ok(None),
        "AWSLambdaSQSQueueExecutionRole" => Ok(Some(Policy {
            source: format!("{place} {name}"),
            document: json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                    "Resource": "*",
                }],
            }),
        })),
        _ => Err(TemplateError::at(place, Problem::Unsupported(format!("managed policy {name}")))),
    }
}
