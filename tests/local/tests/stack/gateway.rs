use std::sync::Arc;
use std::time::Duration;

use api::event_function;
use lambda_runtime::Error;
use local::functions::Registry;
use local::{LocalStack, Options};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::http::{address, send};
use crate::{echo, function, route, start, template, write};

/// Answers what the query says.
async fn answer(_: Arc<()>, event: Value) -> Result<Value, Error> {
    match event["queryStringParameters"]["do"].as_str().unwrap_or_default() {
        "panic" => panic!("on purpose"),
        "fail" => Err("on purpose".into()),
        "hang" => std::future::pending().await,
        "large" => Ok(json!({"statusCode": 200, "body": "x".repeat(6 * 1024 * 1024)})),
        "bare" => Ok(json!({"message": "pong"})),
        "cookies" => Ok(json!({"statusCode": 204, "cookies": ["a=1", "b=2"]})),
        "binary" => Ok(
            json!({"statusCode": 200, "headers": {"content-type": "video/mp4"}, "body": "AAH/", "isBase64Encoded": true}),
        ),
        "cors" => Ok(
            json!({"statusCode": 200, "headers": {"access-control-allow-origin": "*", "x-own": "1"}, "body": ""}),
        ),
        other => Err(format!("unknown {other:?}").into()),
    }
}

fn registry() -> Registry {
    Registry::default()
        .with("echo", |_| async { Ok(event_function((), echo)) })
        .with("answer", |_| async { Ok(event_function((), answer)) })
}

fn resources() -> Value {
    let mut hasty = route("GET", "/hasty");
    hasty["Properties"]["TimeoutInMillis"] = json!(100);
    json!({
        "Api": {"Type": "AWS::Serverless::HttpApi", "Properties": {}},
        "Echo": function("echo", &json!({"Events": {
            "One": route("ANY", "/echo/{id}"),
            "Root": route("GET", "/"),
        }})),
        "Answer": function("answer", &json!({"Timeout": 1, "Events": {
            "All": route("GET", "/answer"),
            "Head": route("HEAD", "/answer"),
        }})),
        "Patient": function("answer", &json!({"Timeout": 60, "Events": {"Hasty": hasty}})),
    })
}

#[tokio::test]
async fn a_request_becomes_an_event_and_the_answer_a_response() {
    let stack = start(&resources(), registry()).await;
    let url = stack.api_url();

    let reply = send(
        url,
        "POST /echo/a%2Fb?x=1&x=2",
        &["Cookie: a=1; b=2", "Content-Type: application/json", "X-Forwarded-For: 203.0.113.9"],
        b"{\"k\":1}",
    )
    .await;

    assert_eq!(reply.status, 200);
    assert!(reply.header("apigw-requestid").is_some());
    let event = reply.json();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "ANY /echo/{id}");
    assert_eq!(event["pathParameters"]["id"], "a/b");
    assert_eq!(event["queryStringParameters"]["x"], "1,2");
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(event["body"], "{\"k\":1}");
    assert_eq!(event["headers"]["x-forwarded-for"], "203.0.113.9, 127.0.0.1");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");
    assert_eq!(event["requestContext"]["domainName"], address(url).to_string());
    assert_eq!(event["requestContext"]["accountId"], "000000000000");
    assert_eq!(event["requestContext"]["requestId"], *reply.header("apigw-requestid").unwrap());

    let root = send(url, "GET /", &[], b"").await;
    assert_eq!(root.json()["routeKey"], "GET /");
    stack.shut_down().await;
}

