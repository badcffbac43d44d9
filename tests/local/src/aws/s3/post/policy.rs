//! The policy of a form: what its fields and its file have to be.
//!
//! Follows "POST policy" in the S3 API reference. Where that page is silent, the answers are those that S3 is known to
//! give: a policy that cannot be understood is 400 `InvalidPolicyDocument`, one that is not met 403 `AccessDenied`
//! with the condition as the policy spells it. Names of fields and operators are matched whatever their case, values
//! exactly. A condition on a field that is not there fails, even one that any value meets.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::fields::Fields;

/// Fields that no condition has to name, besides those that start with `x-ignore-`.
const UNCONDITIONAL: [&str; 5] = ["awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"];

/// Why a form is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PolicyError {
    /// The policy cannot be understood.
    #[error("Invalid Policy: {0}")]
    Invalid(String),
    /// The policy is not met.
    #[error("Invalid according to Policy: {0}")]
    Unmet(String),
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostPolicy {
    expiration: OffsetDateTime,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    kind: Kind,
    /// As the policy writes it; a simple condition is the same as an `eq`.
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Equal {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        prefix: String,
    },
    SizeBytes(RangeInclusive<u64>),
    /// Names no field, or is a range of no numbers.
    Unmeetable,
}

impl PostPolicy {
    /// Reads the `policy` field.
    pub(super) fn parse(field: &str) -> Result<PostPolicy, PolicyError> {
        let document = STANDARD.decode(field).map_err(|_| invalid("Invalid Base64 encoding."))?;
        let Ok(Value::Object(document)) = serde_json::from_slice(&json_escapes(&document)) else {
            return Err(invalid("Invalid JSON."));
        };
        if let Some(name) =
            document.keys().find(|name| !["expiration", "conditions"].contains(&name.as_str()))
        {
            return Err(invalid(format!("Unexpected: '{}'", name.to_lowercase())));
        }
        let Some(expiration) = document.get("expiration").and_then(Value::as_str) else {
            return Err(invalid("Policy missing expiration."));
        };
        let Some(conditions) = document.get("conditions") else {
            return Err(invalid("Policy missing conditions."));
        };
        let Some(conditions) = conditions.as_array() else {
            return Err(invalid("Invalid 'conditions' value: must be a List."));
        };
        Ok(PostPolicy {
            expiration: parse_expiration(expiration)
                .ok_or_else(|| invalid(format!("Invalid 'expiration' value: '{expiration}'")))?,
            conditions: conditions.iter().map(Condition::parse).collect::<Result<_, _>>()?,
        })
    }

    /// Compares a form with the policy. `Ok` says how long the file may be.
    pub(super) fn check(
        &self,
        bucket: &str,
        fields: &Fields,
        now: OffsetDateTime,
    ) -> Result<RangeInclusive<u64>, PolicyError> {
        if self.expiration <= now {
            return Err(unmet("Policy expired."));
        }
        if let Some(condition) = self.conditions.iter().find(|condition| !condition.is_met(bucket, fields)) {
            return Err(unmet(format!("Policy Condition failed: {}", condition.text)));
        }
        let extra: Vec<&str> = fields.names().filter(|name| !self.covers(name)).collect();
        if !extra.is_empty() {
            return Err(unmet(format!("Extra input fields: {}", extra.join(", "))));
        }
        let ranges = self.conditions.iter().filter_map(|condition| match &condition.kind {
            Kind::SizeBytes(range) => Some(range),
            _ => None,
        });
        Ok(ranges
            .fold(0..=u64::MAX, |all, range| *all.start().max(range.start())..=*all.end().min(range.end())))
    }

    fn covers(&self, field: &str) -> bool {
        let name = field.to_ascii_lowercase();
        name.starts_with("x-ignore-")
            || UNCONDITIONAL.contains(&name.as_str())
            || self.conditions.iter().any(|condition| match &condition.kind {
                Kind::Equal { field, .. } | Kind::StartsWith { field, .. } => *field == name,
                Kind::SizeBytes(_) | Kind::Unmeetable => false,
            })
    }
}

impl Condition {
    fn parse(condition: &Value) -> Result<Condition, PolicyError> {
        match condition {
            Value::Object(simple) => Condition::parse_simple(simple),
            Value::Array(items) => Condition::parse_list(items),
            _ => Err(invalid("Invalid condition: must be a List or Object.")),
        }
    }

