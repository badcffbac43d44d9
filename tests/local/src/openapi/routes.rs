//! The routes of the template, in its order: of each function the canonical one first.
//!
//! They are read from the text, because the order is what the document has its operations in, and because nothing else
//! of the template has to be known for it.

use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;

use super::OpenApiError;

/// A route of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// `GET`, `POST`…
    pub(super) method: String,
    /// `/media/{media_id}`…
    pub(super) path: String,
    /// The binary of the function that serves it.
    pub(super) function: String,
    /// What the template calls the event, e.g. `Canonical`.
    pub(super) event: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: IndexMap<String, Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    build_properties: Option<BuildProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BuildProperties {
    binary: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    #[serde(default)]
    events: IndexMap<String, Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(default)]
    properties: EventProperties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EventProperties {
    method: Option<String>,
    path: Option<String>,
}

/// All routes but `$default`, which is for what has none.
pub(super) fn of_template(path: &Path) -> Result<Vec<Route>, OpenApiError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| OpenApiError::Read { path: path.to_owned(), source })?;
    let template: Template =
        serde_saphyr::from_str(&text).map_err(|error| OpenApiError::Template(error.to_string()))?;
    let mut routes = Vec::new();
    for resource in template.resources.into_values() {
        let Some(BuildProperties { binary }) = resource.metadata.build_properties else { continue };
        for (event, Event { properties }) in resource.properties.events {
            if let (Some(method), Some(path)) = (properties.method, properties.path) {
                routes.push(Route { method, path, function: binary.clone(), event });
            }
        }
    }
    Ok(routes)
}
