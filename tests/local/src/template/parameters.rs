//! Template parameters: defaults, overrides, and the constraints that CloudFormation checks before it creates anything
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{Problem, TemplateError};
use super::properties::{Properties, scalar_text};

const KNOWN: &[&str] =
    &["Type", "Default", "AllowedValues", "AllowedPattern", "MinLength", "MaxLength", "MinValue", "MaxValue"];
const IRRELEVANT: &[&str] = &["Description", "ConstraintDescription", "NoEcho"];

/// The values of all parameters: a string, or an array of strings for the list types.
pub(super) fn resolve(
    declared: &Map<String, Value>,
    overrides: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    for name in overrides.keys() {
        if !declared.contains_key(name) {
            return Err(TemplateError::at(
                format!("Parameters.{name}"),
                Problem::UnresolvedReference(format!("parameter {name}")),
            ));
        }
    }
    declared
        .iter()
        .map(|(name, declaration)| {
            let place = format!("Parameters.{name}");
            let properties = Properties::new(declaration, &place, KNOWN, IRRELEVANT)?;
            let value = match overrides.get(name) {
                Some(text) => text.clone(),
                None => properties.string("Default")?.ok_or_else(|| {
                    TemplateError::invalid(
                        &place,
                        "has no default, so a value is needed: --parameter Name=Value",
                    )
                })?,
            };
            Ok((name.clone(), check(&properties, value)?))
        })
        .collect()
}

fn check(properties: &Properties, text: String) -> Result<Value, TemplateError> {
    let place = properties.place();
    match properties.required_string("Type")?.as_str() {
        "String" => {
            check_item(properties, &text)?;
            check_length(properties, &text)?;
            Ok(Value::String(text))
        }
        "Number" => {
            check_item(properties, &text)?;
            check_number(properties, &text)?;
            Ok(Value::String(text))
        }
        "CommaDelimitedList" => list(properties, &text, |_| Ok(())),
        "List<Number>" => list(properties, &text, |item| check_number(properties, item)),
        other => Err(TemplateError::at(
            format!("{place}.Type"),
            Problem::Unsupported(format!("parameter type {other}")),
        )),
    }
}

fn list(
    properties: &Properties,
    text: &str,
    check_one: impl Fn(&str) -> Result<(), TemplateError>,
) -> Result<Value, TemplateError> {
    if text.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    let mut values = Vec::new();
    for item in text.split(',').map(str::trim) {
        check_item(properties, item)?;
        check_one(item)?;
        values.push(Value::from(item));
    }
    Ok(Value::Array(values))
}

fn check_item(properties: &Properties, text: &str) -> Result<(), TemplateError> {
    let place = properties.place();
    if let Some(Value::Array(allowed)) = properties.get("AllowedValues") {
        let allowed: Vec<String> = allowed.iter().filter_map(scalar_text).collect();
        if !allowed.iter().any(|value| value == text) {
            return Err(TemplateError::invalid(
                place,
                format!("{text:?} is not one of {}", allowed.join(", ")),
            ));
        }
    }
    if let Some(pattern) = properties.string("AllowedPattern")? {
        let expression = regex_lite::Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
            TemplateError::invalid(format!("{place}.AllowedPattern"), format!("{pattern}: {error}"))
        })?;
        if !expression.is_match(text) {
            return Err(TemplateError::invalid(place, format!("{text:?} does not match {pattern}")));
        }
    }
    Ok(())
}

fn check_length(properties: &Properties, text: &str) -> Result<(), TemplateError> {
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let out_of_bounds = properties.integer("MinLength")?.is_some_and(|least| length < least)
        || properties.integer("MaxLength")?.is_some_and(|most| length > most);
    if out_of_bounds {
        return Err(TemplateError::invalid(
            properties.place(),
            format!("{text:?} has a length outside MinLength and MaxLength"),
        ));
    }
    Ok(())
}

fn check_number(properties: &Properties, text: &str) -> Result<(), TemplateError> {
    let place = properties.place();
    let number = |text: &str| {
        text.parse::<f64>().map_err(|_| TemplateError::invalid(place, format!("{text:?} is not a number")))
    };
    let value = number(text)?;
    if let Some(least) = properties.string("MinValue")?
        && value < number(&least)?
    {
        return Err(TemplateError::invalid(place, format!("{text} is below MinValue {least}")));
    }
    if let Some(most) = properties.string("MaxValue")?
        && value > number(&most)?
    {
        return Err(TemplateError::invalid(place, format!("{text} is above MaxValue {most}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    fn resolve_one(declaration: Value, value: Option<&str>) -> Result<Value, TemplateError> {
        let declared = Map::from_iter([("P".to_owned(), declaration)]);
        let overrides = value.map(|text| ("P".to_owned(), text.to_owned())).into_iter().collect();
        resolve(&declared, &overrides).map(|mut values| values.remove("P").unwrap())
    }

    #[test]
    fn defaults_and_overrides() {
        assert_eq!(resolve_one(json!({"Type": "Number", "Default": 30}), None).unwrap(), json!("30"));
        assert_eq!(resolve_one(json!({"Type": "String", "Default": "a"}), Some("b")).unwrap(), json!("b"));
        assert_eq!(
            resolve_one(json!({"Type": "CommaDelimitedList", "Default": "a, b"}), None).unwrap(),
            json!(["a", "b"])
        );
    }

    #[test]
    fn every_constraint_is_checked() {
        let cases = [
            (json!({"Type": "String"}), None, "has no default"),
            (json!({"Type": "String", "AllowedValues": ["a", true]}), Some("b"), "not one of a, true"),
            (json!({"Type": "String", "AllowedPattern": "[a-z]+"}), Some("ab1"), "does not match"),
            (json!({"Type": "String", "MinLength": 2}), Some("a"), "MinLength"),
            (json!({"Type": "String", "MaxLength": 2}), Some("abc"), "MaxLength"),
            (json!({"Type": "Number"}), Some("x"), "not a number"),
            (json!({"Type": "Number", "MinValue": 5}), Some("4"), "below MinValue 5"),
            (json!({"Type": "Number", "MaxValue": 5}), Some("6"), "above MaxValue 5"),
            (json!({"Type": "List<Number>", "MaxValue": 5}), Some("1,6"), "above MaxValue 5"),
            (json!({"Type": "AWS::SSM::Parameter::Value<String>"}), Some("x"), "parameter type"),
            (json!({"Type": "String", "Defualt": "x"}), Some("x"), "Defualt is not known"),
        ];
        for (declaration, value, message) in cases {
            let error = resolve_one(declaration.clone(), value).unwrap_err().to_string();
            assert!(error.starts_with("Parameters.P"), "{error}");
            assert!(error.contains(message), "{declaration}: {error}");
        }
    }

    #[test]
    fn an_override_of_nothing_is_an_error() {
        let overrides = BTreeMap::from([("Nope".to_owned(), "1".to_owned())]);
        let error = resolve(&Map::new(), &overrides).unwrap_err().to_string();
        assert!(error.contains("Parameters.Nope"), "{error}");
    }
}
