//! Intrinsic functions and conditions.
//!
//! Interpreted: `Ref`, `Fn::Sub`, `Fn::GetAtt`, `Fn::If`, `Fn::Join`, `Fn::Select`, `Fn::Split`, and in conditions
//! `Fn::Equals`, `Fn::And`, `Fn::Or`, `Fn::Not`, `Condition`. Every other one is an error with its place. `AWS::NoValue`
//! takes away the property or the list item that it stands for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{Problem, TemplateError};
use super::properties::{integer, text};

/// Where a name leads: parameters and resources.
pub(super) trait Scope {
    /// `Ref`; `None` for `AWS::NoValue`.
    fn reference(&self, name: &str, place: &str) -> Result<Option<Value>, TemplateError>;
    /// `Fn::GetAtt`.
    fn attribute(&self, resource: &str, attribute: &str, place: &str) -> Result<Value, TemplateError>;
    /// A named condition.
    fn condition(&self, name: &str, place: &str) -> Result<bool, TemplateError>;
}

/// The intrinsic function that this value is, with its argument.
pub(super) fn intrinsic<'a>(
    value: &'a Value,
    place: &str,
) -> Result<Option<(&'a str, &'a Value)>, TemplateError> {
    let Value::Object(entries) = value else { return Ok(None) };
    let Some((key, argument)) = entries.iter().find(|(key, _)| *key == "Ref" || key.starts_with("Fn::"))
    else {
        return Ok(None);
    };
    if entries.len() > 1 {
        return Err(TemplateError::invalid(place, format!("{key} must be the only key of its mapping")));
    }
    Ok(Some((key, argument)))
}

/// The value without intrinsic functions; `None` where `AWS::NoValue` stands.
pub(super) fn evaluate(
    value: &Value,
    scope: &dyn Scope,
    place: &str,
) -> Result<Option<Value>, TemplateError> {
    if let Some((function, argument)) = intrinsic(value, place)? {
        return call(function, argument, scope, &format!("{place}.{function}"));
    }
    Ok(Some(match value {
        Value::Array(items) => {
            let mut evaluated = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                evaluated.extend(evaluate(item, scope, &format!("{place}[{index}]"))?);
            }
            Value::Array(evaluated)
        }
        Value::Object(entries) => {
            let mut evaluated = Map::new();
            for (key, entry) in entries {
                if let Some(entry) = evaluate(entry, scope, &format!("{place}.{key}"))? {
                    evaluated.insert(key.clone(), entry);
                }
            }
            Value::Object(evaluated)
        }
        scalar => scalar.clone(),
    }))
}

fn call(
    function: &str,
    argument: &Value,
    scope: &dyn Scope,
    place: &str,
) -> Result<Option<Value>, TemplateError> {
    match function {
        "Ref" => scope.reference(&text(argument, place)?, place),
        "Fn::GetAtt" => {
            let (resource, attribute) = attribute_name(argument, place)?;
            scope.attribute(&resource, &attribute, place).map(Some)
        }
        "Fn::Sub" => substitute(argument, scope, place).map(Some),
        "Fn::If" => {
            let [condition, then, otherwise] = arguments(argument, place)?;
            let chosen = if scope.condition(&text(condition, place)?, place)? { then } else { otherwise };
            evaluate(chosen, scope, place)
        }
        "Fn::Join" => {
            let [delimiter, items] = arguments(argument, place)?;
            let items = strings(items, scope, place)?;
            Ok(Some(Value::String(items.join(&text(delimiter, place)?))))
        }
        "Fn::Split" => {
            let [delimiter, source] = arguments(argument, place)?;
            let source = required(source, scope, place)?;
            let parts: Vec<Value> =
                text(&source, place)?.split(&text(delimiter, place)?).map(Value::from).collect();
            Ok(Some(Value::Array(parts)))
        }
        "Fn::Select" => {
            let [index, items] = arguments(argument, place)?;
            let index = integer(&required(index, scope, place)?, place)?;
            let items = strings(items, scope, place)?;
            let item = usize::try_from(index).ok().and_then(|index| items.get(index)).ok_or_else(|| {
                TemplateError::invalid(place, format!("there is no item {index} among {}", items.len()))
            })?;
            Ok(Some(Value::String(item.clone())))
        }
        other => Err(TemplateError::at(place, Problem::UnknownIntrinsic(other.to_owned()))),
    }
}

