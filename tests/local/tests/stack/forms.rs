//! Forms with files on their way: from the wire, as base64 in an event, to the fields and files that a function sees.

use std::path::Path;
use std::sync::{Arc, Mutex};

use api::{Answer, FormFile, Problem, Request, http_function, text};
use local::LocalStack;
use local::functions::Registry;
use local::template::read;
use serde_json::json;

use crate::http::{Reply, address, send};
use crate::{function, route, start};

/// What `POST /form` was sent, and what it takes.
struct Desk {
    max_form_bytes: usize,
    files: Arc<Mutex<Vec<FormFile>>>,
}

async fn take(desk: Arc<Desk>, request: Request) -> Result<Answer, Problem> {
    let mut fields = request.form_fields("POST /form", desk.max_form_bytes).await?;
    let title: Option<String> = fields.required("title", text);
    let file = fields.required_file("file");
    for name in ["description", "a\"b"] {
        fields.optional::<String>(name, text);
    }
    let (title, file) = fields.finish_with(title.zip(file))?;
    desk.files.lock().unwrap().push(file);
    Answer::ok(&json!({"title": title}))
}

async fn start_desk(max_form_bytes: usize) -> (LocalStack, Arc<Mutex<Vec<FormFile>>>) {
    let files = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&files);
    let functions = Registry::default().with("form", move |_| {
        let desk = Desk { max_form_bytes, files: Arc::clone(&received) };
        async move { Ok(http_function(desk, take)) }
    });
    let resources = json!({
        "Api": {"Type": "AWS::Serverless::HttpApi"},
        "Form": function("form", &json!({"Timeout": 28, "Events": {
            "Canonical": route("POST", "/form"),
            "Alias": route("POST", "/alias"),
        }})),
    });
    (start(&resources, functions).await, files)
}

/// The largest `MaxFormBytes` that a deployment can choose.
fn largest_max_form_bytes() -> usize {
    let template = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"))).unwrap();
    let largest = template["Parameters"]["MaxFormBytes"]["MaxValue"].as_u64().unwrap();
    usize::try_from(largest).unwrap()
}

const HEAD: &str = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nT\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp4\"\r\n\r\n";
const TAIL: &str = "\r\n--b--\r\n";

/// A form of this size, all of it included.
fn form(size_bytes: usize) -> Vec<u8> {
    // Every byte there is, so that nothing on the way can take it for text.
    let file = (0..=u8::MAX).cycle().take(size_bytes - HEAD.len() - TAIL.len());
    HEAD.bytes().chain(file).chain(TAIL.bytes()).collect()
}

/// Posts with as large a head as API Gateway takes, of characters that JSON escapes.
async fn post(stack: &LocalStack, body: &[u8]) -> Reply {
    let (url, request_line) = (stack.api_url(), "POST /form");
    let content_type = "multipart/form-data; boundary=b";
    let fixed = [request_line, " HTTP/1.1", &address(url).to_string(), "close", content_type];
    let fixed_bytes = fixed.iter().map(|text| text.len()).sum::<usize>() + body.len().to_string().len();
    let filler = format!("X-Filler: {}", "\"".repeat(10_240 - fixed_bytes));
    send(url, request_line, &[&format!("Content-Type: {content_type}"), &filler], body).await
}

#[tokio::test]
async fn a_browsers_form_arrives_as_it_was_sent() {
    let (stack, files) = start_desk(4096).await;
    let sent: &[u8] = include_bytes!("../../../../shared/api/tests/forms/chromium.form");
    let end = sent.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let content_type = std::str::from_utf8(&sent[..end]).unwrap();

    let reply = send(stack.api_url(), "POST /form", &[content_type], &sent[end + 4..]).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"title": "Ein \"Film\" & mehr: äöü"})));
    let file = files.lock().unwrap().pop().unwrap();
    assert_eq!((file.filename.as_str(), &file.bytes[..]), ("Zürich \"1\"%.mp4", &b"a\r\n--b\0\xff\r\nz"[..]));

    let reply = send(stack.api_url(), "POST /form", &["Content-Type: application/json"], b"{}").await;
    assert_eq!((reply.status, &reply.json()["code"]), (415, &json!("unsupported_media_type")));
    let reply = send(stack.api_url(), "POST /form", &[content_type], b"--no--").await;
    assert_eq!((reply.status, &reply.json()["code"]), (400, &json!("malformed_form")));
    stack.shut_down().await;
}

#[tokio::test]
async fn unknown_fields_are_refused_on_the_canonical_route_only() {
    let (stack, _) = start_desk(4096).await;
    let colour = "--b\r\nContent-Disposition: form-data; name=\"colour\"\r\n\r\nred\r\n".as_bytes();
    let body = [colour, &form(1024)].concat();
    let content_type = ["Content-Type: multipart/form-data; boundary=b"];
    let reply = send(stack.api_url(), "POST /form", &content_type, &body).await;
    assert_eq!((reply.status, &reply.json()["errors"][0]["pointer"]), (422, &json!("/colour")));
    let reply = send(stack.api_url(), "POST /alias", &content_type, &body).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"title": "T"})));
    stack.shut_down().await;
}

#[tokio::test]
async fn the_largest_form_that_can_be_configured_fits_into_an_event() {
    let largest = largest_max_form_bytes();
    let (stack, files) = start_desk(largest).await;

    let sent = form(largest);
    let reply = post(&stack, &sent).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let file = files.lock().unwrap().pop().unwrap();
    let sent_file = &sent[HEAD.len()..sent.len() - TAIL.len()];
    assert!(file.bytes == sent_file, "it arrives as it was sent");

    // Beyond it the function still gets the form, and says what to do.
    let reply = post(&stack, &form(largest + 1)).await;
    assert_eq!((reply.status, &reply.json()["code"]), (413, &json!("use_direct_upload")));
    assert!(reply.json()["detail"].as_str().unwrap().contains("POST /media"), "{}", reply.text());
    stack.shut_down().await;
}

#[tokio::test]
async fn what_no_event_can_hold_is_refused_by_the_gateway() {
    let (stack, _) = start_desk(usize::MAX).await;
    // Lambda's 6 MB with base64, and API Gateway's 10 MB.
    for size_bytes in [6 * 1024 * 1024 / 4 * 3, 10 * 1024 * 1024 + 1] {
        let reply = post(&stack, &form(size_bytes)).await;
        let expected = (413, r#"{"message":"Request Entity Too Large"}"#);
        assert_eq!((reply.status, reply.text()), expected, "{size_bytes}");
    }
    stack.shut_down().await;
}
