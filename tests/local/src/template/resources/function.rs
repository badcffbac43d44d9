//! `AWS::Serverless::Function` and its events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Evaluated, identity, managed_policy, policy};
use crate::stack::{EventSourceMapping, Function, Policy, Schedule, Stack};
use crate::template::error::{Problem, TemplateError};
use crate::template::names::Names;
use crate::template::properties::{Properties, text};

const HONOURED: &[&str] = &[
    "FunctionName",
    "Timeout",
    "MemorySize",
    "Environment",
    "Policies",
    "PermissionsBoundary",
    "Role",
    "Events",
    "PackageType",
];
/// How the code is built, where it runs, and what is recorded about it.
const IRRELEVANT: &[&str] = &[
    "Architectures",
    "CodeUri",
    "Description",
    "EphemeralStorage",
    "Handler",
    "KmsKeyArn",
    "LoggingConfig",
    "PropagateTags",
    "RecursiveLoop",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Tags",
    "Tracing",
];

/// Set by Lambda itself; a template that sets one is refused at deployment.
const RESERVED_VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Lambda's limit on all names and values together.
const ENVIRONMENT_LIMIT_BYTES: usize = 4096;

fn reader<'a>(logical_id: &str, properties: &'a Value) -> Result<Properties<'a>, TemplateError> {
    Properties::new(properties, &format!("{logical_id}.Properties"), HONOURED, IRRELEVANT)
}

pub(super) fn functions(
    names: &Names,
    evaluated: &Evaluated,
) -> Result<BTreeMap<String, Function>, TemplateError> {
    evaluated
        .of_type("AWS::Serverless::Function")
        .map(|(logical_id, properties)| {
            let function = function(names, evaluated, logical_id, properties)?;
            Ok((logical_id.to_owned(), function))
        })
        .collect()
}

fn function(
    names: &Names,
    evaluated: &Evaluated,
    logical_id: &str,
    properties: &Value,
) -> Result<Function, TemplateError> {
    let properties = reader(logical_id, properties)?;
    properties.only("PackageType", "Zip")?;
    let role_arn = match properties.string("Role")? {
        Some(arn) => arn,
        None => names.arn(&format!("{logical_id}Role"))?.unwrap_or_default(),
    };
    let timeout_seconds = properties.integer("Timeout")?.unwrap_or(3);
    if !(1..=900).contains(&timeout_seconds) {
        return Err(TemplateError::invalid(properties.place_of("Timeout"), "must be 1–900 seconds"));
    }
    let memory_mib = u32::try_from(properties.integer("MemorySize")?.unwrap_or(128))
        .ok()
        .filter(|memory| (128..=10_240).contains(memory))
        .ok_or_else(|| TemplateError::invalid(properties.place_of("MemorySize"), "must be 128–10240 MiB"))?;
    Ok(Function {
        logical_id: logical_id.to_owned(),
        name: names.name(logical_id)?,
        arn: names.arn(logical_id)?.unwrap_or_default(),
        binary: binary(names, logical_id)?,
        role_arn,
        environment: environment(&properties)?,
        timeout: Duration::from_secs(timeout_seconds),
        memory_mib,
        policies: policies(logical_id, &properties)?,
        permissions_boundary: permissions_boundary(names, evaluated, &properties)?,
    })
}

/// The crate that cargo-lambda builds for the function.
fn binary(names: &Names, logical_id: &str) -> Result<String, TemplateError> {
    let place = format!("{logical_id}.Metadata.BuildProperties.Binary");
    let metadata = names.template.resources.get(logical_id).map(|resource| &resource.metadata);
    match metadata.and_then(|metadata| metadata.pointer("/BuildProperties/Binary")) {
        Some(name) => text(name, &place),
        None => Err(TemplateError::at(place, Problem::Missing("the name of the function's crate"))),
    }
}

fn environment(properties: &Properties) -> Result<BTreeMap<String, String>, TemplateError> {
    let environment = properties.child("Environment", &["Variables"], &[])?;
    let place = environment.place_of("Variables");
    let mut variables = BTreeMap::new();
    for (name, value) in environment.mapping("Variables")? {
        if RESERVED_VARIABLES.contains(&name.as_str()) || name.starts_with("AWS_LAMBDA_") {
            return Err(TemplateError::invalid(format!("{place}.{name}"), "is reserved by Lambda"));
        }
        variables.insert(name.clone(), text(value, &format!("{place}.{name}"))?);
    }
    let size: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > ENVIRONMENT_LIMIT_BYTES {
        return Err(TemplateError::invalid(
            place,
            format!("{size} bytes, and Lambda takes at most {ENVIRONMENT_LIMIT_BYTES}"),
        ));
    }
    Ok(variables)
}

fn policies(logical_id: &str, properties: &Properties) -> Result<Vec<Policy>, TemplateError> {
    let items = match properties.get("Policies") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let mut policies = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let source = format!("{logical_id}.Policies[{index}]");
        match item {
            Value::String(name) => policies.extend(managed_policy(name, &source)?),
            Value::Object(entries) if entries.contains_key("Statement") => {
                policies.push(policy(source, item)?);
            }
            Value::Object(entries) => {
                let name = entries.keys().next().cloned().unwrap_or_default();
                return Err(TemplateError::at(
                    source,
                    Problem::Unsupported(format!("policy template {name} (write the statements)")),
                ));
            }
            other => return Err(TemplateError::expected(source, "a policy", other)),
        }
    }
    Ok(policies)
}