/// The two halves of a `Fn::GetAtt`.
pub(super) fn attribute_name(argument: &Value, place: &str) -> Result<(String, String), TemplateError> {
    match argument {
        Value::String(text) => text.split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(resource), Value::String(attribute)] => {
                Some((resource.clone(), attribute.clone()))
            }
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| TemplateError::expected(place, "a resource and an attribute", argument))
}

fn arguments<'a, const N: usize>(argument: &'a Value, place: &str) -> Result<[&'a Value; N], TemplateError> {
    argument
        .as_array()
        .and_then(|values| <[&Value; N]>::try_from(values.iter().collect::<Vec<_>>()).ok())
        .ok_or_else(|| {
            TemplateError::expected(
                place,
                match N {
                    2 => "a list of two",
                    _ => "a list of three",
                },
                argument,
            )
        })
}

fn required(value: &Value, scope: &dyn Scope, place: &str) -> Result<Value, TemplateError> {
    evaluate(value, scope, place)?
        .ok_or_else(|| TemplateError::invalid(place, "AWS::NoValue cannot stand here"))
}

fn strings(value: &Value, scope: &dyn Scope, place: &str) -> Result<Vec<String>, TemplateError> {
    match required(value, scope, place)? {
        Value::Array(items) => items.iter().map(|item| text(item, place)).collect(),
        other => Err(TemplateError::expected(place, "a list", &other)),
    }
}

/// One piece of a `Fn::Sub` text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SubPart<'a> {
    /// Taken as it is.
    Literal(&'a str),
    /// `${!text}` stands for `${text}`.
    Escaped(&'a str),
    /// `${Name}` or `${Name.Attribute}`.
    Variable(&'a str),
}

/// Cuts a `Fn::Sub` text into its pieces.
pub(super) fn sub_parts<'a>(template: &'a str, place: &str) -> Result<Vec<SubPart<'a>>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find("${") {
        parts.push(SubPart::Literal(&rest[..start]));
        let inside = &rest[start + 2..];
        let end = inside
            .find('}')
            .ok_or_else(|| TemplateError::invalid(place, format!("`${{` without `}}` in {template:?}")))?;
        let name = inside[..end].trim();
        parts.push(match name.strip_prefix('!') {
            Some(literal) => SubPart::Escaped(literal),
            None => SubPart::Variable(name),
        });
        rest = &inside[end + 1..];
    }
    parts.push(SubPart::Literal(rest));
    Ok(parts)
}

/// The text of a `Fn::Sub` and its own variables.
pub(super) type SubArguments<'a> = (&'a str, Option<&'a Map<String, Value>>);

/// The arguments of a `Fn::Sub` in either of its forms.
pub(super) fn sub_arguments<'a>(argument: &'a Value, place: &str) -> Result<SubArguments<'a>, TemplateError> {
    match argument {
        Value::String(template) => Ok((template, None)),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(template), Value::Object(variables)] => Ok((template, Some(variables))),
            _ => Err(TemplateError::expected(place, "a text and a mapping", argument)),
        },
        _ => Err(TemplateError::expected(place, "a text, or a text and a mapping", argument)),
    }
}

