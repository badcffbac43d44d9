//! `Globals`, merged into each resource as SAM does it: mappings are merged, lists are joined (the global items first),
//! anything else is overridden
//! (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>).

use serde_json::{Map, Value};

use super::error::TemplateError;
use super::evaluate::intrinsic;
use super::properties::Properties;

/// The global properties of one resource type.
pub(super) fn of_type<'a>(
    globals: &'a Value,
    resource_type: &str,
) -> Result<Option<&'a Value>, TemplateError> {
    let globals = Properties::new(globals, "Globals", &["Function", "HttpApi"], &[])?;
    Ok(match resource_type {
        "AWS::Serverless::Function" => globals.get("Function"),
        "AWS::Serverless::HttpApi" => globals.get("HttpApi"),
        _ => None,
    })
}

/// `local` over `global`.
pub(super) fn merge(global: &Value, local: &Value, place: &str) -> Result<Value, TemplateError> {
    if intrinsic(global, place)?.is_some() || intrinsic(local, place)?.is_some() {
        return Ok(local.clone());
    }
    Ok(match (global, local) {
        (global, Value::Null) => global.clone(),
        (Value::Object(global), Value::Object(local)) => {
            let mut merged: Map<String, Value> = global.clone();
            for (key, value) in local {
                let value = match global.get(key) {
                    Some(global) => merge(global, value, &format!("{place}.{key}"))?,
                    None => value.clone(),
                };
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(global), Value::Array(local)) => {
            Value::Array(global.iter().chain(local).cloned().collect())
        }
        (_, local) => local.clone(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn mappings_merge_lists_join_scalars_override() {
        let global = json!({
            "Timeout": 10,
            "MemorySize": 256,
            "Environment": {"Variables": {"A": "global", "B": {"Ref": "X"}}},
            "Layers": ["one"],
        });
        let local = json!({
            "Timeout": {"Ref": "T"},
            "Environment": {"Variables": {"B": {"Ref": "Y"}, "C": "local"}},
            "Layers": ["two"],
        });
        assert_eq!(
            merge(&global, &local, "F").unwrap(),
            json!({
                "Timeout": {"Ref": "T"},
                "MemorySize": 256,
                "Environment": {"Variables": {"A": "global", "B": {"Ref": "Y"}, "C": "local"}},
                "Layers": ["one", "two"],
            })
        );
        assert_eq!(merge(&global, &Value::Null, "F").unwrap(), global);
    }

    #[test]
    fn an_unknown_section_is_an_error() {
        let error = of_type(&json!({"SimpleTable": {}}), "AWS::Serverless::Function").unwrap_err();
        assert_eq!(error.to_string(), "Globals: SimpleTable is not known to the local stack");
    }
}
