//! Routes, and what API Gateway and the service routes answer by themselves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::platform::{Platform, expect, expect_problem};

crate::tests![
    ping_version_and_health_answer,
    an_unknown_route_is_a_problem,
    a_slash_at_the_end_is_redirected,
    bodies_are_bounded,
    a_browser_on_an_allowed_origin_may_call,
    every_function_has_events_and_a_folder,
    every_route_is_documented_and_has_a_request,
];

/// Of the requests of the Postman collection, those that show what answers where there is no route.
const WITHOUT_ROUTE: [&str; 2] = ["GET /media/", "GET /nowhere"];

async fn ping_version_and_health_answer(platform: &Platform) {
    let get = |path| platform.request(Method::GET, path).send();
    for path in ["/ping", "/api/v1/ping"] {
        assert_eq!(expect(get(path).await.unwrap(), StatusCode::OK).await, json!({"message": "pong"}));
    }
    let version = expect(get("/version").await.unwrap(), StatusCode::OK).await;
    assert_eq!(version, json!({"version": env!("CARGO_PKG_VERSION"), "commit": "unknown"}));
    let health = expect(get("/health").await.unwrap(), StatusCode::OK).await;
    let checks = json!({"table": "ok", "ingest_bucket": "ok", "media_bucket": "ok", "queue": "ok"});
    assert_eq!(health, json!({"status": "ok", "checks": checks}));
}

async fn an_unknown_route_is_a_problem(platform: &Platform) {
    for (method, path) in
        [(Method::GET, "/nowhere"), (Method::DELETE, "/ping"), (Method::POST, "/media/x/y/z")]
    {
        let answer = platform.request(method, path).send().await.unwrap();
        expect_problem(answer, StatusCode::NOT_FOUND, "route_unknown").await;
    }
}

async fn a_slash_at_the_end_is_redirected(platform: &Platform) {
    for (path, location) in [
        ("/media/", "/media"),
        ("/media/?limit=5&tag=a%2Fb", "/media?limit=5&tag=a%2Fb"),
        ("/auth/login/", "/auth/login"),
        ("/50%25%20%23%C3%A9%3F/?a=%3F", "/50%25%20%23%C3%A9%3F?a=%3F"),
        ("//example.com/", "/example.com"),
    ] {
        let answer = platform.request(Method::POST, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT, "{path}");
        assert_eq!(answer.headers()["location"], location);
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
}

async fn bodies_are_bounded(platform: &Platform) {
    let sign_up_with = |bytes: usize| {
        let request =
            platform.request(Method::POST, "/auth/signup").header("content-type", "application/json");
        request.body(format!(r#"{{"email": "{}"}}"#, "a".repeat(bytes))).send()
    };
    // Ours, above 1 MiB; API Gateway's own, above 10 MB, has its own shape.
    expect_problem(sign_up_with(1024 * 1024).await.unwrap(), StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
        .await;
    let answer = sign_up_with(10 * 1024 * 1024 + 1).await.unwrap();
    let body = expect(answer, StatusCode::PAYLOAD_TOO_LARGE).await;
    assert_eq!(body, json!({"message": "Request Entity Too Large"}));
}

async fn a_browser_on_an_allowed_origin_may_call(platform: &Platform) {
    let preflight = |origin: &str| {
        platform
            .request(Method::OPTIONS, "/media")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .send()
    };
    let allowed = preflight("http://localhost:5173").await.unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], "http://localhost:5173");
    assert!(
        !preflight("https://evil.example")
            .await
            .unwrap()
            .headers()
            .contains_key("access-control-allow-origin")
    );

    let answer = platform
        .request(Method::GET, "/ping")
        .header("origin", "http://localhost:5173")
        .send()
        .await
        .unwrap();
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap().to_ascii_lowercase();
    for header in ["etag", "location", "retry-after", "x-request-id"] {
        assert!(exposed.split(',').any(|name| name.trim() == header), "{header} in {exposed}");
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

async fn every_function_has_events_and_a_folder(platform: &Platform) {
    let root = repository();
    let mut declared: Vec<_> =
        platform.stack.stack().functions.values().map(|function| &function.binary).collect();
    declared.sort();
    let mut folders: Vec<_> = std::fs::read_dir(root.join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert!(declared.iter().copied().eq(&folders), "template: {declared:?}, functions/: {folders:?}");
    for folder in folders {
        assert!(root.join("events").join(&folder).is_dir(), "events/{folder} is missing");
    }
}

async fn every_route_is_documented_and_has_a_request(platform: &Platform) {
    let routes = &platform.stack.stack().routes;
    let declared: BTreeSet<String> = routes
        .iter()
        .filter_map(|route| Some(format!("{} {}", route.method.as_ref()?, route.path)))
        .collect();
    let document = read_json("functions/docs/openapi.json");
    let collection = read_json("tests/postman/collection.json");
    let mut requested = BTreeSet::new();
    requests(&collection["item"], &mut requested);
    for route in WITHOUT_ROUTE {
        assert!(requested.remove(route), "the Postman collection has no request {route}");
    }

    let mut differences = Vec::new();
    for (place, listed) in
        [("the OpenAPI document", operations(&document)), ("the Postman collection", requested)]
    {
        differences.extend(declared.difference(&listed).map(|route| format!("{route} is not in {place}")));
        differences.extend(
            listed.difference(&declared).map(|route| format!("{route} of {place} is not in template.yaml")),
        );
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));

    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let folders = collection["item"].as_array().unwrap().iter().map(|folder| &folder["name"]);
    let folders: Vec<&Value> = folders.take(tags.len()).collect();
    assert_eq!(folders, tags, "the collection's folders are the document's tags, in the same order");
}

fn read_json(path: &str) -> Value {
    let text = std::fs::read(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The method and path of each operation of an OpenAPI document.
fn operations(document: &Value) -> BTreeSet<String> {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, operations)| {
            // Beside the operations a path may have parameters, and a description.
            let methods = METHODS.into_iter().filter(|method| operations.get(method).is_some());
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

/// Adds the method and path of each request to the API in the folders of a Postman collection. What goes to a URL that
/// was signed, to S3, is none.
fn requests(items: &Value, found: &mut BTreeSet<String>) {
    for item in items.as_array().unwrap() {
        requests(item.get("item").unwrap_or(&json!([])), found);
        let url = &item["request"]["url"];
        if url["host"] == json!(["{{api_url}}"]) {
            let segments = url["path"].as_array().unwrap().iter().map(|segment| {
                let segment = segment.as_str().unwrap();
                segment.strip_prefix(':').map_or_else(|| segment.to_owned(), |name| format!("{{{name}}}"))
            });
            let path = segments.collect::<Vec<_>>().join("/");
            found.insert(format!("{} /{path}", item["request"]["method"].as_str().unwrap()));
        }
    }
}
