//! The document's examples: each is what its schema says, and each request that they make is accepted.

use reqwest::header::CONTENT_TYPE;
use reqwest::multipart::Form;
use reqwest::{Body, Request};
use serde_json::{Map, Value, json};

use super::DOCUMENT;
use super::document::{escaped, resolved};
use crate::matrix::{Stage, routes};
use crate::miniatures::Image;
use crate::platform::{File, Platform};

crate::tests![every_example_is_what_its_schema_says, every_request_example_is_accepted];

/// What only the platform knows: of these fields it is sent what the matrix sends.
const KNOWN_TO_THE_PLATFORM: [&str; 4] = ["email", "username", "refresh_token", "part_numbers"];

/// Parameters whose examples nobody can send: a cursor is of one list, a token of one media, and the others are for
/// deployments that have a CDN.
const NOT_SENT: [&str; 4] = ["cursor", "token", "ip", "not_before"];

/// A JSON pointer to a schema, and an example of it.
type Example<'a> = (String, &'a Value);

async fn every_example_is_what_its_schema_says(_shared: &Platform) {
    let mut examples = Vec::new();
    find_examples(&DOCUMENT.source, "", &mut examples);
    assert!(examples.len() > 100, "{}", examples.len());
    let objections: Vec<String> = examples
        .into_iter()
        .filter_map(|(schema, example)| {
            let objection = DOCUMENT.schemas.objection(&schema, example)?;
            Some(format!("{schema}: {example}: {objection}"))
        })
        .collect();
    assert!(objections.is_empty(), "{} are not:\n{}", objections.len(), objections.join("\n"));
}

/// Those of media types, parameters and headers, which have a schema beside them, and those within schemas.
fn find_examples<'a>(value: &'a Value, place: &str, examples: &mut Vec<Example<'a>>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_examples(item, &format!("{place}/{index}"), examples);
            }
        }
        Value::Object(members) => {
            let has_schema = members.contains_key("schema");
            let schema = if has_schema { format!("{place}/schema") } else { place.to_owned() };
            examples.extend(examples_of(members).map(|example| (schema.clone(), example)));
            for (name, member) in members {
                let place = format!("{place}/{}", escaped(name));
                match (name.as_str(), member) {
                    ("example" | "examples" | "const" | "default" | "enum", _) => {}
                    // Here, the names are not keywords.
                    ("properties" | "schemas" | "paths" | "content" | "headers", Value::Object(named)) => {
                        for (name, member) in named {
                            find_examples(member, &format!("{place}/{}", escaped(name)), examples);
                        }
                    }
                    _ => find_examples(member, &place, examples),
                }
            }
        }
        _ => {}
    }
}

/// Of a schema, `examples` is a list; elsewhere each has a name.
fn examples_of(members: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let listed = members.get("examples").and_then(Value::as_array).into_iter().flatten();
    let named = members.get("examples").and_then(Value::as_object).into_iter().flatten();
    members.get("example").into_iter().chain(listed).chain(named.filter_map(|(_, named)| named.get("value")))
}

async fn every_request_example_is_accepted(_shared: &Platform) {
    let stage = Stage::set().await;
    let mut refused = Vec::new();
    for route in routes() {
        let Some((method, path)) = route.split_once(' ') else { continue };
        let operation = &DOCUMENT.source["paths"][path][method.to_lowercase()];
        let contents = operation["requestBody"]["content"].as_object();
        let bodies =
            contents.into_iter().flatten().map(|(media_type, content)| Some((media_type.as_str(), content)));
        let bodies: Vec<_> = if contents.is_some() { bodies.collect() } else { vec![None] };
        for body in bodies {
            let mut request = stage.admins_request(route).await;
            set_parameters(&mut request, operation);
            if let Some((media_type, content)) = body {
                let Some(example) = example_of(content) else {
                    refused.push(format!("{route} has no example of {media_type}"));
                    continue;
                };
                request = with_body(&stage, request, media_type, example).await;
            }
            let answer = stage.platform.http.execute(request).await.unwrap();
            let status = answer.status();
            if !status.is_success() && !status.is_redirection() {
                let media_type = body.map_or("no body", |(media_type, _)| media_type);
                refused.push(format!("{route}, {media_type}: {status}: {}", answer.text().await.unwrap()));
            }
        }
    }
    stage.platform.shut_down().await;
    assert!(refused.is_empty(), "{} are refused:\n{}", refused.len(), refused.join("\n"));
}

