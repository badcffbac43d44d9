//! How services refuse a request: one error type, written in each protocol's own shape.
//!
//! - S3, STS and CloudFront answer XML, S3 with `<Error>` at the top, the others with `<ErrorResponse>`.
//! - DynamoDB, SQS and Secrets Manager answer JSON with `__type`; SQS adds `x-amzn-query-error`.
//!
//! Every answer carries a request id. What the JSON services have in common about requests is here as well.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};

/// The services behind the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    CloudFront,
    S3,
    DynamoDb,
    Sqs,
    SecretsManager,
    Sts,
}

impl Service {
    /// The name in credential scopes and in recorded calls.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Service::CloudFront => "cloudfront",
            Service::S3 => "s3",
            Service::DynamoDb => "dynamodb",
            Service::Sqs => "sqs",
            Service::SecretsManager => "secretsmanager",
            Service::Sts => "sts",
        }
    }

    /// The service of a credential scope.
    pub(crate) fn from_name(name: &str) -> Option<Service> {
        [
            Service::CloudFront,
            Service::S3,
            Service::DynamoDb,
            Service::Sqs,
            Service::SecretsManager,
            Service::Sts,
        ]
        .into_iter()
        .find(|service| service.name() == name)
    }

    /// The service of an `X-Amz-Target`, and the operation in it.
    pub(crate) fn from_target(target: &str) -> Option<(Service, &str)> {
        let (prefix, operation) = target.split_once('.')?;
        let service = match prefix {
            "DynamoDB_20120810" => Service::DynamoDb,
            "AmazonSQS" => Service::Sqs,
            "secretsmanager" => Service::SecretsManager,
            _ => return None,
        };
        Some((service, operation))
    }

    /// `Content-Type` of its answers.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Service::S3 => "application/xml",
            Service::CloudFront | Service::Sts => "text/xml",
            Service::DynamoDb | Service::Sqs => "application/x-amz-json-1.0",
            Service::SecretsManager => "application/x-amz-json-1.1",
        }
    }
}

/// A request that a service refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// The service's error code, e.g. `ResourceNotFoundException`.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
    /// The code of SQS's older query protocol, where it differs.
    pub(crate) query_code: Option<&'static str>,
    /// What S3 tells besides: the names and texts of further elements of its answer.
    pub(crate) details: Vec<(&'static str, String)>,
}

impl Fault {
    /// A refusal with any status.
    pub(crate) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault { status, code: code.into(), message: message.into(), query_code: None, details: Vec::new() }
    }

    /// The same refusal with one more element in S3's answer.
    pub(crate) fn with_detail(mut self, name: &'static str, text: impl Into<String>) -> Fault {
        self.details.push((name, text.into()));
        self
    }

    /// A refusal with status 400.
    pub(crate) fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// An operation, or a part of one, that this AWS does not have. Status 400 rather than 501, so that no SDK tries
    /// again.
    pub(crate) fn not_implemented(what: &str) -> Fault {
        Fault::new(
            StatusCode::BAD_REQUEST,
            "NotImplemented",
            format!("{what} is not implemented by the local stack."),
        )
    }

    /// A failure of the local stack itself; the reason is told, because the only reader is its developer.
    pub(crate) fn internal(reason: &dyn std::error::Error) -> Fault {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", reason.to_string())
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::internal(&error)
    }
}

/// Reads the members of a JSON request.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(body: &Value) -> Result<T, Fault> {
    T::deserialize(body).map_err(|error| Fault::bad_request("SerializationException", error.to_string()))
}

/// Refuses a JSON request with other members than the known ones: what AWS knows and this one would ignore must not pass
/// silently.
pub(crate) fn refuse_unknown(operation: &str, body: &Value, known: &[&str]) -> Result<(), Fault> {
    let fields =
        body.as_object().ok_or_else(|| Fault::bad_request("SerializationException", "Not an object."))?;
    match fields.iter().find(|(name, value)| !known.contains(&name.as_str()) && !value.is_null()) {
        Some((name, _)) => Err(Fault::not_implemented(&format!("{name} of {operation}"))),
        None => Ok(()),
    }
}