#[tokio::test]
async fn what_no_route_serves_is_not_found() {
    let stack = start(&resources(), registry()).await;
    for request in ["GET /nothing", "POST /answer", "GET /answer/", "GET /echo/"] {
        let reply = send(stack.api_url(), request, &[], b"").await;
        assert_eq!((reply.status, reply.text()), (404, r#"{"message":"Not Found"}"#), "{request}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    stack.shut_down().await;
}

#[tokio::test]
async fn failures_of_functions_are_internal_server_errors() {
    let stack = start(&resources(), registry()).await;
    // The function's own timeout is a second; a panic must not take anything else down.
    for what in ["panic", "fail", "large", "hang", "panic"] {
        let reply = send(stack.api_url(), &format!("GET /answer?do={what}"), &[], b"").await;
        assert_eq!((reply.status, reply.text()), (500, r#"{"message":"Internal Server Error"}"#), "{what}");
    }
    let error = stack.invoke("Answer", json!({"queryStringParameters": {"do": "hang"}})).await.unwrap_err();
    assert_eq!(error.to_string(), "Task timed out after 1.00 seconds");
    let error = stack.invoke("Answer", json!({"queryStringParameters": {"do": "panic"}})).await.unwrap_err();
    assert_eq!(error.to_json(), json!({"errorType": "Panic", "errorMessage": "on purpose"}));
    stack.shut_down().await;
}

#[tokio::test]
async fn a_slow_integration_is_service_unavailable() {
    let stack = start(&resources(), registry()).await;
    let reply = send(stack.api_url(), "GET /hasty?do=hang", &[], b"").await;
    assert_eq!((reply.status, reply.text()), (503, r#"{"message":"Service Unavailable"}"#));
    stack.shut_down().await;
}

#[tokio::test]
async fn answers_of_every_kind() {
    let stack = start(&resources(), registry()).await;
    let url = stack.api_url();
    let bare = send(url, "GET /answer?do=bare", &[], b"").await;
    assert_eq!((bare.status, bare.text()), (200, r#"{"message":"pong"}"#));
    let cookies = send(url, "GET /answer?do=cookies", &[], b"").await;
    assert_eq!(
        (cookies.status, cookies.headers["set-cookie"].as_slice()),
        (204, ["a=1".to_owned(), "b=2".to_owned()].as_slice())
    );
    let binary = send(url, "GET /answer?do=binary", &[], b"").await;
    assert_eq!(binary.body, [0, 1, 255]);
    let head = send(url, "HEAD /answer?do=binary", &[], b"").await;
    assert_eq!((head.status, head.body.len(), head.header("content-type")), (200, 0, Some("video/mp4")));
    stack.shut_down().await;
}

#[tokio::test]
async fn request_bodies_are_limited() {
    let stack = start(&resources(), registry()).await;
    let refused = |body: usize, content_type: &'static str| {
        let url = stack.api_url();
        async move { send(url, "PUT /echo/x", &[content_type], &vec![b'x'; body]).await }
    };
    // 10 MB is API Gateway's limit; 6 MB, about 4.5 MB before base64, Lambda's.
    for (size, content_type) in [
        (10 * 1024 * 1024 + 1, "Content-Type: text/plain"),
        (10 * 1024 * 1024, "Content-Type: text/plain"),
        (5 * 1024 * 1024, "Content-Type: video/mp4"),
    ] {
        let reply = refused(size, content_type).await;
        assert_eq!(
            (reply.status, reply.text()),
            (413, r#"{"message":"Request Entity Too Large"}"#),
            "{size}"
        );
    }
    let reply = refused(2 * 1024 * 1024, "Content-Type: text/plain").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["body"].as_str().unwrap().len(), 2 * 1024 * 1024);
    stack.shut_down().await;
}

#[tokio::test]
async fn request_line_and_headers_are_limited() {
    let stack = start(&resources(), registry()).await;
    let url = stack.api_url();
    let request_line = "GET /echo/x";
    let fixed = request_line.len() + " HTTP/1.1".len() + address(url).to_string().len() + "close".len();
    for (size, expected) in [(10_240, 200), (10_241, 431)] {
        let header = format!("X-Filler: {}", "x".repeat(size - fixed));
        let reply = send(url, request_line, &[&header], b"").await;
        assert_eq!(reply.status, expected, "{size}");
        if expected == 431 {
            assert_eq!(reply.text(), r#"{"message":"Request Header Fields Too Large"}"#);
        }
    }
    stack.shut_down().await;
}

#[tokio::test]
async fn cors_is_the_apis_business() {
    let mut resources = resources();
    resources["Api"]["Properties"]["CorsConfiguration"] = json!({
        "AllowOrigins": ["https://a.example"],
        "AllowMethods": ["GET"],
        "AllowHeaders": ["authorization"],
        "ExposeHeaders": ["etag"],
        "MaxAge": 60,
    });
    let stack = start(&resources, registry()).await;
    let url = stack.api_url();

    let preflight = ["Origin: https://a.example", "Access-Control-Request-Method: GET"];
    let reply = send(url, "OPTIONS /anything", &preflight, b"").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, Some("https://a.example")));
    assert_eq!(reply.header("access-control-max-age"), Some("60"));

    let other = ["Origin: https://b.example", "Access-Control-Request-Method: GET"];
    let reply = send(url, "OPTIONS /anything", &other, b"").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, None));

    let reply = send(url, "GET /answer?do=cors", &["Origin: https://a.example"], b"").await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(
        (reply.header("access-control-expose-headers"), reply.header("x-own")),
        (Some("etag"), Some("1"))
    );

    let reply = send(url, "GET /answer?do=cors", &["Origin: https://b.example"], b"").await;
    assert_eq!((reply.header("access-control-allow-origin"), reply.header("x-own")), (None, Some("1")));

    // An error of the gateway's own is readable from the page, too.
    let reply = send(url, "GET /nothing", &["Origin: https://a.example"], b"").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (404, Some("https://a.example")));
    stack.shut_down().await;
}

#[tokio::test]
async fn without_cors_a_function_says_it_itself() {
    let stack = start(&resources(), registry()).await;
    let reply = send(stack.api_url(), "GET /answer?do=cors", &["Origin: https://b.example"], b"").await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    stack.shut_down().await;
}

#[tokio::test]
async fn shutting_down_waits_for_a_running_request() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (signal_entered, wait_to_leave) = (Arc::clone(&entered), Arc::clone(&leave));
    let functions = Registry::default().with("slow", move |_| {
        let notifies = (Arc::clone(&signal_entered), Arc::clone(&wait_to_leave));
        async move {
            Ok(event_function(notifies, |notifies, _: Value| async move {
                notifies.0.notify_one();
                notifies.1.notified().await;
                Ok(json!({"done": true}))
            }))
        }
    });
    let resources = json!({
        "Api": {"Type": "AWS::Serverless::HttpApi"},
        "Slow": function("slow", &json!({"Timeout": 30, "Events": {"Get": route("GET", "/slow")}})),
    });
    let stack = start(&resources, functions).await;
    let url = stack.api_url().to_owned();

    let request = tokio::spawn(async move { send(&url, "GET /slow", &[], b"").await });
    entered.notified().await;
    let address = address(stack.api_url());
    let mut stopping = tokio::spawn(stack.shut_down());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut stopping).await.is_err());
    leave.notify_one();

    assert_eq!(request.await.unwrap().text(), r#"{"done":true}"#);
    tokio::time::timeout(Duration::from_secs(10), stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_that_is_objected_to_is_not_sent() {
    let directory = tempfile::TempDir::new().unwrap();
    let options = Options {
        template: write(directory.path(), &template(&resources())),
        functions: registry(),
        inspect: Some(Arc::new(|exchange| {
            let path = exchange.request.uri.path();
            let seen = format!("{} {path}: {:?}", exchange.route, exchange.answer.body());
            if exchange.request_body == "bad" { Err(seen) } else { Ok(()) }
        })),
        ..Options::default()
    };
    let stack = LocalStack::start(options).await.unwrap();
    let url = stack.api_url();

    let passed = send(url, "GET /answer?do=bare", &[], b"good").await;
    assert_eq!((passed.status, passed.text()), (200, r#"{"message":"pong"}"#));
    let objected = send(url, "GET /answer?do=bare", &[], b"bad").await;
    assert_eq!(objected.status, 500);
    assert_eq!(objected.text(), r#"GET /answer /answer: b"{\"message\":\"pong\"}""#);
    // Where no route is, there is nothing to hold it against.
    assert_eq!(send(url, "GET /nowhere", &[], b"bad").await.status, 404);
    stack.shut_down().await;
}
