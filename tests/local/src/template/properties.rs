//! Typed access to one mapping of the template whose keys are all accounted for: each is honoured, or known to make no
//! difference on one machine, or an error.

use serde_json::{Map, Value};

use super::error::{Problem, TemplateError};

/// A mapping with the place where it stands.
#[derive(Debug)]
pub(super) struct Properties<'a> {
    place: String,
    values: Option<&'a Map<String, Value>>,
}

impl<'a> Properties<'a> {
    /// `honoured` are read by the caller; `irrelevant` are accepted and change nothing here. Null stands for an empty
    /// mapping.
    pub(super) fn new(
        value: &'a Value,
        place: &str,
        honoured: &[&str],
        irrelevant: &[&str],
    ) -> Result<Self, TemplateError> {
        let values = match value {
            Value::Null => None,
            Value::Object(values) => Some(values),
            other => return Err(TemplateError::expected(place, "a mapping", other)),
        };
        for key in values.into_iter().flat_map(Map::keys) {
            if !honoured.contains(&key.as_str()) && !irrelevant.contains(&key.as_str()) {
                return Err(TemplateError::at(place, Problem::Unknown(key.clone())));
            }
        }
        Ok(Self { place: place.to_owned(), values })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.values?.get(name).filter(|value| !value.is_null())
    }

    /// The place of one of its entries.
    pub(super) fn place_of(&self, name: &str) -> String {
        format!("{}.{name}", self.place)
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&'a Value, TemplateError> {
        self.get(name).ok_or_else(|| TemplateError::at(&self.place, Problem::Missing(name)))
    }

    /// Numbers and booleans count as their text, as in CloudFormation.
    pub(super) fn string(&self, name: &str) -> Result<Option<String>, TemplateError> {
        self.get(name).map(|value| text(value, &self.place_of(name))).transpose()
    }

    pub(super) fn required_string(&self, name: &'static str) -> Result<String, TemplateError> {
        self.string(name)?.ok_or_else(|| TemplateError::at(&self.place, Problem::Missing(name)))
    }

    /// A number, or its text.
    pub(super) fn integer(&self, name: &str) -> Result<Option<u64>, TemplateError> {
        self.get(name).map(|value| integer(value, &self.place_of(name))).transpose()
    }

    /// A boolean, or its text.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, TemplateError> {
        self.get(name)
            .map(|value| match scalar_text(value).as_deref() {
                Some("true") => Ok(true),
                Some("false") => Ok(false),
                _ => Err(TemplateError::expected(self.place_of(name), "a boolean", value)),
            })
            .transpose()
    }

    pub(super) fn list(&self, name: &str) -> Result<&'a [Value], TemplateError> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(values)) => Ok(values),
            Some(other) => Err(TemplateError::expected(self.place_of(name), "a list", other)),
        }
    }

    pub(super) fn strings(&self, name: &str) -> Result<Vec<String>, TemplateError> {
        self.list(name)?
            .iter()
            .enumerate()
            .map(|(index, value)| text(value, &format!("{}.{name}[{index}]", self.place)))
            .collect()
    }

    /// The entries of a mapping inside.
    pub(super) fn mapping(&self, name: &str) -> Result<Vec<(&'a String, &'a Value)>, TemplateError> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Object(values)) => Ok(values.iter().collect()),
            Some(other) => Err(TemplateError::expected(self.place_of(name), "a mapping", other)),
        }
    }

    /// A mapping inside, with its own account of keys; empty when absent.
    pub(super) fn child(
        &self,
        name: &str,
        honoured: &[&str],
        irrelevant: &[&str],
    ) -> Result<Properties<'a>, TemplateError> {
        Properties::new(self.get(name).unwrap_or(&Value::Null), &self.place_of(name), honoured, irrelevant)
    }

    /// Refuses a value other than the one that is the same as leaving it out.
    pub(super) fn only(&self, name: &str, accepted: &str) -> Result<(), TemplateError> {
        match self.string(name)? {
            Some(value) if value != accepted => Err(TemplateError::at(
                self.place_of(name),
                Problem::Unsupported(format!("{name}: {value} (only {accepted})")),
            )),
            _ => Ok(()),
        }
    }
}

/// A string, number or boolean as text.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn text(value: &Value, place: &str) -> Result<String, TemplateError> {
    scalar_text(value).ok_or_else(|| TemplateError::expected(place, "a string", value))
}

pub(super) fn integer(value: &Value, place: &str) -> Result<u64, TemplateError> {
    scalar_text(value)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| TemplateError::expected(place, "a non-negative integer", value))
}
