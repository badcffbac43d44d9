//! The operations: one for each route of the template.
//!
//! A route that its crate describes is as described. Any other is an alias, which replaced systems have published: it is
//! like the function's route of the same method, but passes over what it does not know. `HEAD` is like `GET`, without the
//! bodies. An operation is called by its function; an alias by that and by the name of its event in the template.

use indexmap::IndexMap;

use super::OpenApiError;
use super::conventions::TAGS;
use super::json::{Json, Object};
use super::routes::Route;

/// Says in a description that the route is an alias of another one.
const ALIAS_OF: &str = "x-alias-of";

/// The operations of the document.
#[derive(Debug, Default)]
pub(super) struct Operations(Vec<Operation>);

#[derive(Debug)]
struct Operation {
    path: String,
    method: String,
    tag: usize,
    object: Object,
}

/// What a crate says of one route.
struct Described<'a> {
    method: String,
    path: &'a str,
    operation: &'a Json,
    is_used: bool,
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
            let operation = operation(route, &mut described).ok_or_else(|| OpenApiError::NotDescribed {
                function: function.to_owned(),
                route: format!("{} {}", route.method, route.path),
            })?;
            self.0.push(operation);
        }
        match described.into_iter().find(|described| !described.is_used) {
            Some(Described { method, path, .. }) => {
                let route = format!("{method} {path}");
                Err(OpenApiError::NoRoute { function: function.to_owned(), route })
            }
            None => Ok(()),
        }
    }

    /// By path, in the order of the tags and then of the template.
    pub(super) fn into_paths(mut self) -> Object {
        self.0.sort_by_key(|operation| operation.tag);
        let mut paths: IndexMap<String, Object> = IndexMap::new();
        for Operation { path, method, object, .. } in self.0 {
            paths.entry(path).or_default().insert(method.to_lowercase(), object.into());
        }
        paths.into_iter().map(|(path, item)| (path, item.into())).collect()
    }
}

fn described(documentation: &Json) -> Vec<Described<'_>> {
    let paths = documentation.get("paths").and_then(Json::as_object).into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().map(|(method, operation)| Described {
                method: method.to_uppercase(),
                path,
                operation,
                is_used: false,
            })
        })
        .collect()
}

fn operation(route: &Route, described: &mut [Described<'_>]) -> Option<Operation> {
    let own = described.iter_mut().find(|own| own.method == route.method && own.path == route.path);
    let mut object = match own {
        Some(own) => {
            own.is_used = true;
            own.operation.as_object()?.clone()
        }
        None => alias(route, described)?,
    };
    let is_canonical = route.event == "Canonical";
    let id = if is_canonical { route.function.clone() } else { alias_id(route) };
    object.insert("operationId".to_owned(), id.into());
    let tags = object.get("tags").and_then(Json::as_array).unwrap_or_default();
    let tag = tags.first().and_then(Json::as_str).unwrap_or_default();
    let tag = TAGS.iter().position(|(name, _)| *name == tag).unwrap_or(TAGS.len());
    Some(Operation { path: route.path.clone(), method: route.method.clone(), tag, object })
}

/// `log-in-sign-in` for the event `SignIn` of `log-in`.
fn alias_id(route: &Route) -> String {
    route.event.chars().fold(route.function.clone(), |mut id, character| {
        if character.is_ascii_uppercase() {
            id.push('-');
        }
        id.push(character.to_ascii_lowercase());
        id
    })
}

/// What a route is that its crate does not describe: like the first one of its method.
fn alias(route: &Route, described: &[Described<'_>]) -> Option<Object> {
    let method = if route.method == "HEAD" { "GET" } else { &route.method };
    let original = described.iter().find(|described| described.method == method)?;
    let mut object = original.operation.as_object()?.clone();
    if route.method == "HEAD" {
        without_bodies(&mut object);
    }
    object.insert(ALIAS_OF.to_owned(), format!("{} {}", original.method, original.path).into());
    Some(object)
}

fn without_bodies(operation: &mut Object) {
    let responses = operation.get_mut("responses").and_then(Json::as_object_mut);
    for response in responses.into_iter().flat_map(Object::values_mut) {
        if let Some(response) = response.as_object_mut() {
            response.shift_remove("content");
        }
    }
}