/// The example of a media type or a parameter, or of its schema, which may be one of a few.
fn example_of(content: &Value) -> Option<&Value> {
    let (_, schema) = resolved(&DOCUMENT.source, String::new(), &content["schema"]);
    let mut members = [content, schema].into_iter().filter_map(Value::as_object);
    members.find_map(|members| examples_of(members).next()).or_else(|| schema["enum"].get(0))
}

/// Puts the examples of parameters in queries and headers into a request.
fn set_parameters(request: &mut Request, operation: &Value) {
    request.url_mut().set_query(None);
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (_, parameter) = resolved(&DOCUMENT.source, String::new(), parameter);
        let name = parameter["name"].as_str().unwrap();
        let Some(example) = example_of(parameter).filter(|_| !NOT_SENT.contains(&name)) else { continue };
        let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        match (parameter["in"].as_str().unwrap(), name) {
            ("query", name) => drop(request.url_mut().query_pairs_mut().append_pair(name, &text)),
            ("header", "Idempotency-Key") => {
                request.headers_mut().insert("idempotency-key", text.parse().unwrap());
            }
            // Versions and tags are of one record.
            _ => {}
        }
    }
}

/// The request with an example as its body.
async fn with_body(stage: &Stage, request: Request, media_type: &str, example: &Value) -> Request {
    let mut example = example.clone();
    put_what_is_known(stage, &request, &mut example).await;
    let body = match media_type {
        "multipart/form-data" => {
            let (mut parts, url) = (request.headers().clone(), request.url().clone());
            parts.remove(CONTENT_TYPE);
            let form = form_of(example.as_object().unwrap());
            let request = stage.platform.http.request(request.method().clone(), url).headers(parts);
            return request.multipart(form).build().unwrap();
        }
        "application/x-www-form-urlencoded" => {
            let mut url = request.url().clone();
            let fields = example.as_object().unwrap().iter();
            url.query_pairs_mut()
                .clear()
                .extend_pairs(fields.map(|(name, value)| (name, value.as_str().unwrap())));
            url.query().unwrap_or_default().to_owned()
        }
        _ => example.to_string(),
    };
    let mut request = request;
    request.headers_mut().insert(CONTENT_TYPE, media_type.parse().unwrap());
    *request.body_mut() = Some(Body::from(body));
    request
}

async fn put_what_is_known(stage: &Stage, request: &Request, example: &mut Value) {
    let known = request.body().and_then(Body::as_bytes).unwrap_or_default();
    let mut known: Value = serde_json::from_slice(known).unwrap_or_default();
    known["username"] = known["email"].clone();
    for name in KNOWN_TO_THE_PLATFORM {
        if let (Some(value), true) = (known.get(name), example.get(name).is_some()) {
            example[name] = value.clone();
        }
    }
    // The parts that were sent, as S3 tags them; Uppy is told of them by other names.
    if let Some(upload) = request.url().path().strip_suffix("/complete") {
        let path = if upload.starts_with("/api/") { format!("{upload}/parts") } else { upload.to_owned() };
        let list = stage.platform.request(http::Method::GET, &path).headers(request.headers().clone());
        let list = list.send().await.unwrap().json::<Value>().await.unwrap();
        let part = list.get(0).unwrap_or(&list["parts"][0]);
        let either = |name: &str, other: &str| part.get(name).unwrap_or(&part[other]).clone();
        let part =
            json!({"part_number": either("part_number", "PartNumber"), "etag": either("etag", "ETag")});
        example["parts"] = json!([part]);
    }
}

/// A form with these fields; files are files.
fn form_of(fields: &Map<String, Value>) -> Form {
    let video = crate::forms::form_of(&File::video());
    let fields = fields.iter().filter(|(name, _)| *name != "file");
    fields.fold(video, |form, (name, value)| match value {
        _ if name == "miniature" => form.part("miniature", Image::png().part()),
        Value::String(text) => form.text(name.clone(), text.clone()),
        other => form.text(name.clone(), other.to_string()),
    })
}
