use std::net::TcpListener;

use api::{Environment, event_function};
use local::functions::Registry;
use local::{DataDirectory, LocalStack, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::send;
use crate::{echo, function, route, template, write};

/// Answers with the variable that it is asked for.
fn registry() -> Registry {
    Registry::default().with("echo", |_| async { Ok(event_function((), echo)) }).with(
        "variable",
        |environment: Environment| async move {
            environment.required("NAME")?;
            Ok(event_function(environment, |environment, name: String| async move {
                let name: &'static str = name.leak();
                Ok(json!(environment.optional(name)))
            }))
        },
    )
}

fn resources() -> Value {
    json!({
        "Api": {"Type": "AWS::Serverless::HttpApi"},
        "Echo": function("echo", &json!({"Events": {"Get": route("GET", "/echo")}})),
        "Variable": function("variable", &json!({"MemorySize": 256, "Environment": {"Variables": {"NAME": {"Ref": "Name"}}}})),
    })
}

fn options(directory: &TempDir) -> Options {
    let mut template = template(&resources());
    template["Parameters"] =
        json!({"Name": {"Type": "String", "Default": "default", "AllowedPattern": "[a-z]*"}});
    Options {
        template: write(directory.path(), &template),
        functions: registry(),
        data_directory: DataDirectory::Persistent(directory.path().join("data")),
        ..Options::default()
    }
}

async fn error(options: Options) -> String {
    LocalStack::start(options).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_function_gets_the_environment_of_lambda() {
    let directory = TempDir::new().unwrap();
    let stack = LocalStack::start(options(&directory)).await.unwrap();
    let variable = |name: &'static str| stack.invoke("Variable", json!(name));

    assert_eq!(variable("NAME").await.unwrap(), "default");
    assert_eq!(variable("AWS_REGION").await.unwrap(), "us-east-1");
    assert_eq!(variable("AWS_ENDPOINT_URL").await.unwrap(), stack.aws_url());
    assert_eq!(variable("AWS_LAMBDA_FUNCTION_NAME").await.unwrap(), "media-platform-Variable");
    assert_eq!(variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").await.unwrap(), "256");
    assert_ne!(variable("AWS_ACCESS_KEY_ID").await.unwrap(), "local");
    assert!(variable("AWS_SECRET_ACCESS_KEY").await.unwrap().is_string());
    let error = stack.invoke("Nothing", json!({})).await.unwrap_err().to_string();
    assert_eq!(error, "there is no function Nothing in the template");
    stack.shut_down().await;
}

#[tokio::test]
async fn parameters_and_edits_change_the_template() {
    let directory = TempDir::new().unwrap();
    let stack = LocalStack::start(Options {
        parameters: [("Name".to_owned(), "other".to_owned())].into(),
        template_edit: Some(Box::new(|tree| {
            tree["Resources"]["Echo"]["Properties"]["Events"]["Get"]["Properties"]["Path"] = json!("/moved");
        })),
        ..options(&directory)
    })
    .await
    .unwrap();
    assert_eq!(stack.invoke("Variable", json!("NAME")).await.unwrap(), "other");
    assert_eq!(send(stack.api_url(), "GET /moved", &[], b"").await.status, 200);
    stack.shut_down().await;
}

#[tokio::test]
async fn one_process_uses_a_data_directory() {
    let directory = TempDir::new().unwrap();
    let first = LocalStack::start(options(&directory)).await.unwrap();
    let message = error(options(&directory)).await;
    assert!(
        message.contains("is in use by another local stack") && message.contains("--data-dir"),
        "{message}"
    );
    first.shut_down().await;
    LocalStack::start(options(&directory)).await.unwrap().shut_down().await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_option() {
    let directory = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port();

    let message = error(Options { api_address: address, ..options(&directory) }).await;
    assert_eq!(message, format!("port {port} is taken; choose another with --port"));
    let message = error(Options { aws_address: address, ..options(&directory) }).await;
    assert_eq!(message, format!("port {port} is taken; choose another with --aws-port"));
}

#[tokio::test]
async fn what_cannot_run_is_named() {
    let directory = TempDir::new().unwrap();
    let edited = |pointer: &'static str, value: Value| Options {
        template_edit: Some(Box::new(move |tree| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            tree.pointer_mut(parent).unwrap()[key] = value;
        })),
        ..options(&directory)
    };
    let cases = [
        (
            edited("/Resources/Echo/Metadata/BuildProperties/Binary", json!("nope")),
            "Echo is implemented by nope",
        ),
        (
            edited("/Resources/Variable/Properties/Environment/Variables/NAME", json!("")),
            "Variable does not start: environment variable NAME is missing",
        ),
        (
            edited("/Resources/Echo/Properties/Events/Get/Properties/Path", json!("/echo/")),
            "API Gateway has no route that ends in /",
        ),
        (
            edited(
                "/Resources/Echo/Properties/Events/Cron",
                json!({"Type": "ScheduleV2", "Properties": {"ScheduleExpression": "cron(0 0 * * ? *)"}}),
            ),
            "cron(0 0 * * ? *) of Echo is not supported",
        ),
        (
            Options { parameters: [("Nope".to_owned(), String::new())].into(), ..options(&directory) },
            "Parameters.Nope",
        ),
        (
            Options { parameters: [("Name".to_owned(), "UPPER".to_owned())].into(), ..options(&directory) },
            "does not match",
        ),
        (Options { template: directory.path().join("none.yaml"), ..options(&directory) }, "none.yaml"),
    ];
    for (options, expected) in cases {
        let message = error(options).await;
        assert!(message.contains(expected), "{expected}: {message}");
    }
    // Nothing of a failed start is left behind.
    LocalStack::start(options(&directory)).await.unwrap().shut_down().await;
}