/// The template's policy that bounds the execution role. SAM gives none to a role that the template declares.
fn permissions_boundary(
    names: &Names,
    evaluated: &Evaluated,
    properties: &Properties,
) -> Result<Option<Policy>, TemplateError> {
    let Some(arn) = properties.string("PermissionsBoundary")? else { return Ok(None) };
    if properties.get("Role").is_some() {
        return Ok(None);
    }
    let boundary = identity::declared_policy(names, evaluated, &arn)?;
    boundary.map(Some).ok_or_else(|| {
        TemplateError::at(
            properties.place_of("PermissionsBoundary"),
            Problem::Unsupported(format!("{arn}, which the template does not declare")),
        )
    })
}

/// Routes, event source mappings and schedules of all functions.
pub(super) fn events(names: &Names, evaluated: &Evaluated, stack: &mut Stack) -> Result<(), TemplateError> {
    for (logical_id, properties) in evaluated.of_type("AWS::Serverless::Function") {
        let properties = reader(logical_id, properties)?;
        for (name, event) in properties.mapping("Events")? {
            let place = format!("{logical_id}.Properties.Events.{name}");
            let event = Properties::new(event, &place, &["Type", "Properties"], &[])?;
            let declared = event.get("Properties").unwrap_or(&Value::Null);
            let place = event.place_of("Properties");
            match event.required_string("Type")?.as_str() {
                "HttpApi" => stack.routes.push(super::api::route(names, logical_id, declared, &place)?),
                "SQS" => {
                    let mapping = mapping(stack, logical_id, declared, &place)?;
                    stack.event_source_mappings.extend(mapping);
                }
                "ScheduleV2" | "Schedule" => stack.schedules.extend(schedule(logical_id, declared, &place)?),
                other => {
                    return Err(TemplateError::at(
                        event.place_of("Type"),
                        Problem::Unsupported(format!("event type {other}")),
                    ));
                }
            }
        }
    }
    Ok(())
}

fn mapping(
    stack: &Stack,
    function: &str,
    declared: &Value,
    place: &str,
) -> Result<Option<EventSourceMapping>, TemplateError> {
    let event = Properties::new(
        declared,
        place,
        &[
            "Queue",
            "BatchSize",
            "FunctionResponseTypes",
            "ScalingConfig",
            "Enabled",
            "MaximumBatchingWindowInSeconds",
        ],
        &[],
    )?;
    event.only("MaximumBatchingWindowInSeconds", "0")?;
    let batch_size = event.integer("BatchSize")?.unwrap_or(10);
    let batch_size =
        usize::try_from(batch_size).ok().filter(|size| (1..=10).contains(size)).ok_or_else(|| {
            TemplateError::at(
                event.place_of("BatchSize"),
                Problem::Unsupported(format!("BatchSize {batch_size} (only 1–10)")),
            )
        })?;
    let response_types = event.strings("FunctionResponseTypes")?;
    if let Some(other) = response_types.iter().find(|response| *response != "ReportBatchItemFailures") {
        return Err(TemplateError::at(
            event.place_of("FunctionResponseTypes"),
            Problem::Unsupported(other.clone()),
        ));
    }
    let scaling = event.child("ScalingConfig", &["MaximumConcurrency"], &[])?;
    let maximum_concurrency = match scaling.integer("MaximumConcurrency")? {
        None => None,
        Some(most) => {
            Some(usize::try_from(most).ok().filter(|most| (2..=1000).contains(most)).ok_or_else(|| {
                TemplateError::invalid(scaling.place_of("MaximumConcurrency"), "must be 2–1000")
            })?)
        }
    };
    let queue_arn = event.required_string("Queue")?;
    check_visibility(stack, function, &queue_arn, &event.place_of("Queue"))?;
    let mapping = EventSourceMapping {
        function: function.to_owned(),
        queue_arn,
        batch_size,
        report_batch_item_failures: !response_types.is_empty(),
        maximum_concurrency,
    };
    Ok(event.boolean("Enabled")?.unwrap_or(true).then_some(mapping))
}

/// Lambda refuses a mapping whose messages could come back while the function still works on them.
fn check_visibility(
    stack: &Stack,
    function: &str,
    queue_arn: &str,
    place: &str,
) -> Result<(), TemplateError> {
    let (Some(queue), Some(function)) = (stack.queue(queue_arn), stack.functions.get(function)) else {
        return Ok(());
    };
    let (visibility, timeout) = (queue.visibility_timeout, function.timeout);
    if visibility < timeout {
        return Err(TemplateError::invalid(
            place,
            format!(
                "Queue visibility timeout: {} seconds is less than Function timeout: {} seconds",
                visibility.as_secs(),
                timeout.as_secs()
            ),
        ));
    }
    Ok(())
}

fn schedule(function: &str, declared: &Value, place: &str) -> Result<Option<Schedule>, TemplateError> {
    let event = Properties::new(
        declared,
        place,
        &["ScheduleExpression", "Schedule", "Input", "State", "Enabled", "FlexibleTimeWindow"],
        // A rate has no time zone.
        &["Description", "Name", "OmitName", "ScheduleExpressionTimezone"],
    )?;
    event.child("FlexibleTimeWindow", &["Mode"], &[])?.only("Mode", "OFF")?;
    let expression = match event.string("ScheduleExpression")? {
        Some(expression) => expression,
        None => event.required_string("Schedule")?,
    };
    let input = match event.get("Input") {
        None => None,
        Some(Value::String(input)) => Some(serde_json::from_str(input).map_err(|error| {
            TemplateError::invalid(event.place_of("Input"), format!("is not JSON: {error}"))
        })?),
        Some(other) => return Err(TemplateError::expected(event.place_of("Input"), "JSON text", other)),
    };
    let enabled = event.string("State")?.is_none_or(|state| state == "ENABLED")
        && event.boolean("Enabled")?.unwrap_or(true);
    let schedule = Schedule { function: function.to_owned(), expression, input };
    Ok(enabled.then_some(schedule))
}
