//! The one port: finds out which service a request is for, who signed it and what it needs, and hands it on.
//!
//! The service is named by the credential scope, else by `X-Amz-Target` or by a form's `Action`; everything else is S3.
//! For the JSON and query services the order is AWS's: signature, operation, permission, then the operation itself.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

use super::calls::{Answer, Attempt, Call, Outcome, Transfer};
use super::clock;
use super::identity::{Caller, CredentialError, Principal};
use super::installed::{Decision, Installed, Requirement, access_denied};
use super::protocol::{Fault, Service, add_request_id, error_response, response};
use super::signature::{Authorization, CredentialScope, Path, SignatureError, SignedRequest, sha256};
use super::sts::{self, Form};
use super::{Services, cloudfront, dynamodb, secrets_manager, sqs};
use crate::connections;

/// What an answer's body is, whatever it comes from.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, s3s::StdError>;

/// The largest body of a request to any service but S3.
const MAXIMUM_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A hook cut the connection: nothing is answered.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut by a hook")]
pub(crate) struct Cut;

/// Why a request is not answered with success.
pub(crate) enum Refusal {
    Fault(Fault),
    Cut,
}

impl<E: Into<Fault>> From<E> for Refusal {
    fn from(error: E) -> Refusal {
        Refusal::Fault(error.into())
    }
}

/// Serves the port until it is told to stop.
pub(crate) async fn serve(listener: TcpListener, services: Arc<Services>, stopped: watch::Receiver<bool>) {
    let service = |_| {
        let services = Arc::clone(&services);
        service_fn(move |request| answer(Arc::clone(&services), request))
    };
    connections::serve(listener, "AWS", stopped, service).await;
}

async fn answer(services: Arc<Services>, request: Request<Incoming>) -> Result<Response<ResponseBody>, Cut> {
    let request_id = Uuid::now_v7().simple().to_string();
    match service_of(request.method(), request.uri(), request.headers()) {
        Target::Service(Service::S3) => services.s3.answer(request, &request_id).await,
        Target::Service(service) => answer_with_body(&services, service, request, &request_id).await,
        Target::Unknown(name) => {
            let fault = Fault::not_implemented(&format!("The service {name}"));
            Ok(boxed(error_response(nearest(request.headers()), &fault, &request_id)))
        }
    }
}

enum Target {
    Service(Service),
    /// A credential scope or target of a service that is not here.
    Unknown(String),
}

/// Which service a request is for.
fn service_of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Target {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scope = text("authorization")
        .and_then(|value| value.split_once("Credential="))
        .map(|(_, rest)| rest.split(',').next().unwrap_or(rest).trim().to_owned())
        .or_else(|| sts::parse_form(uri.query().unwrap_or_default().as_bytes()).remove("X-Amz-Credential"));
    if let Some(scope) = scope.and_then(|scope| CredentialScope::parse(&scope)) {
        return Service::from_name(&scope.service).map_or(Target::Unknown(scope.service), Target::Service);
    }
    if let Some(target) = text("x-amz-target") {
        return match Service::from_target(target) {
            Some((service, _)) => Target::Service(service),
            None => Target::Unknown(target.to_owned()),
        };
    }
    let is_form =
        text("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    // A form that is posted to a bucket is S3's to refuse.
    Target::Service(if method == Method::POST && is_form && uri.path() == "/" {
        Service::Sts
    } else {
        Service::S3
    })
}

/// The service that speaks most like one that is not here: JSON to a target, XML to a form and to anything else.
fn nearest(headers: &HeaderMap) -> Service {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if headers.contains_key("x-amz-target") {
        Service::SecretsManager
    } else if is_form {
        Service::Sts
    } else {
        Service::S3
    }
}

/// A request whose whole body has been read.
struct Received {
    service: Service,
    parts: Parts,
    body: Bytes,
    operation: String,
    content: Content,
}

enum Content {
    Json(Value),
    Form(Form),
    /// Method, path and body tell everything.
    Rest,
    /// None of these; the refusal comes after the signature has been verified.
    Malformed(Fault),
}

/// What is known of a call when it ends, for the record.
struct Progress {
    principal: Principal,
    actions: Vec<(String, String)>,
    /// The code in an answer of DynamoDB's that is passed on.
    error_code: Option<String>,
    items_read: u64,
}

async fn answer_with_body(
    services: &Services,
    service: Service,
    request: Request<Incoming>,
    request_id: &str,
) -> Result<Response<ResponseBody>, Cut> {
    let (parts, body) = request.into_parts();
    let mut progress =
        Progress { principal: Principal::Anonymous, actions: Vec::new(), error_code: None, items_read: 0 };
    let mut operation = String::new();
    let mut request_bytes = 0;
    let answered = async {
        let received = receive(service, parts, body).await?;
        operation.clone_from(&received.operation);
        request_bytes = received.body.len() as u64;
        carry_out(services, &received, request_id, &mut progress).await
    }
    .await;
    let (answered, outcome) = match answered {
        Ok(response) => {
            let outcome =
                Outcome { status: response.status().as_u16(), error_code: progress.error_code.take() };
            (Ok(response), outcome)
        }
        Err(Refusal::Fault(fault)) => {
            let outcome = Outcome { status: fault.status.as_u16(), error_code: Some(fault.code.clone()) };
            (Ok(error_response(service, &fault, request_id)), outcome)
        }
        Err(Refusal::Cut) => (Err(Cut), Outcome { status: 0, error_code: None }),
    };
    let response_bytes = answered.as_ref().ok().and_then(|response| size(response.body())).unwrap_or(0);
    services.calls.record(Call {
        sequence: 0,
        service: service.name(),
        operation,
        principal: progress.principal,
        actions: progress.actions,
        outcome,
        transfer: Transfer { request_bytes, response_bytes, range: None },
        items_read: progress.items_read,
    });
    answered.map(boxed)
}

async fn receive(service: Service, parts: Parts, body: Incoming) -> Result<Received, Refusal> {
    if parts.method != Method::POST && service != Service::CloudFront {
        // So are presigned requests, which STS takes and no client of the platform makes.
        let what = format!("{} of a request to {}", parts.method, service.name());
        return Err(Fault::not_implemented(&what).into());
    }
    let body = Limited::new(body, MAXIMUM_BODY_BYTES)
        .collect()
        .await
        .map_err(|_| {
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "The body is too large.")
        })?
        .to_bytes();
    let (operation, content) = if service == Service::Sts {
        match sts::read_form(&body) {
            Ok(form) => (form.get("Action").cloned().unwrap_or_default(), Content::Form(form)),
            Err(fault) => (String::new(), Content::Malformed(fault)),
        }
    } else if service == Service::CloudFront {
        (cloudfront::operation(&parts), Content::Rest)
    } else {
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = match target.and_then(Service::from_target) {
            Some((named, operation)) if named == service => operation.to_owned(),
            _ => String::new(),
        };
        let content = match serde_json::from_slice(&body) {
            Ok(content) => Content::Json(content),
            Err(error) => Content::Malformed(Fault::bad_request("SerializationException", error.to_string())),
        };
        (operation, content)
    };
    Ok(Received { service, parts, body, operation, content })
}

