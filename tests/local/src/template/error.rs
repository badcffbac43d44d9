//! What can be wrong with a template, always with the place: logical id and property path.

use std::path::PathBuf;

/// Why a template cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The text is not YAML, or its structure cannot be a template.
    #[error("the template is not valid YAML: {0}")]
    Yaml(String),
    /// Something at one place of the template.
    #[error("{place}: {problem}")]
    At {
        /// Logical id and path, e.g. `MediaTable.Properties.KeySchema[0]`.
        place: String,
        /// What is wrong there.
        problem: Problem,
    },
}

/// What is wrong at one place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The local stack does not know this section, property or attribute.
    #[error("{0} is not known to the local stack")]
    Unknown(String),
    /// Known, and it would change behaviour that is not imitated here.
    #[error("{0} is not supported by the local stack")]
    Unsupported(String),
    /// An intrinsic function other than those that are interpreted.
    #[error("intrinsic function {0} is not supported by the local stack")]
    UnknownIntrinsic(String),
    /// The resource type is not run here.
    #[error("resource type {0} is not supported by the local stack")]
    UnknownResourceType(String),
    /// Neither a parameter, a pseudo parameter nor a resource that exists.
    #[error("{0} refers to nothing in the template")]
    UnresolvedReference(String),
    /// The resource exists only when a condition is true, and it is false.
    #[error("{resource} does not exist, because its condition {condition} is false")]
    ConditionFalse {
        /// The resource that is referred to.
        resource: String,
        /// Its condition.
        condition: String,
    },
    /// `Conditions` has no such name.
    #[error("condition {0} is not declared")]
    UnknownCondition(String),
    /// The resource has no such attribute.
    #[error("{resource} ({resource_type}) has no attribute {attribute}")]
    UnknownAttribute {
        /// Its logical id.
        resource: String,
        /// Its type.
        resource_type: String,
        /// What was asked for.
        attribute: String,
    },
    /// A value of another shape is needed.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A required property is absent.
    #[error("{0} is required")]
    Missing(&'static str),
    /// A value that is not allowed, and why.
    #[error("{0}")]
    Invalid(String),
    /// Resources that refer to each other in a circle; CloudFormation refuses them too.
    #[error("circular dependency: {}", .0.join(" → "))]
    Circular(Vec<String>),
}

impl TemplateError {
    pub(super) fn at(place: impl Into<String>, problem: Problem) -> Self {
        Self::At { place: place.into(), problem }
    }

    pub(super) fn invalid(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::at(place, Problem::Invalid(reason.into()))
    }

    pub(super) fn expected(
        place: impl Into<String>,
        expected: &'static str,
        found: &serde_json::Value,
    ) -> Self {
        let mut found = found.to_string();
        if found.chars().count() > 60 {
            found = found.chars().take(60).chain(['…']).collect();
        }
        Self::at(place, Problem::Expected { expected, found })
    }
}
