//! What is the same for the whole document: what the API is, its conventions, its groups of routes, and how one signs in.

use serde_json::json;

use super::json::{Json, Object, object};
use super::schemas::Schemas;

/// What the conventions are.
const DESCRIPTION: &str = include_str!("conventions.md");

/// The groups of routes, in the order in which a newcomer needs them.
pub(super) const TAGS: [(&str, &str); 7] = [
    ("accounts", "Signing up, logging in, and the account that is asking."),
    ("users", "Managing accounts, for admins."),
    ("media", "Media: listing, finding, reading, changing and deleting them."),
    (
        "uploads",
        "Bringing files: announcing them, sending them in one piece, in parts or in a form, and completing them.",
    ),
    ("streaming", "Playing media, and counting their views."),
    ("uppy", "The routes that Uppy's S3 plugin calls."),
    ("service", "How the service is, and what describes it."),
];

pub(super) fn info() -> Json {
    object! {
        "title": "media-platform",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "A serverless media backend: uploads straight to S3, technical metadata, streaming by signed URLs.",
        "description": DESCRIPTION.trim_end(),
        "license": object! { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    }
    .into()
}

/// The API that the document came from.
pub(super) fn servers() -> Json {
    [object! { "url": "/", "description": "The API that this document is read from." }].into_iter().collect()
}

pub(super) fn tags() -> Json {
    TAGS.iter().map(|(name, description)| object! { "name": *name, "description": *description }).collect()
}

pub(super) fn components(schemas: Schemas) -> Object {
    object! {
        "schemas": schemas.into_object(),
        "securitySchemes": security_schemes(),
    }
}

fn security_schemes() -> Json {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token of `POST /auth/login`, as `Authorization: Bearer …`. It lives 30 minutes.",
        },
        "oauth2": {
            "type": "oauth2",
            "description": "The same access token, for clients that speak OAuth 2.0's password grant.",
            "flows": {"password": {"tokenUrl": "/auth/token", "scopes": {}}},
        },
        "stream_token": {
            "type": "apiKey",
            "in": "query",
            "name": "token",
            "description": "The stream token in a `stream_url`: good for one media, and for as long as was asked.",
        },
    })
    .into()
}
