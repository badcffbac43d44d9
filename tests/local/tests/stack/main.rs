//! The local stack from outside: templates and functions made for one test, real HTTP, real queues.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod cdn;
mod custom_resources;
mod forms;
mod gateway;
mod http;
mod mappings;
mod platform;
mod start;

use std::path::Path;

use lambda_runtime::Error;
use local::functions::Registry;
use local::{LocalStack, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A template with these resources, as JSON, which is YAML.
fn template(resources: &Value) -> Value {
    json!({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})
}

/// A function resource.
fn function(binary: &str, properties: &Value) -> Value {
    json!({
        "Type": "AWS::Serverless::Function",
        "Metadata": {"BuildProperties": {"Binary": binary}},
        "Properties": properties,
    })
}

/// An `HttpApi` event.
fn route(method: &str, path: &str) -> Value {
    json!({"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, "Method": method, "Path": path}})
}

/// Writes a template where [`Options`] can read it.
fn write(directory: &Path, template: &Value) -> std::path::PathBuf {
    let path = directory.join("template.yaml");
    std::fs::write(&path, template.to_string()).unwrap();
    path
}

/// Starts these resources with these functions.
async fn start(resources: &Value, functions: Registry) -> LocalStack {
    let directory = TempDir::new().unwrap();
    let template = write(directory.path(), &template(resources));
    LocalStack::start(Options { template, functions, ..Options::default() }).await.unwrap()
}

/// Answers with its event.
async fn echo(_: std::sync::Arc<()>, event: Value) -> Result<Value, Error> {
    Ok(json!({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": event.to_string()}))
}
