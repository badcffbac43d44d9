//! Custom resources: the function behind `ServiceToken` provisions them.

use serde_json::Value;

use super::{Evaluated, properties};
use crate::stack::CustomResource;
use crate::template::error::{Problem, TemplateError};
use crate::template::names::{Names, is_custom};
use crate::template::provisioned::PendingResource;

/// A custom resource that is ready to be provisioned.
pub(in crate::template) fn pending(
    names: &Names,
    logical_id: &str,
) -> Result<PendingResource, TemplateError> {
    let resource =
        names.template.resources.get(logical_id).ok_or_else(|| {
            TemplateError::at(logical_id, Problem::UnresolvedReference(logical_id.to_owned()))
        })?;
    let properties = as_strings(properties(names, logical_id, resource)?);
    Ok(PendingResource {
        logical_id: logical_id.to_owned(),
        resource_type: resource.resource_type.clone(),
        function: provider(names, logical_id, &properties)?,
        properties,
    })
}

/// The custom resources that have been provisioned.
pub(super) fn provisioned(
    names: &Names,
    evaluated: &Evaluated,
) -> Result<Vec<CustomResource>, TemplateError> {
    let mut resources = Vec::new();
    for (resource_type, instances) in &evaluated.by_type {
        if !is_custom(resource_type) {
            continue;
        }
        for (logical_id, properties) in instances {
            let Some(answer) = names.provisioned.get(logical_id) else { continue };
            let properties = as_strings(properties.clone());
            resources.push(CustomResource {
                logical_id: logical_id.clone(),
                resource_type: resource_type.clone(),
                function: provider(names, logical_id, &properties)?,
                properties,
                attributes: answer.attributes.clone(),
                physical_id: answer.physical_id.clone(),
            });
        }
    }
    Ok(resources)
}

/// CloudFormation sends every scalar of a custom resource's properties as a string.
fn as_strings(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(value) => Value::String(value.to_string()),
        Value::Array(items) => Value::Array(items.into_iter().map(as_strings).collect()),
        Value::Object(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, as_strings(value))).collect())
        }
        other => other,
    }
}

fn provider(names: &Names, logical_id: &str, properties: &Value) -> Result<String, TemplateError> {
    let place = format!("{logical_id}.Properties.ServiceToken");
    let token = properties.get("ServiceToken").and_then(Value::as_str).ok_or_else(|| {
        TemplateError::at(format!("{logical_id}.Properties"), Problem::Missing("ServiceToken"))
    })?;
    for (function, resource) in &names.template.resources {
        if resource.resource_type == "AWS::Serverless::Function"
            && names.arn(function)?.as_deref() == Some(token)
        {
            return Ok(function.clone());
        }
    }
    Err(TemplateError::invalid(place, format!("{token} is not the ARN of a function of this template")))
}
