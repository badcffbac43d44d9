//! The operations: one for each route of the template.
//!
//! A route that its crate describes is as described. Any other is an alias, which a replaced system has published: it is
//! like the function's route of the same method, but passes over what it does not know. `HEAD` is like `GET`, without
//! bodies. An operation is called by its function; any but the canonical one by that and its event's name in the template.

use indexmap::IndexMap;

use super::bodies::Bodies;
use super::conventions::tag_position;
use super::json::{Json, Object};
use super::routes::Route;
use super::schemas::Schemas;
use super::{OpenApiError, parameters, responses, security};

/// Says of an operation that it is an alias of another route.
const ALIAS_OF: &str = "x-alias-of";
/// Says of an operation that it passes over fields that it does not know, although it is no alias.
const UNKNOWN_FIELDS: &str = "x-unknown-fields";

/// The operations of the document.
#[derive(Debug, Default)]
pub(super) struct Operations(Vec<Operation>);

#[derive(Debug)]
struct Operation {
    path: String,
    method: String,
    object: Object,
}

/// What a crate says of one route.
struct Described<'a> {
    method: String,
    path: &'a str,
    operation: &'a Object,
    is_used: bool,
}

impl Described<'_> {
    fn is_alias(&self) -> bool {
        self.operation.contains_key(ALIAS_OF)
    }
}

impl Operations {
    /// Takes in those of a function.
    pub(super) fn add(
        &mut self,
        function: &str,
        routes: &[Route],
        documentation: &Json,
    ) -> Result<(), OpenApiError> {
        let mut described = described(documentation);
        for route in routes {
            let object = operation(route, &mut described).ok_or_else(|| OpenApiError::NotDescribed {
                function: function.to_owned(),
                route: format!("{} {}", route.method, route.path),
            })?;
            self.0.push(Operation { path: route.path.clone(), method: route.method.clone(), object });
        }
        match described.into_iter().find(|described| !described.is_used) {
            Some(Described { method, path, .. }) => {
                let route = format!("{method} {path}");
                Err(OpenApiError::NoRoute { function: function.to_owned(), route })
            }
            None => Ok(()),
        }
    }

    /// Says in each of them what the conventions of the whole API make of it.
    pub(super) fn finish(&mut self, schemas: &mut Schemas) -> Result<(), OpenApiError> {
        let mut bodies = Bodies::new(schemas);
        for Operation { object, .. } in &mut self.0 {
            let is_lenient = object.shift_remove(UNKNOWN_FIELDS).is_some() || object.contains_key(ALIAS_OF);
            bodies.describe_request(object, is_lenient);
        }
        let objects: Vec<&Object> = self.0.iter().map(|operation| &operation.object).collect();
        bodies.describe_answers(&objects);
        for operation in &mut self.0 {
            let object = &mut operation.object;
            parameters::describe(object, schemas);
            responses::describe(object)?;
            security::describe(object);
            Bodies::new(schemas).describe_examples(object)?;
            if operation.method == "HEAD" {
                responses::remove_bodies(object);
            }
        }
        Ok(())
    }

    /// The tags that have operations.
    pub(super) fn has_tag(&self, tag: &str) -> bool {
        self.0.iter().any(|operation| tag_of(&operation.object) == tag)
    }

    /// By path, in the order of the tags, aliases last, and then of the template.
    pub(super) fn into_paths(mut self) -> Object {
        self.0.sort_by_key(|Operation { object, .. }| {
            (tag_position(tag_of(object)), object.contains_key(ALIAS_OF))
        });
        let mut paths: IndexMap<String, Object> = IndexMap::new();
        for Operation { path, method, object } in self.0 {
            paths.entry(path).or_default().insert(method.to_lowercase(), in_order(object).into());
        }
        paths.into_iter().map(|(path, item)| (path, item.into())).collect()
    }
}

fn tag_of(operation: &Object) -> &str {
    let tags = operation.get("tags").and_then(Json::as_array).unwrap_or_default();
    tags.first().and_then(Json::as_str).unwrap_or_default()
}

fn described(documentation: &Json) -> Vec<Described<'_>> {
    let paths = documentation.get("paths").and_then(Json::as_object).into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().filter_map(|(method, operation)| {
            let operation = operation.as_object()?;
            Some(Described { method: method.to_uppercase(), path, operation, is_used: false })
        })
    });
    operations.collect()
}

fn operation(route: &Route, described: &mut [Described<'_>]) -> Option<Object> {
    let own = described.iter_mut().find(|own| own.method == route.method && own.path == route.path);
    let mut object = if let Some(own) = own {
        own.is_used = true;
        own.operation.clone()
    } else {
        let method = if route.method == "HEAD" { "GET" } else { &route.method };
        let original = described.iter().find(|one| one.method == method && !one.is_alias())?;
        let mut object = original.operation.clone();
        if route.method != "HEAD" {
            object.insert(ALIAS_OF.to_owned(), format!("{} {}", original.method, original.path).into());
        }
        object
    };
    name(&mut object, route);
    Some(object)
}

/// Functions are called by a verb and a noun, which is what a summary has to say.
fn name(operation: &mut Object, route: &Route) {
    let mut text = |name: &str| match operation.shift_remove(name) {
        Some(Json::String(text)) => Some(text.replace('\n', " ")),
        _ => None,
    };
    let described: Vec<String> = [text("summary"), text("description")].into_iter().flatten().collect();
    let mut summary = in_words(&route.function);
    let mut description = described.join("\n\n");
    if let Some(alias_of) = operation.get(ALIAS_OF).and_then(Json::as_str) {
        summary.push_str(" (alias)");
        description = format!(
            "{description}\n\nAn alias of `{alias_of}` for clients of a system that this one replaces: what it does not \
             know is passed over."
        );
    } else if route.method == "HEAD" {
        summary.push_str(" (head)");
    } else if route.event != "Canonical" {
        summary = format!("{summary} ({})", in_words(&kebab(&route.event)).to_lowercase());
    }
    let id = if route.event == "Canonical" {
        route.function.clone()
    } else {
        format!("{}-{}", route.function, kebab(&route.event))
    };
    operation.insert("operationId".to_owned(), id.into());
    operation.insert("summary".to_owned(), summary.into());
    operation.insert("description".to_owned(), description.into());
}

/// `sign-in` for `SignIn`.
fn kebab(event: &str) -> String {
    event.chars().fold(String::new(), |mut words, character| {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push('-');
        }
        words.push(character.to_ascii_lowercase());
        words
    })
}

/// `Create stream URL` for `create-stream-url`.
fn in_words(name: &str) -> String {
    let words = name.split('-').enumerate().map(|(index, word)| match (index, word) {
        (_, "url" | "jwks") => word.to_uppercase(),
        (0, _) => word[..1].to_uppercase() + &word[1..],
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// As people read it: what it is, what it takes, what it answers.
fn in_order(mut operation: Object) -> Object {
    const ORDER: [&str; 9] = [
        "tags",
        "operationId",
        "summary",
        "description",
        ALIAS_OF,
        "security",
        "parameters",
        "requestBody",
        "responses",
    ];
    operation.sort_by_key(|name, _| ORDER.iter().position(|known| known == name));
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_words() {
        assert_eq!(in_words("create-stream-url"), "Create stream URL");
        assert_eq!(in_words("get-jwks"), "Get JWKS");
        assert_eq!((kebab("SignIn"), kebab("ApiV1")), ("sign-in".to_owned(), "api-v1".to_owned()));
    }
}
