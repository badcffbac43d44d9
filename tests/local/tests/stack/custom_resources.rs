use std::path::Path;
use std::sync::{Arc, Mutex};

use api::{Environment, event_function};
use lambda_runtime::Error;
use local::functions::Registry;
use local::{DataDirectory, LocalStack, Options, StartError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{send, send_as_is};
use crate::{function, template, write};

#[derive(Default)]
struct Provider {
    requests: Mutex<Vec<Value>>,
    /// How the ResponseURL answered.
    statuses: Mutex<Vec<u16>>,
}

/// One provider for all starts.
struct Shared(Arc<Provider>);

/// Answers as the property `Behave` says.
async fn provide(provider: Arc<Shared>, event: Value) -> Result<Value, Error> {
    let provider = &provider.0;
    provider.requests.lock().unwrap().push(event.clone());
    let behave = event["ResourceProperties"]["Behave"].as_str().unwrap().to_owned();
    let count = provider.requests.lock().unwrap().len();
    let mut answer = json!({
        "Status": "SUCCESS",
        "PhysicalResourceId": "thing-1",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Value": format!("value {count}"), "Number": 7},
    });
    match behave.as_str() {
        "fail" => {
            answer["Status"] = json!("FAILED");
            answer["Reason"] = json!("out of luck");
        }
        "replace" => answer["PhysicalResourceId"] = json!("thing-2"),
        "anonymous" => answer["PhysicalResourceId"] = json!(""),
        "stranger" => answer["RequestId"] = json!("another"),
        "nested" => answer["Data"] = json!({"List": [1]}),
        "large" => answer["Data"] = json!({"Value": "x".repeat(4096)}),
        "silent" => return Ok(json!(null)),
        "error" => return Err("broken".into()),
        _ => {}
    }
    let url = event["ResponseURL"].as_str().unwrap();
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (url, request_line, body) = (format!("http://{host}"), format!("PUT /{path}"), answer.to_string());
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let reply = match behave.as_str() {
        "typed" => send(&url, &request_line, &["Content-Type: application/json"], body.as_bytes()).await,
        "chunked" => {
            send_as_is(&url, &request_line, &["Transfer-Encoding: chunked"], chunked.as_bytes()).await
        }
        _ => send(&url, &request_line, &["Content-Type:"], body.as_bytes()).await,
    };
    provider.statuses.lock().unwrap().push(reply.status);
    Ok(json!(null))
}

struct Bench {
    directory: TempDir,
    provider: Arc<Provider>,
}

impl Bench {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), provider: Arc::default() }
    }

    async fn start(&self, behave: &str) -> Result<LocalStack, StartError> {
        let provider = Arc::clone(&self.provider);
        let functions = Registry::default()
            .with("provide", move |_| {
                let provider = Shared(Arc::clone(&provider));
                async move { Ok(event_function(provider, provide)) }
            })
            .with("read", |environment: Environment| async move {
                let value = environment.required("VALUE")?.to_owned();
                Ok(event_function(value, |value, _: Value| async move { Ok(json!(*value)) }))
            });
        let resources = json!({
            "Thing": {
                "Type": "Custom::Thing",
                "Properties": {"ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]}, "Behave": behave, "Count": 3},
            },
            "Provider": function("provide", &json!({"Timeout": 10})),
            "Reader": function("read", &json!({"Environment": {"Variables": {
                "VALUE": {"Fn::Sub": "${Thing}: ${Thing.Value}, ${Thing.Number}"},
            }}})),
        });
        LocalStack::start(Options {
            template: write(self.directory.path(), &template(&resources)),
            functions,
            data_directory: DataDirectory::Persistent(self.directory.path().join("data")),
            ..Options::default()
        })
        .await
    }

    async fn value(&self, behave: &str) -> Value {
        let stack = self.start(behave).await.unwrap();
        let value = stack.invoke("Reader", json!({})).await.unwrap();
        stack.shut_down().await;
        value
    }

    async fn error(&self, behave: &str) -> String {
        self.start(behave).await.unwrap_err().to_string()
    }

    fn requests(&self) -> Vec<Value> {
        self.provider.requests.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn created_once_kept_over_restarts_updated_when_changed() {
    let bench = Bench::new();

    assert_eq!(bench.value("well").await, "thing-1: value 1, 7");
    assert_eq!(bench.value("well").await, "thing-1: value 1, 7");
    assert_eq!(bench.requests().len(), 1);
    assert_eq!(bench.value("better").await, "thing-1: value 2, 7");

    let [create, update] = &bench.requests()[..] else { panic!("{:?}", bench.requests()) };
    assert_eq!(create["RequestType"], "Create");
    assert_eq!(create["ResourceType"], "Custom::Thing");
    assert_eq!(create["LogicalResourceId"], "Thing");
    assert_eq!(create["ResourceProperties"]["Count"], "3");
    assert_eq!(
        create["ResourceProperties"]["ServiceToken"],
        "arn:aws:lambda:us-east-1:000000000000:function:media-platform-Provider"
    );
    assert!(create.get("PhysicalResourceId").is_none());
    assert_eq!(update["RequestType"], "Update");
    assert_eq!(update["PhysicalResourceId"], "thing-1");
    assert_eq!(update["ResourceProperties"]["Behave"], "better");
    assert_eq!(update["OldResourceProperties"]["Behave"], "well");
}

#[tokio::test]
async fn a_failure_stops_the_start_and_is_tried_again_at_the_next() {
    let bench = Bench::new();
    assert_eq!(bench.error("fail").await, "Thing (Custom::Thing) failed: out of luck");
    assert_eq!(bench.value("well").await, "thing-1: value 2, 7");
    assert_eq!(bench.requests()[1]["RequestType"], "Create");
}

#[tokio::test]
async fn answers_that_cloudformation_would_not_take() {
    let bench = Bench::new();
    for (behave, message) in [
        ("anonymous", "PhysicalResourceId is missing"),
        ("stranger", "must be those of the request"),
        ("nested", "Data.List"),
        ("error", "its function Provider failed: Error: broken"),
        ("silent", "sent no answer to the ResponseURL"),
        ("large", "sent no answer to the ResponseURL"),
        ("typed", "sent no answer to the ResponseURL"),
        ("chunked", "sent no answer to the ResponseURL"),
    ] {
        let error = bench.error(behave).await;
        assert!(error.starts_with("Thing") && error.contains(message), "{behave}: {error}");
    }
    bench.value("well").await;
    // `silent` and `error` sent nothing.
    assert_eq!(*bench.provider.statuses.lock().unwrap(), [200, 200, 200, 413, 403, 411, 200]);
}

#[tokio::test]
async fn what_an_update_replaces_is_deleted_afterwards() {
    let bench = Bench::new();
    bench.value("well").await;
    assert_eq!(bench.value("replace").await, "thing-2: value 2, 7");
    assert_eq!(bench.value("replace").await, "thing-2: value 2, 7");

    let [_, update, delete] = &bench.requests()[..] else { panic!("{:?}", bench.requests()) };
    assert_eq!(
        (&update["RequestType"], &update["PhysicalResourceId"]),
        (&json!("Update"), &json!("thing-1"))
    );
    assert_eq!(
        (&delete["RequestType"], &delete["PhysicalResourceId"]),
        (&json!("Delete"), &json!("thing-1"))
    );
    assert_eq!(delete["ResourceProperties"]["Behave"], "well");
    assert!(delete.get("OldResourceProperties").is_none());
}

#[tokio::test]
async fn what_was_provisioned_must_be_readable() {
    let bench = Bench::new();
    let data: &Path = &bench.directory.path().join("data");
    std::fs::create_dir_all(data).unwrap();
    std::fs::write(data.join("custom-resources.json"), "{").unwrap();
    let error = bench.error("well").await;
    assert!(error.contains("custom-resources.json"), "{error}");
}