async fn carry_out(
    services: &Services,
    received: &Received,
    request_id: &str,
    progress: &mut Progress,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let (service, operation) = (received.service, received.operation.as_str());
    let installed = services.current.get();
    if service == Service::Sts {
        sts::refuse_unsigned(operation)?;
    }
    let caller = authenticate(services, &installed, received)?;
    progress.principal = caller.principal.clone();
    if operation.is_empty() && service != Service::Sts {
        return Err(Fault::bad_request("UnknownOperationException", "The request names no operation.").into());
    }
    let requirements = requirements(services, &installed, received)?;
    progress.actions = actions(&requirements);
    let decision = Decision::on_all(requirements.iter().map(|requirement| match service {
        Service::Sts => installed.decide_assume_role(&caller, requirement),
        _ => installed.decide(&caller, requirement),
    }));
    match decision {
        Decision::Allowed(used) => services.calls.count(used),
        Decision::Denied(message) => return Err(access_denied(service, message).into()),
    }
    let attempt = Attempt {
        service: service.name(),
        operation: operation.to_owned(),
        principal: caller.principal.clone(),
        actions: progress.actions.clone(),
    };
    let answer = services.calls.ask(&attempt);
    let is_answer_dropped = answer == Some(Answer::DropAnswer);
    match answer {
        None | Some(Answer::DropAnswer) => {}
        Some(Answer::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Answer::Drop) => return Err(Refusal::Cut),
        Some(Answer::Error { status, code, message }) => return Err(hooked(status, code, message).into()),
    }
    if let (Service::DynamoDb, Content::Json(json)) = (service, &received.content) {
        let (headers, body) = (&received.parts.headers, received.body.clone());
        let mut passed_on = services.dynamodb.run(operation, headers, body, json).await?;
        if is_answer_dropped {
            return Err(Refusal::Cut);
        }
        progress.error_code = error_code(&passed_on);
        progress.items_read = dynamodb::items_read(operation, passed_on.body());
        add_request_id(passed_on.headers_mut(), service, request_id);
        return Ok(passed_on.map(Full::new));
    }
    let answered = run(services, &installed, &caller, received, request_id).await;
    if is_answer_dropped { Err(Refusal::Cut) } else { answered }
}

async fn run(
    services: &Services,
    installed: &Installed,
    caller: &Caller,
    received: &Received,
    request_id: &str,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let (service, operation) = (received.service, received.operation.as_str());
    let body = match (&received.content, service) {
        (Content::Rest, _) => {
            let (parts, body) = (&received.parts, &received.body);
            return Ok(cloudfront::run(&services.database, installed, parts, body, request_id)?);
        }
        (Content::Form(form), _) => {
            sts::run(&services.identities, installed, caller, operation, form, request_id)?
        }
        (Content::Json(body), Service::Sqs) => {
            sqs::run(&services.queues, installed, caller, operation, body).await?.to_string()
        }
        (Content::Json(body), _) => {
            secrets_manager::run(&services.database, installed, operation, body)?.to_string()
        }
        (Content::Malformed(fault), _) => return Err(fault.clone().into()),
    };
    Ok(response(service, StatusCode::OK, body, request_id))
}

