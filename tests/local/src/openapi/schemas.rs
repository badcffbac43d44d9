//! The schemas that operations refer to, each once and under its name.

use std::collections::BTreeSet;

use super::OpenApiError;
use super::json::{Json, Object, object};

const PREFIX: &str = "#/components/schemas/";
/// What the name of a list begins with; the rest is the name of what it has.
const LIST: &str = "List_";

/// Schemas by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Schemas(Object);

impl Schemas {
    /// Takes those of a function's description in.
    pub(super) fn add(&mut self, documentation: &Json) -> Result<(), OpenApiError> {
        let schemas = documentation.get("components").and_then(|components| components.get("schemas"));
        for (name, schema) in schemas.and_then(Json::as_object).into_iter().flatten() {
            let mut schema = schema.clone();
            schema.each_object(&mut with_examples);
            schema.each_object(&mut with_outer_description);
            // What a list has is written out in it, and would be a type without a name to whoever generates a client.
            if let Some(item_name) = name.strip_prefix(LIST)
                && let Some(items) = items_of_list(&mut schema)
            {
                let reference = object! { "$ref": format!("{PREFIX}{item_name}") };
                self.add_one(item_name, std::mem::replace(items, reference.into()))?;
            }
            self.add_one(name, schema)?;
        }
        Ok(())
    }

    fn add_one(&mut self, name: &str, schema: Json) -> Result<(), OpenApiError> {
        if self.0.get(name).is_some_and(|present| *present != schema) {
            return Err(OpenApiError::SchemaTwice(name.to_owned()));
        }
        self.insert(name, schema);
        Ok(())
    }

    /// Takes one in.
    pub(super) fn insert(&mut self, name: &str, schema: Json) {
        self.0.insert(name.to_owned(), schema);
    }

    /// One of them, to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.0.get_mut(name)
    }

    /// What a schema refers to, or itself.
    pub(super) fn resolve<'a>(&'a self, schema: &'a Json) -> &'a Json {
        let name = reference(schema);
        name.and_then(|name| self.0.get(name)).map_or(schema, |schema| self.resolve(schema))
    }

    /// A schema with the objects that it refers to in place of their names.
    pub(super) fn written_out(&self, schema: &Json) -> Json {
        let resolved = self.resolve(schema);
        let is_object = |schema: &Json| schema.get("properties").is_some();
        match if is_object(resolved) { resolved } else { schema } {
            Json::Array(items) => Json::Array(items.iter().map(|item| self.written_out(item)).collect()),
            Json::Object(object) => {
                let written_out = object.iter().map(|(name, value)| (name.clone(), self.written_out(value)));
                Json::Object(written_out.collect())
            }
            other => other.clone(),
        }
    }

    /// An example of a schema: its own, or one made of those of its fields. Fields that have none are left out, if they may
    /// be.
    pub(super) fn example(&self, schema: &Json) -> Option<Json> {
        let schema = self.resolve(schema);
        let own = ["examples", "enum"].iter().find_map(|name| schema.get(name)?.as_array()?.first().cloned());
        if let Some(example) = own.or_else(|| schema.get("const").cloned()) {
            return Some(example);
        }
        if let Some(alternatives) = ["oneOf", "anyOf"].iter().find_map(|name| schema.get(name)?.as_array()) {
            let mut others = alternatives.iter().filter(|one| !is_null(one));
            let example = others.find_map(|one| self.example(one));
            return example.or_else(|| alternatives.iter().any(is_null).then_some(Json::Null));
        }
        if let Some(parts) = schema.get("allOf").and_then(Json::as_array) {
            let mut whole = Object::new();
            for part in parts {
                whole.extend(self.example(part)?.as_object()?.clone());
            }
            return Some(whole.into());
        }
        let types = types(schema);
        let types_but_null: Vec<&str> = types.iter().copied().filter(|name| *name != "null").collect();
        match types_but_null.as_slice() {
            ["object"] => self.example_object(schema),
            ["array"] => {
                let item = schema.get("items").and_then(|items| self.example(items));
                let may_be_empty = schema.get("minItems").is_none();
                item.map(|item| Json::Array(vec![item]))
                    .or_else(|| may_be_empty.then(|| Json::Array(Vec::new())))
            }
            _ => types.contains(&"null").then_some(Json::Null),
        }
    }

    fn example_object(&self, schema: &Json) -> Option<Json> {
        let required = schema.get("required").and_then(Json::as_array).unwrap_or_default();
        let mut example = Object::new();
        for (name, field) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
            match self.example(field) {
                Some(Json::Null) | None if !required.contains(&Json::from(name.as_str())) => {}
                Some(value) => {
                    example.insert(name.clone(), value);
                }
                None => return None,
            }
        }
        Some(example.into())
    }

    /// All that a schema refers to, directly or not.
    pub(super) fn reachable(&self, schema: &Json) -> BTreeSet<String> {
        let mut names: Vec<String> = referred(schema).collect();
        let mut reachable = BTreeSet::new();
        while let Some(name) = names.pop() {
            names.extend(
                self.0.get(&name).filter(|_| !reachable.contains(&name)).into_iter().flat_map(referred),
            );
            reachable.insert(name);
        }
        reachable
    }

    /// Takes `null` from the fields of an object that may be left out: what is not there is left out, not `null`.
    pub(super) fn without_null(&mut self, name: &str) {
        let Some(schema) = self.0.get_mut(name) else { return };
        // One that is put together has its fields in its parts, and a list those of its items.
        schema.each_object(&mut |object| {
            let required = object.get("required").and_then(Json::as_array).unwrap_or_default().to_vec();
            let properties = object.get_mut("properties").and_then(Json::as_object_mut);
            for (field, schema) in properties.into_iter().flatten() {
                if !required.contains(&Json::from(field.as_str())) {
                    not_null(schema);
                }
            }
        });
    }

    /// Those that operations refer to, and problems, which all of them answer, by name.
    pub(super) fn that_are_used(mut self, paths: &Json) -> Result<Object, OpenApiError> {
        let mut names: Vec<String> = referred(paths).collect();
        names.extend(["Problem", "GatewayMessage"].map(str::to_owned));
        let mut used = Object::new();
        while let Some(name) = names.pop() {
            if used.contains_key(&name) {
                continue;
            }
            let schema = self.0.shift_remove(&name).ok_or_else(|| OpenApiError::NoSchema(name.clone()))?;
            names.extend(referred(&schema));
            used.insert(name, schema);
        }
        used.sort_unstable_keys();
        Ok(used)
    }
}

