//! Taking a JSON object or a form apart: every field is parsed into its type, and all that is wrong is told at once.
//!
//! ```
//! # use api::{Fields, UnknownFields, integer, text};
//! # use domain::Title;
//! # let object = serde_json::json!({"title": "", "size_bytes": -1, "colour": "red"});
//! let mut fields = Fields::new(object.as_object().unwrap().clone(), UnknownFields::Refused);
//! let title: Option<Title> = fields.required("title", text);
//! let size_bytes: Option<u64> = fields.required("size_bytes", |value| integer(value, 1..=100));
//! let problem = fields.finish().unwrap_err();
//! # let body = serde_json::to_value(problem.body("id")).unwrap();
//! # assert_eq!(body["errors"].as_array().unwrap().len(), 3, "{body}");
//! # assert!(title.is_none() && size_bytes.is_none());
//! ```

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use domain::{Invalid, Patch};
use serde_json::{Map, Value};

use crate::form::{FilePart, Form, FormFile};
use crate::problem::{FieldError, Problem};

/// What becomes of fields that nobody took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// Each is an error.
    Refused,
    /// They are passed over.
    Ignored,
}

/// A JSON object, or a form, being taken apart.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    files: BTreeMap<String, FilePart>,
    unknown: UnknownFields,
    errors: Vec<FieldError>,
    /// JSON pointer to the object in the body.
    pointer: String,
}

impl Fields {
    /// Of this object.
    pub fn new(object: Map<String, Value>, unknown: UnknownFields) -> Self {
        Self { object, files: BTreeMap::new(), unknown, errors: Vec::new(), pointer: String::new() }
    }

    /// Of this form: its texts, and its files.
    pub(crate) fn of_form(form: Form, unknown: UnknownFields) -> Self {
        Self { files: form.files, ..Self::new(form.texts, unknown) }
    }

    /// The object is at this JSON pointer in the body.
    #[must_use]
    pub fn at(self, pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), ..self }
    }

    /// Takes a field that has to be there. `None` is noted as an error, so that `finish` fails.
    pub fn required<T>(&mut self, name: &str, parse: impl FnOnce(&Value) -> Result<T, Invalid>) -> Option<T> {
        if self.refuse_file(name) {
            return None;
        }
        match self.object.remove(name) {
            None | Some(Value::Null) => {
                self.refuse(name, "is required");
                None
            }
            Some(value) => self.note(name, parse(&value)),
        }
    }

    /// Takes a field that may be missing or `null`.
    pub fn optional<T>(&mut self, name: &str, parse: impl FnOnce(&Value) -> Result<T, Invalid>) -> Option<T> {
        if self.refuse_file(name) {
            return None;
        }
        match self.object.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.note(name, parse(&value)),
        }
    }

    /// Takes an object that may be missing or `null`, field by field.
    pub fn nested<T>(&mut self, name: &str, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let object = match self.object.remove(name) {
            None | Some(Value::Null) => return None,
            Some(Value::Object(object)) => object,
            Some(_) => {
                self.refuse(name, "must be an object");
                return None;
            }
        };
        let mut inner = Self::new(object, self.unknown).at(self.pointer_to(name));
        let taken = take(&mut inner);
        self.errors.extend(inner.into_errors());
        taken
    }

    fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    /// Takes a file that has to be there; only a form has files. `None` is noted as an error, so that `finish` fails.
    pub fn required_file(&mut self, name: &str) -> Option<FormFile> {
        if self.refuse_text(name) {
            return None;
        }
        match self.files.remove(name) {
            None => {
                self.refuse(name, "is required");
                None
            }
            Some(file) => self.note(name, file.parse()),
        }
    }

    /// Takes a file that may be missing.
    pub fn optional_file(&mut self, name: &str) -> Option<FormFile> {
        if self.refuse_text(name) {
            return None;
        }
        let file = self.files.remove(name)?;
        self.note(name, file.parse())
    }

    /// Whether there is a file where a text belongs, which is noted.
    fn refuse_file(&mut self, name: &str) -> bool {
        let is_file = self.files.remove(name).is_some();
        if is_file {
            self.refuse(name, "must be a text, not a file");
        }
        is_file
    }

    /// Whether there is a text where a file belongs, which is noted.
    fn refuse_text(&mut self, name: &str) -> bool {
        let is_text = self.object.remove(name).is_some();
        if is_text {
            self.refuse(name, "must be a file, sent with a filename");
        }
        is_text
    }

    /// Takes a field of a merge patch (RFC 7396) that always has a value: it is replaced or left alone.
    pub fn replacement<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        match self.object.remove(name) {
            None => None,
            Some(Value::Null) => {
                self.refuse(name, "cannot be removed");
                None
            }
            Some(value) => self.note(name, parse(&value)),
        }
    }

    /// Takes a field of a merge patch (RFC 7396) that may be without a value: `null` removes it.
    pub fn patch<T>(&mut self, name: &str, parse: impl FnOnce(&Value) -> Result<T, Invalid>) -> Patch<T> {
        match self.object.remove(name) {
            None => Patch::Keep,
            Some(Value::Null) => Patch::Remove,
            Some(value) => self.note(name, parse(&value)).map_or(Patch::Keep, Patch::Set),
        }
    }

    /// What was parsed, or `None`, with the reason noted.
    fn note<T>(&mut self, name: &str, parsed: Result<T, Invalid>) -> Option<T> {
        match parsed {
            Ok(parsed) => Some(parsed),
            Err(invalid) => {
                self.refuse(name, invalid);
                None
            }
        }
    }

    /// Notes an error in a field, e.g. one that depends on several.
    pub fn refuse(&mut self, name: &str, detail: impl Display) {
        self.errors.push(FieldError { pointer: self.pointer_to(name), detail: detail.to_string() });
    }

    /// The required fields together, or all that was wrong.
    pub fn finish_with<T>(self, required: Option<T>) -> Result<T, Problem> {
        self.finish()?;
        // A required field that is not there was noted, so `finish` has failed already.
        required.ok_or_else(|| Problem::internal("a required field is missing, and was not noted"))
    }

    /// Fails with all that was wrong.
    pub fn finish(self) -> Result<(), Problem> {
        let errors = self.into_errors();
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
    }

    fn into_errors(mut self) -> Vec<FieldError> {
        if self.unknown == UnknownFields::Refused {
            let unknown: Vec<String> = self.object.keys().chain(self.files.keys()).cloned().collect();
            for name in unknown {
                self.refuse(&name, "is not a field of this request");
            }
        }
        self.errors
    }
}

