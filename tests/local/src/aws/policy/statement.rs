//! One statement of a policy: what it applies to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Access;
use super::condition::{Condition, Context, substitute, wildcard_match};

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// The `Principal` of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PrincipalMatch {
    /// `"*"` or `{"AWS": "*"}`.
    Anyone,
    /// ARNs, account ids (`AWS`) and service names (`Service`).
    Named {
        /// Entries under `AWS`.
        aws: Vec<String>,
        /// Entries under `Service`.
        services: Vec<String>,
    },
}

#[derive(Debug, Clone)]
enum Patterns {
    /// `Action`, `Resource`.
    Any(Vec<String>),
    /// `NotAction`, `NotResource`.
    NoneOf(Vec<String>),
}

/// One combination of a statement's patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MatchedPatterns {
    /// Negated ones are written with a leading `!`.
    pub(crate) action: String,
    /// As `action`.
    pub(crate) resource: String,
    /// See [`Condition::names`]; `None` where the statement has no conditions.
    pub(crate) condition: Option<String>,
}

/// A statement, read.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) effect: Effect,
    pub(crate) principal: Option<PrincipalMatch>,
    actions: Patterns,
    /// `None` only in trust policies, whose resource is the role.
    resources: Option<Patterns>,
    conditions: Vec<Condition>,
}

impl Statement {
    pub(super) fn parse(statement: &Value) -> Result<Statement, String> {
        let fields = statement.as_object().ok_or("a statement is an object")?;
        for name in fields.keys() {
            match name.as_str() {
                "Sid" | "Effect" | "Principal" | "Action" | "NotAction" | "Resource" | "NotResource"
                | "Condition" => {}
                other => return Err(format!("{other} is not supported")),
            }
        }
        let effect = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err("Effect is Allow or Deny".to_owned()),
        };
        let principal = fields.get("Principal").map(parse_principal).transpose()?;
        let actions = patterns(fields.get("Action"), fields.get("NotAction"), "Action")?
            .ok_or("a statement needs Action or NotAction")?;
        let resources = patterns(fields.get("Resource"), fields.get("NotResource"), "Resource")?;
        if resources.is_none() && principal.is_none() {
            return Err("a statement without Principal needs Resource or NotResource".to_owned());
        }
        if let Some(Patterns::Any(list) | Patterns::NoneOf(list)) = &resources {
            for resource in list {
                substitute(resource, &Context::default(), true)?;
            }
        }
        let conditions = match fields.get("Condition") {
            None => Vec::new(),
            Some(Value::Object(operators)) => Condition::parse_all(operators)?,
            Some(_) => return Err("Condition is an object".to_owned()),
        };
        Ok(Statement { effect, principal, actions, resources, conditions })
    }

    /// Whether it has `Resource` or `NotResource`.
    pub(super) fn names_resources(&self) -> bool {
        self.resources.is_some()
    }

    /// Every combination of its patterns: of an action, a resource and one value of a condition.
    pub(super) fn permissions(&self) -> Vec<MatchedPatterns> {
        let names = |patterns: &Patterns| match patterns {
            Patterns::Any(list) => list.clone(),
            Patterns::NoneOf(list) => vec![format!("!{}", list.join(","))],
        };
        let resources = self.resources.as_ref().map_or_else(|| vec!["*".to_owned()], names);
        let conditions = self.conditions.iter().flat_map(Condition::names).collect();
        names(&self.actions)
            .iter()
            .flat_map(|action| resources.iter().map(move |resource| (action, resource)))
            .flat_map(|(action, resource)| self.combine(action, resource, &conditions))
            .collect()
    }

    fn combine(&self, action: &str, resource: &str, conditions: &BTreeSet<String>) -> Vec<MatchedPatterns> {
        let combined = |condition| MatchedPatterns {
            action: action.to_owned(),
            resource: resource.to_owned(),
            condition,
        };
        if self.conditions.is_empty() {
            return vec![combined(None)];
        }
        conditions.iter().cloned().map(Some).map(combined).collect()
    }

    /// The patterns by which it applies to an access, if it does. Where a condition holds because the request lacks its
    /// key, none of that condition's values is among them.
    pub(super) fn matches(&self, access: &Access<'_>) -> Option<Vec<MatchedPatterns>> {
        let action = find(&self.actions, |pattern| {
            wildcard_match(&pattern.to_lowercase(), &access.action.to_lowercase())
        })?;
        let resource = match &self.resources {
            None => "*".to_owned(),
            Some(resources) => find(resources, |pattern| {
                substitute(pattern, access.context, false)
                    .is_ok_and(|pattern| wildcard_match(&pattern, access.resource))
            })?,
        };
        let mut conditions = BTreeSet::new();
        for condition in &self.conditions {
            conditions.extend(condition.holds(access.context)?);
        }
        Some(self.combine(&action, &resource, &conditions))
    }
}

fn find(patterns: &Patterns, matches: impl Fn(&str) -> bool) -> Option<String> {
    match patterns {
        Patterns::Any(list) => list.iter().find(|pattern| matches(pattern)).cloned(),
        Patterns::NoneOf(list) => {
            (!list.iter().any(|pattern| matches(pattern))).then(|| format!("!{}", list.join(",")))
        }
    }
}

fn patterns(any: Option<&Value>, none_of: Option<&Value>, name: &str) -> Result<Option<Patterns>, String> {
    match (any, none_of) {
        (Some(_), Some(_)) => Err(format!("{name} and Not{name} exclude each other")),
        (Some(list), None) => Ok(Some(Patterns::Any(strings(list, name)?))),
        (None, Some(list)) => Ok(Some(Patterns::NoneOf(strings(list, name)?))),
        (None, None) => Ok(None),
    }
}

fn parse_principal(principal: &Value) -> Result<PrincipalMatch, String> {
    let fields = match principal {
        Value::String(anyone) if anyone == "*" => return Ok(PrincipalMatch::Anyone),
        Value::Object(fields) => fields,
        _ => return Err("Principal is \"*\" or an object".to_owned()),
    };
    let (mut aws, mut services) = (Vec::new(), Vec::new());
    for (kind, names) in fields {
        match kind.as_str() {
            "AWS" => aws = strings(names, "Principal.AWS")?,
            "Service" => services = strings(names, "Principal.Service")?,
            other => return Err(format!("Principal.{other} is not supported")),
        }
    }
    if aws.iter().any(|name| name == "*") {
        return Ok(PrincipalMatch::Anyone);
    }
    Ok(PrincipalMatch::Named { aws, services })
}

/// A string, or a list of strings.
pub(super) fn strings(value: &Value, name: &str) -> Result<Vec<String>, String> {
    let one = |value: &Value| value.as_str().map(str::to_owned).ok_or(format!("{name} holds strings"));
    match value {
        Value::Array(values) if !values.is_empty() => values.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}
