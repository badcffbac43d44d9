#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, UNIX_EPOCH};

use http::Request;

use super::*;
use crate::gateway::router::Router;
use crate::stack::Route;

fn parts(request: http::request::Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

fn event_of(request: http::request::Builder, body: &[u8]) -> Value {
    let router = Router::new(&[Route {
        method: Some("ANY".to_owned()),
        path: "/my/{parameter1}".to_owned(),
        function: "F".to_owned(),
        timeout: Duration::from_secs(30),
    }]);
    let parts = parts(request);
    let found = router.find(parts.method.as_str(), parts.uri.path()).unwrap();
    let circumstances = Circumstances {
        account_id: "123456789012",
        api_id: "api-id",
        peer: "192.0.2.1:4711".parse().unwrap(),
        address: "127.0.0.1:3000".parse().unwrap(),
        request_id: "id",
        trace_id: "Root=1-5fff599f-6fca6ee66e37fe5e518eb45b",
        received: UNIX_EPOCH + Duration::from_millis(1_583_348_638_390),
    };
    event(&parts, body, &found, &circumstances)
}

/// The shape of the sample in AWS's documentation of payload format 2.0, for the request that it describes.
#[test]
fn the_event_has_the_documented_shape() {
    let request = Request::post("/my/value1?parameter1=value1&parameter1=value2&parameter2=value")
        .header("Host", "api.example.com:3000")
        .header("Cookie", "cookie1; cookie2")
        .header("Header1", "value1")
        .header("Header2", "value1")
        .header("Header2", "value2")
        .header("User-Agent", "agent")
        .header("Content-Type", "text/plain")
        .header("Content-Length", "16")
        .header("X-Forwarded-For", "198.51.100.7");
    assert_eq!(
        event_of(request, b"Hello from Lambda"),
        json!({
            "version": "2.0",
            "routeKey": "ANY /my/{parameter1}",
            "rawPath": "/my/value1",
            "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
            "cookies": ["cookie1", "cookie2"],
            "headers": {
                "content-length": "16",
                "content-type": "text/plain",
                "header1": "value1",
                "header2": "value1,value2",
                "host": "api.example.com:3000",
                "user-agent": "agent",
                "x-amzn-trace-id": "Root=1-5fff599f-6fca6ee66e37fe5e518eb45b",
                "x-forwarded-for": "198.51.100.7, 192.0.2.1",
                "x-forwarded-port": "3000",
                "x-forwarded-proto": "http",
            },
            "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api-id",
                "domainName": "api.example.com:3000",
                "domainPrefix": "api",
                "http": {
                    "method": "POST",
                    "path": "/my/value1",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "agent",
                },
                "requestId": "id",
                "routeKey": "ANY /my/{parameter1}",
                "stage": "$default",
                "time": "04/Mar/2020:19:03:58 +0000",
                "timeEpoch": 1_583_348_638_390_u64,
            },
            "body": "Hello from Lambda",
            "pathParameters": {"parameter1": "value1"},
            "isBase64Encoded": false,
        })
    );
}

/// The runtime's own types read it.
#[test]
fn the_event_deserializes_as_an_api_gateway_event() {
    let event = event_of(Request::get("/my/a%20b?q=%C3%A4+b").header("Host", "127.0.0.1:3000"), b"");
    let request: lambda_http::request::LambdaRequest = serde_json::from_value(event).unwrap();
    assert!(matches!(request, lambda_http::request::LambdaRequest::ApiGatewayV2(_)));
}

#[test]
fn paths_and_queries_are_decoded_where_api_gateway_decodes() {
    let event = event_of(Request::get("/my/a%2Fb%20c?q=%C3%A4+b&q=2&e"), b"");
    assert_eq!(event["rawPath"], "/my/a/b c");
    assert_eq!(event["rawQueryString"], "q=%C3%A4+b&q=2&e");
    assert_eq!(event["pathParameters"]["parameter1"], "a/b c");
    assert_eq!(event["queryStringParameters"], json!({"q": "ä b,2", "e": ""}));
    for absent in ["cookies", "body"] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn bodies_are_text_or_base64_by_content_type() {
    let cases: &[(Option<&str>, &[u8], &str, bool)] = &[
        (Some("application/json"), b"{}", "{}", false),
        (Some("application/json; charset=utf-8"), "ä".as_bytes(), "ä", false),
        (Some("TEXT/html"), b"x", "x", false),
        (Some("application/xml"), b"x", "x", false),
        (Some("application/javascript"), b"x", "x", false),
        (Some("text/plain"), b"\xff", "/w==", true),
        (Some("application/x-www-form-urlencoded"), b"a=b", "YT1i", true),
        (Some("multipart/form-data; boundary=x"), b"a", "YQ==", true),
        (Some("video/mp4"), b"\0", "AA==", true),
        (None, b"{}", "e30=", true),
    ];
    for (content_type, body, expected, is_base64_encoded) in cases {
        let mut request = Request::post("/my/x");
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", *content_type);
        }
        let event = event_of(request, body);
        assert_eq!(event["body"], *expected, "{content_type:?}");
        assert_eq!(event["isBase64Encoded"], *is_base64_encoded, "{content_type:?}");
    }
}
