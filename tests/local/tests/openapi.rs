//! The committed OpenAPI document is the one that the code makes, and says of bounds what the code holds to.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use domain::{
    ANALYTICS_DAYS, EXPIRES_IN_SECONDS, MAX_BULK_FILES, MAX_OBJECT_SIZE_BYTES, MAX_PARTS, MAX_PUT_SIZE_BYTES,
    MAX_SIGNED_PARTS, MAX_TAGS, PART_SIZE_BYTES,
};
use local::openapi::document;
use serde_json::{Value, json};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn snapshot() -> String {
    std::fs::read_to_string(repository().join("functions/docs/openapi.json")).unwrap()
}

#[test]
fn the_document_is_the_committed_one() {
    let made = document(&repository().join("template.yaml")).unwrap();
    let is_same = made == snapshot();
    assert!(is_same, "write it anew: cargo local openapi > functions/docs/openapi.json");
}

#[test]
fn a_route_that_nobody_describes_is_an_error() {
    let template = std::fs::read_to_string(repository().join("template.yaml")).unwrap();
    for (route, changed) in
        [("Path: /ping}", "Path: /pong}"), ("Method: GET, Path: /version", "Method: PUT, Path: /version")]
    {
        assert!(template.contains(route), "{route}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("template.yaml");
        std::fs::write(&path, template.replace(route, changed)).unwrap();
        let error = document(&path).unwrap_err().to_string();
        assert!(error.contains("does not describe") || error.contains("does not have"), "{error}");
    }
}

#[test]
fn bounds_are_those_of_the_code() {
    let document: Value = serde_json::from_str(&snapshot()).unwrap();
    let bounds = |pointer: &str, names: &[&str]| -> Vec<Value> {
        let schema = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
        names.iter().map(|name| schema[name].clone()).collect()
    };
    let property = |name: &str| {
        let (schema, property) = name.split_once('/').unwrap();
        format!("/components/schemas/{schema}/properties/{property}")
    };
    let range = ["minimum", "maximum"];
    let part_size = [json!(PART_SIZE_BYTES.start()), json!(PART_SIZE_BYTES.end())];
    assert_eq!(bounds(&property("FileRequest/size_bytes"), &range), [json!(1), json!(MAX_OBJECT_SIZE_BYTES)]);
    assert_eq!(bounds(&property("FileRequest/part_size_bytes"), &range), part_size);
    assert_eq!(bounds(&property("UploadedParts/part_size_bytes"), &range), part_size);
    assert_eq!(
        bounds(&property("MiniatureRequest/size_bytes"), &range),
        [json!(1), json!(MAX_PUT_SIZE_BYTES)]
    );
    assert_eq!(bounds(&property("FileRequest/tags"), &["maxItems"]), [json!(MAX_TAGS)]);
    assert_eq!(bounds(&property("Media/tags"), &["maxItems"]), [json!(MAX_TAGS)]);
    assert_eq!(
        bounds(&property("BulkRequest/files"), &["minItems", "maxItems"]),
        [json!(1), json!(MAX_BULK_FILES)]
    );
    assert_eq!(
        bounds(&property("PartNumbers/part_numbers"), &["minItems", "maxItems"]),
        [json!(1), json!(MAX_SIGNED_PARTS)]
    );
    assert_eq!(bounds(&property("UploadedParts/parts"), &["maxItems"]), [json!(MAX_PARTS)]);
    assert_eq!(
        bounds(&property("Analytics/days"), &range),
        [json!(ANALYTICS_DAYS.start()), json!(ANALYTICS_DAYS.end())]
    );
    let expires_in = [json!(EXPIRES_IN_SECONDS.start()), json!(EXPIRES_IN_SECONDS.end())];
    assert_eq!(bounds(&property("StreamUrls/expires_in"), &range), expires_in);
    assert_eq!(
        bounds(&parameter(&document, "/media/{media_id}/stream-url", "expires_in"), &range),
        expires_in
    );
    assert_eq!(
        bounds(&parameter(&document, "/media", "limit"), &range),
        [json!(1), json!(api::MAX_PAGE_ITEMS)]
    );
}

/// The pointer to a query parameter's schema.
fn parameter(document: &Value, path: &str, name: &str) -> String {
    let path = path.replace('/', "~1");
    let parameters = document.pointer(&format!("/paths/{path}/get/parameters")).unwrap();
    let index =
        parameters.as_array().unwrap().iter().position(|parameter| parameter["name"] == name).unwrap();
    format!("/paths/{path}/get/parameters/{index}/schema")
}

#[test]
fn operations_are_called_by_their_functions() {
    let document: Value = serde_json::from_str(&snapshot()).unwrap();
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let codes = operation["responses"].as_object().unwrap();
            assert!(codes.keys().any(|status| status.starts_with(['2', '3'])), "{method} {path}");
            assert!(operation["security"].is_array(), "{method} {path}");
            ids.push(id);
        }
    }
    let operations = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), operations, "two operations have the same id");
    assert!(
        ["sign-up", "log-in-token", "delete-media-s3-media"]
            .iter()
            .all(|id| ids.iter().any(|known| known == id))
    );
}
