#![allow(clippy::unwrap_used, clippy::expect_used)]

use http_body_util::BodyExt;

use super::*;

async fn read(outcome: Result<Value, InvocationError>) -> (u16, http::HeaderMap, String) {
    let (parts, body) = response(outcome).into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_whole_answer() {
    let (status, headers, body) = read(Ok(json!({
        "statusCode": 201,
        "headers": {"Content-Type": "application/json", "Location": "/media/1", "X-Number": 5, "Content-Length": "999",
                    "Connection": "close"},
        "multiValueHeaders": {"x-ignored": ["1"]},
        "cookies": ["a=1; Secure", "b=2"],
        "body": "e30=",
        "isBase64Encoded": true,
    })))
    .await;

    assert_eq!((status, body.as_str()), (201, "{}"));
    assert_eq!(headers["location"], "/media/1");
    assert_eq!(headers["x-number"], "5");
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Secure", "b=2"]);
    for absent in ["x-ignored", "content-length", "connection"] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn an_answer_without_a_status_code_is_the_body() {
    let (status, headers, body) = read(Ok(json!({"message": "pong"}))).await;
    assert_eq!((status, body.as_str()), (200, r#"{"message":"pong"}"#));
    assert_eq!(headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_body_without_a_type_is_plain_text() {
    let (_, headers, body) = read(Ok(json!({"statusCode": 200, "body": "x"}))).await;
    assert_eq!(
        (headers["content-type"].to_str().unwrap(), body.as_str()),
        ("text/plain; charset=utf-8", "x")
    );
    let (_, headers, _) = read(Ok(json!({"statusCode": 204}))).await;
    assert!(!headers.contains_key("content-type"));
}

#[tokio::test]
async fn failures_and_malformed_answers_are_internal_server_errors() {
    let failure = InvocationError::Function { error_type: "Panic".to_owned(), message: "secret".to_owned() };
    let outcomes = [
        Err(failure),
        Err(InvocationError::TimedOut(Duration::from_secs(3))),
        Err(InvocationError::ResponseTooLarge(7)),
        Ok(json!({"statusCode": "many"})),
        Ok(json!({"statusCode": 99})),
        Ok(json!({"statusCode": 200, "body": {"a": 1}})),
        Ok(json!({"statusCode": 200, "body": "!", "isBase64Encoded": true})),
        Ok(json!({"statusCode": 200, "headers": {"bad name": "x"}})),
        Ok(json!({"statusCode": 200, "cookies": [1]})),
    ];
    for outcome in outcomes {
        let shown = format!("{outcome:?}");
        let (status, _, body) = read(outcome).await;
        assert_eq!((status, body.as_str()), (500, r#"{"message":"Internal Server Error"}"#), "{shown}");
    }
    let (status, _, body) = read(Err(InvocationError::RequestTooLarge(7))).await;
    assert_eq!((status, body.as_str()), (413, r#"{"message":"Request Entity Too Large"}"#));
}