/// A text, parsed.
pub fn text<T>(value: &Value) -> Result<T, Invalid>
where
    T: FromStr,
    T::Err: Display,
{
    let text = value.as_str().ok_or_else(|| Invalid::new("must be a text"))?;
    text.parse().map_err(|error: T::Err| Invalid::new(error.to_string()))
}

/// `true` or `false`.
pub fn boolean(value: &Value) -> Result<bool, Invalid> {
    value.as_bool().ok_or_else(|| Invalid::new("must be true or false"))
}

/// A whole number within bounds.
pub fn integer(value: &Value, bounds: RangeInclusive<u64>) -> Result<u64, Invalid> {
    value.as_u64().filter(|number| bounds.contains(number)).ok_or_else(|| {
        Invalid::new(format!("must be a whole number from {} to {}", bounds.start(), bounds.end()))
    })
}

/// A number of seconds within bounds, to the microsecond.
pub fn seconds(value: &Value, bounds: RangeInclusive<f64>) -> Result<f64, Invalid> {
    let invalid = || {
        let (first, last) = (bounds.start(), bounds.end());
        Invalid::new(format!("must be a number of seconds from {first} to {last}"))
    };
    value.as_f64().filter(|seconds| bounds.contains(seconds)).map(to_the_microsecond).ok_or_else(invalid)
}

/// Without what no clock tells: DynamoDB refuses to store numbers that are next to nothing.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
pub(crate) fn to_the_microsecond(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// A list of at most `max_items`, each parsed by `item`.
pub fn list<T>(
    value: &Value,
    max_items: usize,
    item: impl Fn(&Value) -> Result<T, Invalid>,
) -> Result<Vec<T>, Invalid> {
    let items = value.as_array().ok_or_else(|| Invalid::new("must be a list"))?;
    if items.len() > max_items {
        return Err(Invalid::new(format!("must have at most {max_items} items")));
    }
    let numbered = items.iter().enumerate();
    numbered
        .map(|(index, value)| item(value).map_err(|invalid| Invalid::new(format!("item {index} {invalid}"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{DisplayName, Role};
    use serde_json::json;

    fn fields(object: Value) -> Fields {
        let Value::Object(object) = object else { panic!("no object") };
        Fields::new(object, UnknownFields::Refused)
    }

    #[test]
    fn a_merge_patch_keeps_sets_or_removes() {
        let name: DisplayName = "Ada".parse().unwrap();
        for (object, patch) in [
            (json!({}), Patch::Keep),
            (json!({"name": null}), Patch::Remove),
            (json!({"name": "Ada"}), Patch::Set(name)),
        ] {
            let mut fields = fields(object);
            assert_eq!(fields.patch("name", text), patch);
            assert!(fields.finish().is_ok());
        }
        let mut fields = fields(json!({"name": 1, "role": null, "disabled": "no"}));
        assert_eq!(fields.patch::<DisplayName>("name", text), Patch::Keep);
        assert_eq!(fields.replacement::<Role>("role", text), None);
        assert_eq!(fields.replacement("disabled", boolean), None);
        assert_eq!(fields.replacement::<Role>("another", text), None);
        assert_eq!(
            fields.finish().unwrap_err().describe(),
            "/name must be a text; /role cannot be removed; /disabled must be true or false"
        );
    }

    #[test]
    fn errors_inside_an_object_point_there() {
        let Value::Object(object) = json!({"a/b": {"size_bytes": 0, "colour": "red"}, "c": 1}) else {
            panic!()
        };
        let mut fields = Fields::new(object, UnknownFields::Refused).at("/files/3");
        let nested = fields.nested("a/b", |fields| {
            fields
                .required("size_bytes", |value| integer(value, 1..=9))
                .zip(fields.required("name", text::<String>))
        });
        assert_eq!((nested, fields.nested("c", |_| Some(()))), (None, None));
        let pointers: Vec<String> = fields.into_errors().into_iter().map(|error| error.pointer).collect();
        let expected =
            ["/files/3/a~1b/size_bytes", "/files/3/a~1b/name", "/files/3/a~1b/colour", "/files/3/c"];
        assert_eq!(pointers, expected);
    }
}
