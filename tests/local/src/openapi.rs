//! The OpenAPI document, put together from what each function crate says of its handlers and from the template's routes.
//!
//! The crates describe their routes beside the code that serves them, with the types that it uses; nothing of the local
//! stack is linked into a function. The template says which routes there are: a route that no crate describes, and a
//! description without a route, are errors. What is the same for all operations is said once, in `conventions`.
//! <https://spec.openapis.org/oas/v3.1.1.html>

mod bodies;
mod conventions;
mod json;
mod operations;
mod parameters;
mod responses;
mod routes;
mod schemas;
mod security;

use std::path::{Path, PathBuf};

use serde::Serialize as _;
use serde::ser::Error as _;
use serde_json::ser::{PrettyFormatter, Serializer};

pub use self::json::{Json, Object};

use self::conventions::Conventions;
use self::json::object;
use self::operations::Operations;
use self::schemas::Schemas;
use crate::functions::documentations;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum OpenApiError {
    /// The template cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The template is not what is expected.
    #[error("the template's routes cannot be read: {0}")]
    Template(String),
    /// A crate's description cannot be written.
    #[error("a description cannot be written: {0}")]
    Description(#[from] serde_json::Error),
    /// The template has a route that is not described.
    #[error("{function} does not describe its route {route}")]
    NotDescribed {
        /// The function.
        function: String,
        /// The route.
        route: String,
    },
    /// A route is described that the template does not have.
    #[error("{function} describes {route}, which the template does not have")]
    NoRoute {
        /// The function.
        function: String,
        /// The route.
        route: String,
    },
    /// Two different schemas have the same name.
    #[error("two different schemas are called {0}")]
    SchemaTwice(String),
    /// A schema is referred to that no crate describes.
    #[error("no schema is called {0}")]
    NoSchema(String),
    /// A body has no example, because a field that it has to have has none.
    #[error("a body of {0} has no example")]
    NoExample(String),
    /// A description names a code that there is not.
    #[error("there is no code {0}")]
    UnknownCode(String),
}

/// The document for the routes of this template, as it is published.
pub fn document(template: &Path) -> Result<String, OpenApiError> {
    let (mut operations, mut schemas) = (Operations::default(), Schemas::default());
    let routes = routes::of_template(template)?;
    let mut documentations = documentations();
    for routes in routes.chunk_by(|one, other| one.function == other.function) {
        let function = routes.first().map(|route| route.function.clone()).unwrap_or_default();
        let documentation = documentations.remove(&function).unwrap_or_default();
        let documentation = Json::of(&documentation)?;
        schemas.add(&documentation)?;
        operations.add(&function, routes, &documentation)?;
    }
    if let Some((function, _)) = documentations.into_iter().next() {
        return Err(OpenApiError::NoRoute { function, route: "routes".to_owned() });
    }
    schemas.add(&Json::of(&<Conventions as utoipa::OpenApi>::openapi())?)?;
    schemas.insert("GatewayMessage", bodies::gateway_message().into());
    operations.finish(&mut schemas)?;
    let tags = conventions::tags(|tag| operations.has_tag(tag));
    let paths = Json::from(operations.into_paths());
    let schemas = schemas.that_are_used(&paths)?;
    let document = object! {
        "openapi": "3.1.1",
        "info": conventions::info(),
        "servers": conventions::servers(),
        "tags": tags,
        "paths": paths,
        "components": conventions::components(schemas),
    };
    // One space: with two the document would be larger by a third.
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(b" ");
    document.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
    Ok(String::from_utf8(text).map_err(serde_json::Error::custom)? + "\n")
}