fn substitute(argument: &Value, scope: &dyn Scope, place: &str) -> Result<Value, TemplateError> {
    let (template, variables) = sub_arguments(argument, place)?;
    let mut output = String::new();
    for part in sub_parts(template, place)? {
        match part {
            SubPart::Literal(literal) => output.push_str(literal),
            SubPart::Escaped(literal) => {
                output.push_str("${");
                output.push_str(literal);
                output.push('}');
            }
            SubPart::Variable(name) => {
                let value = match (variables.and_then(|variables| variables.get(name)), name.split_once('.'))
                {
                    (Some(value), _) => Some(required(value, scope, place)?),
                    (None, Some((resource, attribute))) => Some(scope.attribute(resource, attribute, place)?),
                    (None, None) => scope.reference(name, place)?,
                };
                let value =
                    value.ok_or_else(|| TemplateError::invalid(place, "AWS::NoValue cannot stand here"))?;
                output.push_str(&text(&value, place)?);
            }
        }
    }
    Ok(Value::String(output))
}

/// All conditions, each evaluated once; a condition may name others.
pub(super) fn conditions(
    declared: &Map<String, Value>,
    scope: &dyn Scope,
) -> Result<BTreeMap<String, bool>, TemplateError> {
    let mut known = BTreeMap::new();
    for name in declared.keys() {
        named_condition(name, "Conditions", declared, scope, &mut known, &mut Vec::new())?;
    }
    Ok(known)
}

fn named_condition(
    name: &str,
    place: &str,
    declared: &Map<String, Value>,
    scope: &dyn Scope,
    known: &mut BTreeMap<String, bool>,
    under_way: &mut Vec<String>,
) -> Result<bool, TemplateError> {
    if let Some(value) = known.get(name) {
        return Ok(*value);
    }
    let declaration = declared
        .get(name)
        .ok_or_else(|| TemplateError::at(place, Problem::UnknownCondition(name.to_owned())))?;
    under_way.push(name.to_owned());
    if under_way[..under_way.len() - 1].iter().any(|other| other == name) {
        return Err(TemplateError::at(place, Problem::Circular(under_way.clone())));
    }
    let place = format!("Conditions.{name}");
    let value = condition(declaration, &place, declared, scope, known, under_way)?;
    under_way.pop();
    known.insert(name.to_owned(), value);
    Ok(value)
}

fn condition(
    value: &Value,
    place: &str,
    declared: &Map<String, Value>,
    scope: &dyn Scope,
    known: &mut BTreeMap<String, bool>,
    under_way: &mut Vec<String>,
) -> Result<bool, TemplateError> {
    let entry =
        value.as_object().filter(|entries| entries.len() == 1).and_then(|entries| entries.iter().next());
    let Some((function, argument)) = entry else {
        return Err(TemplateError::expected(place, "a condition function", value));
    };
    let place = format!("{place}.{function}");
    if function == "Fn::Equals" {
        let [left, right] = arguments(argument, &place)?;
        let left = required(left, scope, &place)?;
        let right = required(right, scope, &place)?;
        return Ok(match (super::properties::scalar_text(&left), super::properties::scalar_text(&right)) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        });
    }
    if function == "Condition" {
        return named_condition(&text(argument, &place)?, &place, declared, scope, known, under_way);
    }
    let (least, most) = match function.as_str() {
        "Fn::Not" => (1, 1),
        "Fn::And" | "Fn::Or" => (2, 10),
        other => return Err(TemplateError::at(place, Problem::UnknownIntrinsic(other.to_owned()))),
    };
    let operands = argument
        .as_array()
        .filter(|operands| (least..=most).contains(&operands.len()))
        .ok_or_else(|| TemplateError::expected(&place, "a list of conditions", argument))?;
    let mut values = Vec::with_capacity(operands.len());
    for (index, operand) in operands.iter().enumerate() {
        values.push(condition(operand, &format!("{place}[{index}]"), declared, scope, known, under_way)?);
    }
    Ok(match function.as_str() {
        "Fn::Not" => !values[0],
        "Fn::And" => values.iter().all(|value| *value),
        _ => values.iter().any(|value| *value),
    })
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
