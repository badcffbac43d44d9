//! Parameters: each with a description, and those of conditional requests where they are heeded.

use serde_json::json;

use super::json::{Json, Object, object};
use super::schemas::{Schemas, not_null};

/// Describes those of an operation. What names a value by its type is described as the type is.
pub(super) fn describe(operation: &mut Object, schemas: &Schemas) {
    let mut parameters = match operation.shift_remove("parameters") {
        Some(Json::Array(parameters)) => parameters,
        _ => Vec::new(),
    };
    for parameter in parameters.iter_mut().filter_map(Json::as_object_mut) {
        if let Some(schema) = parameter.get_mut("schema") {
            not_null(schema);
        }
        let schema = parameter.get("schema").map(|schema| schemas.resolve(schema));
        let description = schema.and_then(|schema| schema.get("description")).cloned();
        if let Some(description) = description.filter(|_| !parameter.contains_key("description")) {
            parameter.insert("description".to_owned(), description);
        }
    }
    let responses = operation.get("responses").and_then(Json::as_object);
    let answers = |status: &str| responses.is_some_and(|responses| responses.contains_key(status));
    let conditions = [("304", "If-None-Match"), ("412", "If-Match")];
    for (_, name) in conditions.into_iter().filter(|(status, _)| answers(status)) {
        parameters.push(object! { "$ref": format!("#/components/parameters/{name}") }.into());
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Json::Array(parameters));
    }
}

/// The parameters of conditional requests (RFC 9110, section 13.1).
pub(super) fn components() -> Object {
    let parameter = |name: &str, description: &str| {
        let schema = json!({"type": "string", "examples": ["\"3\""]});
        object! { "name": name, "in": "header", "description": description, "schema": schema }
    };
    object! {
        "If-Match": parameter(
            "If-Match",
            "The `ETag` of the version that is meant. If the record is not in it any more, nothing is changed, and the \
             answer is 412.",
        ),
        "If-None-Match": parameter(
            "If-None-Match",
            "The `ETag` of the version that the client has. If the record is in it still, the answer is 304, without a body.",
        ),
    }
}