/// Writes a refusal the way `service` does.
pub(crate) fn error_response(service: Service, fault: &Fault, request_id: &str) -> Response<Full<Bytes>> {
    let body = match service {
        Service::S3 => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{}\
             <RequestId>{request_id}</RequestId><HostId>local</HostId></Error>",
            escape_xml(&fault.code),
            escape_xml(&fault.message),
            details_xml(&fault.details),
        ),
        Service::CloudFront | Service::Sts => format!(
            "<ErrorResponse xmlns=\"{}\"><Error><Type>{}</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>",
            match service {
                Service::CloudFront => "http://cloudfront.amazonaws.com/doc/2020-05-31/",
                _ => "https://sts.amazonaws.com/doc/2011-06-15/",
            },
            if fault.status.is_server_error() { "Receiver" } else { "Sender" },
            escape_xml(&fault.code),
            escape_xml(&fault.message),
        ),
        Service::DynamoDb | Service::Sqs | Service::SecretsManager => {
            let message = if service == Service::SecretsManager { "Message" } else { "message" };
            let mut error =
                json!({ "__type": json_error_type(service, &fault.code), message: fault.message });
            if service == Service::DynamoDb && fault.code == "TransactionCanceledException" {
                error["CancellationReasons"] = cancellation_reasons(&fault.message);
            }
            error.to_string()
        }
    };
    let mut response = response(service, fault.status, body, request_id);
    if service == Service::Sqs {
        let fault_side = if fault.status.is_server_error() { "Receiver" } else { "Sender" };
        let code = fault.query_code.unwrap_or(&fault.code);
        if let Ok(value) = HeaderValue::from_str(&format!("{code};{fault_side}")) {
            response.headers_mut().insert("x-amzn-query-error", value);
        }
    }
    response
}

fn details_xml(details: &[(&str, String)]) -> String {
    details
        .iter()
        .fold(String::new(), |xml, (name, text)| xml + &format!("<{name}>{}</{name}>", escape_xml(text)))
}

/// One reason per item of a cancelled transaction, from the codes in brackets that end the message.
fn cancellation_reasons(message: &str) -> Value {
    let codes = message.rsplit_once('[').map_or("", |(_, codes)| codes.trim_end_matches(']'));
    codes
        .split(',')
        .map(str::trim)
        .filter(|code| !code.is_empty())
        .map(|code| match reason_message(code) {
            Some(message) => json!({ "Code": code, "Message": message }),
            None => json!({ "Code": code }),
        })
        .collect()
}

/// What the API reference of `TransactionCanceledException` says to a code.
fn reason_message(code: &str) -> Option<&'static str> {
    match code {
        "ConditionalCheckFailed" => Some("The conditional request failed."),
        "TransactionConflict" => Some("Transaction is ongoing for the item."),
        "ProvisionedThroughputExceeded" => Some(
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
             provisioning level with the UpdateTable API.",
        ),
        "ThrottlingError" => Some(
            "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your \
             table or index so please try again shortly.",
        ),
        _ => None,
    }
}

/// An answer of `service`.
pub(crate) fn response(
    service: Service,
    status: StatusCode,
    body: impl Into<Bytes>,
    request_id: &str,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(service.content_type()));
    add_request_id(headers, service, request_id);
    response
}

/// Adds the header in which `service` sends request ids.
pub(crate) fn add_request_id(headers: &mut http::HeaderMap, service: Service, request_id: &str) {
    let name = if service == Service::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(name, value);
    }
}

fn json_error_type(service: Service, code: &str) -> String {
    const COMMON: [&str; 6] = [
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    ];
    match service {
        Service::DynamoDb | Service::Sqs if COMMON.contains(&code) => {
            format!("com.amazon.coral.service#{code}")
        }
        Service::DynamoDb => format!("com.amazonaws.dynamodb.v20120810#{code}"),
        Service::Sqs => format!("com.amazonaws.sqs#{code}"),
        Service::CloudFront | Service::S3 | Service::Sts | Service::SecretsManager => code.to_owned(),
    }
}

/// Text as XML character data. Characters that XML 1.0 cannot hold are replaced.
pub(crate) fn escape_xml(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' => escaped.push(character),
            control if control < ' ' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
        escaped
    })
}