fn requirements(
    services: &Services,
    installed: &Installed,
    received: &Received,
) -> Result<Vec<Requirement>, Fault> {
    let operation = received.operation.as_str();
    match (&received.content, received.service) {
        (Content::Form(form), _) => sts::requirements(operation, form),
        (Content::Json(body), Service::DynamoDb) => dynamodb::requirements(installed, operation, body),
        (Content::Json(body), Service::Sqs) => sqs::requirements(installed, operation, body),
        (Content::Json(body), _) => {
            secrets_manager::requirements(&services.database, installed, operation, body)
        }
        (Content::Rest, _) => cloudfront::requirements(&received.parts),
        (Content::Malformed(fault), _) => Err(fault.clone()),
    }
}

/// The actions and resources of a call, for the record.
pub(crate) fn actions(requirements: &[Requirement]) -> Vec<(String, String)> {
    requirements.iter().map(|one| (one.action.clone(), one.resource.clone())).collect()
}

/// The refusal that a hook asks for.
pub(crate) fn hooked(status: u16, code: String, message: String) -> Fault {
    Fault::new(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, message)
}

fn authenticate(services: &Services, installed: &Installed, received: &Received) -> Result<Caller, Fault> {
    let service = received.service;
    let header = |name: &str| received.parts.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = header(header::AUTHORIZATION.as_str()).ok_or_else(|| missing_token(service))?;
    let authorization =
        Authorization::parse(authorization).map_err(|error| signature_fault(service, &error))?;
    let access_key_id = &authorization.scope.access_key_id;
    let caller = services
        .identities
        .authenticate(installed, access_key_id, header("x-amz-security-token"))
        .map_err(|error| credential_fault(service, error))?;
    let request = SignedRequest {
        method: &received.parts.method,
        uri: &received.parts.uri,
        headers: &received.parts.headers,
        path: Path::Normalized,
        payload_sha256: &sha256(&received.body),
    };
    // CloudFront is global: its requests are signed for us-east-1, or, by an SDK that is given an endpoint, for any region.
    let region = installed.region().filter(|_| service != Service::CloudFront);
    request
        .verify(&authorization, &caller.secret_access_key, region, service.name(), clock::now())
        .map_err(|error| signature_fault(service, &error))?;
    Ok(caller)
}

/// The query protocol has codes of its own for what the JSON services call `…Exception`. STS and CloudFront answer with
/// them; SQS adds them for its older clients.
fn common_fault(
    service: Service,
    json_code: &str,
    query_code: &'static str,
    message: impl Into<String>,
) -> Fault {
    match service {
        Service::CloudFront | Service::Sts => Fault::new(StatusCode::FORBIDDEN, query_code, message),
        Service::Sqs => {
            let mut fault = Fault::new(StatusCode::FORBIDDEN, json_code, message);
            fault.query_code = Some(query_code);
            fault
        }
        _ => Fault::bad_request(json_code, message),
    }
}

fn missing_token(service: Service) -> Fault {
    common_fault(
        service,
        "MissingAuthenticationTokenException",
        "MissingAuthenticationToken",
        "Request is missing Authentication Token",
    )
}

fn credential_fault(service: Service, error: CredentialError) -> Fault {
    match error {
        CredentialError::UnknownKey | CredentialError::InvalidToken => common_fault(
            service,
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
        CredentialError::Expired => common_fault(
            service,
            "ExpiredTokenException",
            "ExpiredToken",
            "The security token included in the request is expired",
        ),
        CredentialError::Storage(_) => Fault::internal(&error),
    }
}

fn signature_fault(service: Service, error: &SignatureError) -> Fault {
    let message = error.to_string();
    match error {
        SignatureError::Incomplete(_) => {
            let mut fault =
                common_fault(service, "IncompleteSignatureException", "IncompleteSignature", message);
            fault.status = StatusCode::BAD_REQUEST;
            fault
        }
        SignatureError::Skewed(_) | SignatureError::Scope(_) | SignatureError::Mismatch => {
            common_fault(service, "InvalidSignatureException", "SignatureDoesNotMatch", message)
        }
    }
}

/// The error code in an answer of DynamoDB's.
fn error_code(response: &Response<Bytes>) -> Option<String> {
    if response.status().is_success() {
        return None;
    }
    let answer: Value = serde_json::from_slice(response.body()).ok()?;
    let kind = answer["__type"].as_str()?;
    Some(kind.rsplit('#').next().unwrap_or(kind).to_owned())
}

fn size(body: &Full<Bytes>) -> Option<u64> {
    hyper::body::Body::size_hint(body).exact()
}

/// A body at hand as a body of an answer.
pub(crate) fn boxed(response: Response<Full<Bytes>>) -> Response<ResponseBody> {
    response.map(|body| body.map_err(|never: Infallible| match never {}).boxed_unsync())
}