    /// `{"acl": "private"}`.
    fn parse_simple(simple: &Map<String, Value>) -> Result<Condition, PolicyError> {
        let mut properties = simple.iter();
        let (Some((name, value)), None) = (properties.next(), properties.next()) else {
            return Err(invalid(
                "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
            ));
        };
        let Some(value) = value.as_str() else {
            return Err(invalid("Invalid Simple-Condition: value must be a string."));
        };
        Ok(Condition {
            kind: Kind::Equal { field: name.to_ascii_lowercase(), value: value.to_owned() },
            text: list_text(&["eq".into(), format!("${name}").into(), value.into()]),
        })
    }

    /// `["eq", "$acl", "private"]`.
    fn parse_list(items: &[Value]) -> Result<Condition, PolicyError> {
        let Some(operation) = items.first().and_then(Value::as_str) else {
            return Err(invalid("Invalid Condition: missing operation identifier."));
        };
        let [_, first, second] = items else {
            return Err(invalid(format!("Invalid {operation}: wrong number of arguments.")));
        };
        let kind = match operation.to_ascii_lowercase().as_str() {
            "content-length-range" => size_range(first, second)?,
            operator @ ("eq" | "starts-with") => {
                let (Some(field), Some(text)) = (first.as_str(), second.as_str()) else {
                    return Err(invalid("Invalid JSON."));
                };
                match (field.strip_prefix('$').map(str::to_ascii_lowercase), text.to_owned()) {
                    (None, _) => Kind::Unmeetable,
                    (Some(field), value) if operator == "eq" => Kind::Equal { field, value },
                    (Some(field), prefix) => Kind::StartsWith { field, prefix },
                }
            }
            _ => return Err(invalid(format!("Invalid Condition: unknown operation '{operation}'."))),
        };
        Ok(Condition { kind, text: list_text(items) })
    }

    fn is_met(&self, bucket: &str, fields: &Fields) -> bool {
        let sent = |field: &str| if field == "bucket" { Some(bucket) } else { fields.get(field) };
        match &self.kind {
            Kind::Equal { field, value } => sent(field) == Some(value),
            Kind::StartsWith { field, prefix } => sent(field).is_some_and(|value| match field.as_str() {
                "content-type" => value.split(',').all(|one| one.trim_start().starts_with(prefix)),
                _ => value.starts_with(prefix),
            }),
            // The file is measured when it comes.
            Kind::SizeBytes(_) => true,
            Kind::Unmeetable => false,
        }
    }
}

/// The operands of a `content-length-range`: whole numbers, or texts that are.
fn size_range(first: &Value, second: &Value) -> Result<Kind, PolicyError> {
    let mut limits = [0; 2];
    for (limit, operand) in limits.iter_mut().zip([first, second]) {
        *limit = match operand {
            Value::String(text) => match text.parse() {
                Ok(limit) => limit,
                Err(_) => return Ok(Kind::Unmeetable),
            },
            Value::Number(number) => number.as_u64().ok_or_else(|| invalid("Invalid JSON."))?,
            _ => return Err(invalid("Invalid JSON.")),
        };
    }
    Ok(Kind::SizeBytes(limits[0]..=limits[1]))
}

/// A policy with JSON's own escapes: `\$` and `\v` are S3's ("Character escaping").
fn json_escapes(document: &[u8]) -> Vec<u8> {
    let mut json = Vec::with_capacity(document.len());
    let mut bytes = document.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, if byte == b'\\' { bytes.next() } else { None }) {
            (_, Some(b'$')) => json.push(b'$'),
            (_, Some(b'v')) => json.extend_from_slice(b"\\u000b"),
            (byte, escaped) => json.extend(std::iter::once(byte).chain(escaped)),
        }
    }
    json
}

/// Only UTC is taken: `2030-01-01T12:00:00Z`, with or without a fraction.
fn parse_expiration(text: &str) -> Option<OffsetDateTime> {
    let is_plain = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| is_plain)
}

/// A list as S3 writes it.
fn list_text(items: &[Value]) -> String {
    format!("[{}]", items.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
}

fn invalid(message: impl Into<String>) -> PolicyError {
    PolicyError::Invalid(message.into())
}

fn unmet(message: impl Into<String>) -> PolicyError {
    PolicyError::Unmet(message.into())
}

#[cfg(test)]
mod tests;
