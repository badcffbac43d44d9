//! The document's schemas, compiled.
//!
//! JSON Schema lets an object have members that no schema names. Here an object has only those that are documented, or the
//! document would not say everything: before they are compiled the schemas are closed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use jsonschema::{Registry, Validator};
use serde_json::{Map, Value, json};

const URI: &str = "urn:openapi";

/// Keywords whose schemas apply to the same object as the schema that they are in.
const PARTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// The schemas of a document, by JSON pointer.
pub(super) struct Schemas {
    registry: Registry<'static>,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Schemas {
    pub(super) fn of(mut document: Value) -> Self {
        close(&mut document);
        let registry = Registry::new().add(URI, document).unwrap().prepare().unwrap();
        Self { registry, compiled: Mutex::default() }
    }

    /// What is wrong with a value, by the schema at this JSON pointer.
    pub(super) fn objection(&self, pointer: &str, value: &Value) -> Option<String> {
        let validator = self.compiled(pointer);
        let errors = validator.iter_errors(value);
        let lines: Vec<String> =
            errors.take(5).map(|error| format!("{}: {error}", error.instance_path())).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    fn compiled(&self, pointer: &str) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().unwrap();
        let compile = || {
            let reference = json!({"$ref": format!("{URI}#{}", encoded(pointer))});
            let options = jsonschema::options().with_registry(&self.registry).should_validate_formats(true);
            Arc::new(options.build(&reference).unwrap_or_else(|error| panic!("{pointer}: {error}")))
        };
        Arc::clone(compiled.entry(pointer.to_owned()).or_insert_with(compile))
    }
}

/// As a URI's fragment can have it.
fn encoded(pointer: &str) -> String {
    pointer.replace('%', "%25").replace('{', "%7B").replace('}', "%7D").replace('+', "%2B")
}

/// Closes all schemas of a document, but those that are a part of another one: of them only the whole knows all members.
fn close(document: &mut Value) {
    let mut parts = BTreeSet::new();
    note_parts(document, false, &mut parts);
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        close_schema(schema, parts.contains(&format!("#/components/schemas/{name}")));
    }
    close_schemas_in(&mut document["paths"]);
    close_schemas_in(&mut document["components"]["responses"]);
}

/// Notes the references in schemas that are parts of others.
fn note_parts(value: &Value, is_part: bool, parts: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| note_parts(item, false, parts)),
        Value::Object(members) => {
            if let (true, Some(reference)) = (is_part, members.get("$ref").and_then(Value::as_str)) {
                parts.insert(reference.to_owned());
            }
            for (name, member) in members {
                match member {
                    Value::Array(items) if PARTS.contains(&name.as_str()) => {
                        let are_parts = is_part || name == "allOf" || is_whole(members);
                        for item in items {
                            note_parts(item, are_parts, parts);
                        }
                    }
                    other => note_parts(other, false, parts),
                }
            }
        }
        _ => {}
    }
}

/// Whether a schema says itself which members there are, so that those in it are parts of it.
fn is_whole(schema: &Map<String, Value>) -> bool {
    schema.contains_key("properties") || schema.contains_key("allOf")
}

/// Closes what is under `schema`, wherever that is.
fn close_schemas_in(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(close_schemas_in),
        Value::Object(members) => {
            for (name, member) in members {
                if name == "schema" { close_schema(member, false) } else { close_schemas_in(member) }
            }
        }
        _ => {}
    }
}

fn close_schema(schema: &mut Value, is_part: bool) {
    let Some(members) = schema.as_object_mut() else { return };
    let is_whole = is_whole(members);
    for (name, member) in members.iter_mut() {
        match (name.as_str(), member) {
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                for schema in schemas.values_mut() {
                    close_schema(schema, false);
                }
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                let are_parts = is_part || is_whole;
                for schema in schemas {
                    close_schema(schema, are_parts);
                }
            }
            ("items" | "additionalProperties", schema) => close_schema(schema, false),
            ("prefixItems", Value::Array(schemas)) => {
                for schema in schemas {
                    close_schema(schema, false);
                }
            }
            _ => {}
        }
    }
    let is_open =
        ["additionalProperties", "unevaluatedProperties"].iter().all(|name| !members.contains_key(*name));
    if is_whole && is_open && !is_part {
        members.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}
