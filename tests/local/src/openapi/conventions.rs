//! What is the same for the whole document: what the API is, its conventions, its groups of routes, and how one signs in.

use serde_json::json;

use super::json::{Json, Object, object};
use super::{parameters, responses};

/// What all routes answer, whatever they say of themselves, and what parameters name: the functions' descriptions bring
/// only what bodies are made of.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(
    api::ProblemBody,
    api::YesOrNo,
    domain::IdempotencyKey,
    domain::Ipv4Block,
    domain::MediaId,
    domain::MediaKind,
    domain::PartNumber,
    domain::Status,
    domain::Tag,
    domain::ThumbnailKey,
    domain::Timestamp,
    domain::Title,
    domain::UploadId,
    domain::UserId,
)))]
pub(super) struct Conventions;

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

/// Those that are used.
pub(super) fn tags(is_used: impl Fn(&str) -> bool) -> Json {
    let used = TAGS.iter().filter(|(name, _)| is_used(name));
    used.map(|(name, description)| object! { "name": *name, "description": *description }).collect()
}

/// Where a group comes in the order.
pub(super) fn tag_position(tag: &str) -> usize {
    TAGS.iter().position(|(name, _)| *name == tag).unwrap_or(TAGS.len())
}

pub(super) fn components(schemas: Object) -> Object {
    let (responses, headers, examples) = responses::components();
    object! {
        "securitySchemes": security_schemes(),
        "parameters": parameters::components(),
        "headers": headers,
        "responses": responses,
        "examples": examples,
        "schemas": schemas,
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
