//! `AWS::IAM::Role`, `AWS::IAM::RolePolicy`, `AWS::IAM::ManagedPolicy` and `AWS::SecretsManager::Secret`.

use std::time::Duration;

use super::{Evaluated, managed_policy, policy};
use crate::stack::{Policy, Role, Secret, Stack};
use crate::template::error::{Problem, TemplateError};
use crate::template::names::Names;
use crate::template::properties::Properties;

pub(super) fn roles(names: &Names, evaluated: &Evaluated) -> Result<Vec<Role>, TemplateError> {
    let mut roles = Vec::new();
    for (logical_id, properties) in evaluated.of_type("AWS::IAM::Role") {
        let properties = Properties::new(
            properties,
            &format!("{logical_id}.Properties"),
            &[
                "RoleName",
                "AssumeRolePolicyDocument",
                "Policies",
                "MaxSessionDuration",
                "ManagedPolicyArns",
                "Path",
            ],
            &["Description", "Tags"],
        )?;
        properties.only("Path", "/")?;
        let mut policies = inline_policies(logical_id, &properties)?;
        for (index, arn) in properties.strings("ManagedPolicyArns")?.iter().enumerate() {
            policies.extend(managed_policy(arn, &format!("{logical_id}.ManagedPolicyArns[{index}]"))?);
        }
        let session_seconds = properties.integer("MaxSessionDuration")?.unwrap_or(3600);
        if !(3600..=43_200).contains(&session_seconds) {
            return Err(TemplateError::invalid(
                properties.place_of("MaxSessionDuration"),
                "must be 3600–43200 seconds",
            ));
        }
        roles.push(Role {
            logical_id: logical_id.to_owned(),
            name: names.name(logical_id)?,
            arn: names.arn(logical_id)?.unwrap_or_default(),
            trust: policy(
                format!("{logical_id}.AssumeRolePolicyDocument"),
                properties.required("AssumeRolePolicyDocument")?,
            )?,
            policies,
            max_session_duration: Duration::from_secs(session_seconds),
        });
    }
    Ok(roles)
}

fn inline_policies(logical_id: &str, role: &Properties) -> Result<Vec<Policy>, TemplateError> {
    let mut policies = Vec::new();
    for (index, item) in role.list("Policies")?.iter().enumerate() {
        let source = format!("{logical_id}.Policies[{index}]");
        let item = Properties::new(item, &source, &["PolicyName", "PolicyDocument"], &[])?;
        policies.push(policy(source.clone(), item.required("PolicyDocument")?)?);
    }
    Ok(policies)
}

/// The `AWS::IAM::ManagedPolicy` with this ARN. It bounds functions' roles; attached to none, it allows nothing by itself.
pub(super) fn declared_policy(
    names: &Names,
    evaluated: &Evaluated,
    arn: &str,
) -> Result<Option<Policy>, TemplateError> {
    for (logical_id, properties) in evaluated.of_type("AWS::IAM::ManagedPolicy") {
        if names.arn(logical_id)?.as_deref() != Some(arn) {
            continue;
        }
        let place = format!("{logical_id}.Properties");
        let declared =
            Properties::new(properties, &place, &["ManagedPolicyName", "PolicyDocument"], &["Description"])?;
        return policy(logical_id.to_owned(), declared.required("PolicyDocument")?).map(Some);
    }
    Ok(None)
}

/// Adds the statements of `AWS::IAM::RolePolicy` to the role that each names, and gives a function with a role of the
/// template's the policies of that role.
pub(super) fn attach_role_policies(evaluated: &Evaluated, stack: &mut Stack) -> Result<(), TemplateError> {
    for (logical_id, properties) in evaluated.of_type("AWS::IAM::RolePolicy") {
        let place = format!("{logical_id}.Properties");
        let properties =
            Properties::new(properties, &place, &["RoleName", "PolicyName", "PolicyDocument"], &[])?;
        properties.required_string("PolicyName")?;
        let role_name = properties.required_string("RoleName")?;
        let attached = policy(logical_id.to_owned(), properties.required("PolicyDocument")?)?;
        if let Some(role) = stack.roles.iter_mut().find(|role| role.name == role_name) {
            role.policies.push(attached);
            continue;
        }
        let mut functions = stack.functions.values_mut();
        let function = functions
            .find(|function| function.role_arn.rsplit('/').next() == Some(role_name.as_str()))
            .ok_or_else(|| {
                TemplateError::at(
                    properties.place_of("RoleName"),
                    Problem::UnresolvedReference(role_name.clone()),
                )
            })?;
        function.policies.push(attached);
    }
    for function in stack.functions.values_mut() {
        if let Some(role) = stack.roles.iter().find(|role| role.arn == function.role_arn) {
            function.policies.extend(role.policies.iter().cloned());
        }
    }
    Ok(())
}

pub(super) fn secrets(names: &Names, evaluated: &Evaluated) -> Result<Vec<Secret>, TemplateError> {
    evaluated
        .of_type("AWS::SecretsManager::Secret")
        .map(|(logical_id, properties)| {
            Properties::new(
                properties,
                &format!("{logical_id}.Properties"),
                &["Name"],
                &["Description", "ReplicaRegions", "Tags"],
            )?;
            Ok(Secret {
                logical_id: logical_id.to_owned(),
                name: names.name(logical_id)?,
                arn: names.arn(logical_id)?.unwrap_or_default(),
            })
        })
        .collect()
}
