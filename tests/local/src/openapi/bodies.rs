//! Bodies: what happens to fields that are not known, and an example of each.
//!
//! A canonical route refuses fields that it does not know, so the schemas of what it takes are closed. An alias passes over
//! them: it has the same schemas written out, and open.

use std::collections::BTreeSet;

use super::OpenApiError;
use super::json::{Json, Object, object};
use super::schemas::{Schemas, not_null, referred};

/// Describes the bodies of operations.
#[derive(Debug)]
pub(super) struct Bodies<'a> {
    schemas: &'a mut Schemas,
    /// The schemas as they were, before they were closed.
    open: Schemas,
}

impl<'a> Bodies<'a> {
    pub(super) fn new(schemas: &'a mut Schemas) -> Self {
        let open = schemas.clone();
        Self { schemas, open }
    }

    /// Says what an operation takes.
    pub(super) fn describe_request(&mut self, operation: &mut Object, is_lenient: bool) {
        let Some(content) = operation.get_mut("requestBody").and_then(|body| body.entry("content")) else {
            return;
        };
        for (media_type, content) in content.as_object_mut().into_iter().flatten() {
            let Some(schema) = content.entry("schema") else { continue };
            not_null(schema);
            if media_type.contains("form") {
                // A form has no `null`.
                referred(schema).for_each(|name| {
                    self.schemas.without_null(&name);
                    self.open.without_null(&name);
                });
            }
            // RFC 6749, section 3.2: parameters that are not known are ignored.
            if is_lenient || media_type == "application/x-www-form-urlencoded" {
                *schema = self.open.written_out(schema);
            } else {
                self.close(schema);
            }
        }
    }

    /// Refuses unknown fields in all that a schema refers to.
    fn close(&mut self, schema: &Json) {
        for name in self.schemas.reachable(schema) {
            let schema = self.schemas.get_mut(&name).and_then(Json::as_object_mut);
            if let Some(object) = schema.filter(|object| object.contains_key("properties")) {
                object.insert("additionalProperties".to_owned(), Json::Boolean(false));
            }
        }
    }

    /// Says of what only answers are made of that what is not there is left out, or is `null`, but never both.
    pub(super) fn describe_answers(&mut self, operations: &[&Object]) {
        let reachable = |name: &str| -> BTreeSet<String> {
            let bodies = operations.iter().filter_map(|operation| operation.get(name));
            bodies.flat_map(|body| self.schemas.reachable(body)).collect()
        };
        let (asked, answered) = (reachable("requestBody"), reachable("responses"));
        answered.difference(&asked).for_each(|name| self.schemas.without_null(name));
    }

    /// Gives every body an example, made of those of its fields.
    pub(super) fn describe_examples(&self, operation: &mut Object) -> Result<(), OpenApiError> {
        let id = operation.get("operationId").and_then(Json::as_str).unwrap_or_default().to_owned();
        let bodies = operation.iter_mut().flat_map(|(name, value)| match (name.as_str(), value) {
            ("requestBody", body) => vec![body],
            ("responses", Json::Object(responses)) => responses.values_mut().collect(),
            _ => Vec::new(),
        });
        for body in bodies {
            let Some(content) = body.as_object_mut().and_then(|body| body.get_mut("content")) else {
                continue;
            };
            for (media_type, content) in content.as_object_mut().into_iter().flatten() {
                let Some(content) = content.as_object_mut() else { continue };
                let has_own = content.contains_key("example") || content.contains_key("examples");
                if has_own || !is_data(media_type) {
                    continue;
                }
                let example = content.get("schema").and_then(|schema| self.schemas.example(schema));
                let example = example.ok_or_else(|| OpenApiError::NoExample(id.clone()))?;
                content.insert("example".to_owned(), example);
            }
        }
        Ok(())
    }
}

/// Whether a body of this type is made of fields: a page or a script is its own example.
fn is_data(media_type: &str) -> bool {
    media_type.ends_with("json") || media_type.contains("form")
}

/// What API Gateway says by itself.
pub(super) fn gateway_message() -> Object {
    object! {
        "type": "object",
        "description": "What API Gateway answers by itself, before a function is asked or when none answers.",
        "required": ["message"].into_iter().collect::<Json>(),
        "properties": object! {
            "message": object! { "type": "string", "description": "What happened, in English." },
        },
    }
}
