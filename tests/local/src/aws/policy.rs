//! IAM policy documents: read strictly, evaluated as AWS evaluates them.
//!
//! Follows "IAM JSON policy elements reference" and "Policy evaluation logic" in the IAM user guide. What a document
//! uses and this module does not know (an element, a condition operator, a condition key, a policy variable) is an
//! error when the document is read: a policy never silently allows more, or less, than on AWS.
//!
//! The local port counts as secure transport: `aws:SecureTransport` is `true` although it speaks plain HTTP, so a
//! bucket policy that denies insecure transport does not bite here.

mod condition;
mod statement;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use condition::{Context, wildcard_match};
pub(crate) use statement::{Effect, PrincipalMatch, Statement};

use statement::MatchedPatterns;

use crate::stack;

/// A policy document that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct PolicyError {
    source_name: String,
    reason: String,
}

/// A policy document, read.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Where the template declares it.
    pub(crate) source: String,
    pub(crate) statements: Vec<Statement>,
}

impl Policy {
    /// Reads a policy of a function, a role or a session: it holds no `Principal`.
    pub(crate) fn identity(policy: &stack::Policy) -> Result<Policy, PolicyError> {
        Policy::parse(&policy.source, &policy.document)?.checked(
            |statement| statement.principal.is_none(),
            "has a Principal, which no identity policy has",
        )
    }

    /// Reads a policy of a bucket or a queue: every statement names a `Principal`.
    pub(crate) fn resource(policy: &stack::Policy) -> Result<Policy, PolicyError> {
        Policy::parse(&policy.source, &policy.document)?.checked(
            |statement| statement.principal.is_some(),
            "has no Principal, which every resource policy has",
        )
    }

    /// Reads a trust policy: its resource is the role that it belongs to, so it names none.
    pub(crate) fn trust(policy: &stack::Policy) -> Result<Policy, PolicyError> {
        Policy::resource(policy)?
            .checked(|statement| !statement.names_resources(), "has a Resource, which no trust policy has")
    }

    fn checked(self, is_right: impl Fn(&Statement) -> bool, what: &str) -> Result<Policy, PolicyError> {
        match self.statements.iter().position(|statement| !is_right(statement)) {
            None => Ok(self),
            Some(index) => {
                Err(PolicyError { source_name: self.source, reason: format!("Statement[{index}] {what}") })
            }
        }
    }

    /// Everything that its statements allow.
    pub(crate) fn permissions(&self) -> Vec<Permission> {
        let allowing =
            self.statements.iter().enumerate().filter(|(_, statement)| statement.effect == Effect::Allow);
        allowing
            .flat_map(|(index, statement)| {
                statement.permissions().into_iter().map(move |one| Permission::of(self, index, one))
            })
            .collect()
    }

    /// Reads a document.
    pub(crate) fn parse(source: &str, document: &Value) -> Result<Policy, PolicyError> {
        let error = |reason: String| PolicyError { source_name: source.to_owned(), reason };
        let fields = document.as_object().ok_or_else(|| error("a policy is an object".to_owned()))?;
        for name in fields.keys() {
            if !matches!(name.as_str(), "Version" | "Id" | "Statement") {
                return Err(error(format!("unknown element {name}")));
            }
        }
        // Without it AWS reads the language of 2008, in which policy variables are plain text.
        if fields.get("Version").is_none_or(|version| version != "2012-10-17") {
            return Err(error("Version must be \"2012-10-17\"".to_owned()));
        }
        let statements = match fields.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return Err(error("a policy needs a Statement".to_owned())),
        };
        let statements = statements
            .into_iter()
            .enumerate()
            .map(|(index, statement)| {
                Statement::parse(statement).map_err(|reason| error(format!("Statement[{index}]: {reason}")))
            })
            .collect::<Result<_, _>>()?;
        Ok(Policy { source: source.to_owned(), statements })
    }
}

/// One thing that a call does, to be allowed or denied.
#[derive(Debug, Clone)]
pub(crate) struct Access<'a> {
    /// `s3:GetObject`.
    pub(crate) action: &'a str,
    /// ARN, or `*` for actions without a resource.
    pub(crate) resource: &'a str,
    /// Condition keys, lower case.
    pub(crate) context: &'a Context,
}

/// The smallest part of a statement that can be used or not: what `permission_usage` counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    pub(crate) source: String,
    pub(crate) statement: usize,
    pub(crate) action: String,
    pub(crate) resource: String,
    /// A key and one value of the statement's conditions; `None` where it has none.
    pub(crate) condition: Option<String>,
}

impl Permission {
    fn of(policy: &Policy, statement: usize, patterns: MatchedPatterns) -> Permission {
        let MatchedPatterns { action, resource, condition } = patterns;
        Permission { source: policy.source.clone(), statement, action, resource, condition }
    }
}

/// What one kind of policies says about an access.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// A statement denies it, whatever else allows it.
    pub(crate) denied: bool,
    /// A statement allows it.
    pub(crate) allowed: bool,
    /// The patterns by which statements allow it.
    pub(crate) used: Vec<Permission>,
}

impl Verdict {
    pub(crate) fn allows(&self) -> bool {
        self.allowed && !self.denied
    }
}

/// Evaluates policies attached to an identity: they hold no `Principal`.
pub(crate) fn evaluate(policies: &[Policy], access: &Access<'_>) -> Verdict {
    collect(policies, access, |statement| statement.principal.is_none())
}

/// Evaluates policies attached to a resource for those statements whose `Principal` matches as `accepts` demands.
pub(crate) fn evaluate_resource(
    policies: &[Policy],
    access: &Access<'_>,
    accepts: impl Fn(&PrincipalMatch) -> bool,
) -> Verdict {
    collect(policies, access, |statement| statement.principal.as_ref().is_some_and(&accepts))
}

fn collect(policies: &[Policy], access: &Access<'_>, applies: impl Fn(&Statement) -> bool) -> Verdict {
    let mut verdict = Verdict::default();
    for policy in policies {
        for (index, statement) in policy.statements.iter().enumerate().filter(|(_, one)| applies(one)) {
            let Some(patterns) = statement.matches(access) else { continue };
            match statement.effect {
                Effect::Deny => verdict.denied = true,
                Effect::Allow => {
                    verdict.allowed = true;
                    verdict.used.extend(patterns.into_iter().map(|one| Permission::of(policy, index, one)));
                }
            }
        }
    }
    verdict
}

/// How often each permission allowed a call.
pub(crate) type UsageCounts = BTreeMap<Permission, u64>;

#[cfg(test)]
mod tests;