fn items_of_list(schema: &mut Json) -> Option<&mut Json> {
    let properties = schema.as_object_mut()?.get_mut("properties")?;
    properties.as_object_mut()?.get_mut("items")?.as_object_mut()?.get_mut("items")
}

/// The name that a schema refers to.
fn reference(schema: &Json) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(PREFIX)
}

/// All names that a schema refers to.
pub(super) fn referred(schema: &Json) -> impl Iterator<Item = String> + use<> {
    let mut names = Vec::new();
    schema.clone().each_object(&mut |object| {
        let name = object.get("$ref").and_then(Json::as_str).and_then(|name| name.strip_prefix(PREFIX));
        names.extend(name.map(str::to_owned));
    });
    names.into_iter()
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// JSON Schema has `examples`; `example` was OpenAPI's own, before 3.1.
fn with_examples(schema: &mut Object) {
    let is_schema =
        schema.contains_key("type") || schema.contains_key("$ref") || schema.contains_key("oneOf");
    if let Some(example) = schema.get("example").filter(|_| is_schema).cloned() {
        schema.shift_remove("example");
        schema.insert("examples".to_owned(), Json::Array(vec![example]));
    }
}

/// What a value that may be `null` is, is said of the value, not of what it is otherwise.
fn with_outer_description(schema: &mut Object) {
    let Some(Json::Array(alternatives)) = schema.get_mut("oneOf") else { return };
    let has_null = alternatives.iter().any(is_null);
    let mut others = alternatives.iter_mut().filter(|one| !is_null(one));
    if let (true, Some(only), None) = (has_null, others.next(), others.next())
        && let Some(description) = only.as_object_mut().and_then(|only| only.shift_remove("description"))
    {
        schema.insert("description".to_owned(), description);
    }
}

fn is_null(schema: &Json) -> bool {
    schema.get("type").and_then(Json::as_str) == Some("null")
}

/// A value that may be left out, where `null` cannot be sent.
pub(super) fn not_null(schema: &mut Json) {
    let null = Json::from("null");
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Json::Array(alternatives)) = object.get_mut("oneOf") {
        alternatives.retain(|schema| schema.get("type") != Some(&null));
        if let [only] = alternatives.as_slice() {
            let mut only = only.clone();
            if let (Some(only), Some(description)) = (only.as_object_mut(), object.get("description")) {
                only.insert("description".to_owned(), description.clone());
            }
            *schema = only;
        }
    } else if let Some(Json::Array(types)) = object.get_mut("type") {
        types.retain(|name| *name != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_list_has_is_a_schema_of_its_own() {
        let user = json!({"type": "object", "properties": {"id": {"type": "string"}}});
        let list = json!({"type": "object", "properties": {"items": {"type": "array", "items": user}}});
        let documentation: Json = json!({"components": {"schemas": {"List_User": list}}}).into();
        let mut schemas = Schemas::default();
        schemas.add(&documentation).unwrap();
        assert_eq!(schemas.0.get("User"), Some(&Json::from(user)));
        let referred: Vec<String> = referred(schemas.0.get("List_User").unwrap()).collect();
        assert_eq!(referred, ["User"]);
    }
}
