//! What happens to an S3 request before and after s3s.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use s3s::S3Error;
use s3s::dto::Range;

use super::access::{CallContext, query_value};
use super::unread::SharedBody;
use super::{S3, State, cors, post, verification};
use crate::aws::calls::{Call, Outcome, Transfer};
use crate::aws::clock;
use crate::aws::identity::{Caller, CredentialError, Principal};
use crate::aws::installed::Installed;
use crate::aws::policy::Context;
use crate::aws::protocol::{Fault, Service, add_request_id, error_response};
use crate::aws::server::{Cut, ResponseBody, boxed};
use crate::aws::signature::{ALGORITHM, Authorization, CredentialScope, parse_time};
use crate::stack::Bucket;

/// The longest validity of a presigned URL: a week.
const MAXIMUM_EXPIRES_SECONDS: i64 = 604_800;

/// A signature, in a header or in a query.
pub(super) struct Signed {
    pub(super) authorization: Authorization,
    pub(super) time: Option<String>,
    /// How long it is valid; `None` where that follows from its time.
    pub(super) expires_seconds: Option<i64>,
    session_token: Option<String>,
    context: Context,
}

/// What is still needed of a request once it is carried out.
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) path: String,
    /// Of the query only this is logged: the rest may be a signature.
    part_number: Option<String>,
}

impl Head {
    pub(super) fn of(parts: &Parts) -> Head {
        Head {
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            path: parts.uri.path().to_owned(),
            part_number: query_value(&parts.uri, "partNumber"),
        }
    }
}

impl S3 {
    /// Answers one request and records it.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        request_id: &str,
    ) -> Result<Response<ResponseBody>, Cut> {
        let installed = self.state.current.get();
        let (parts, body) = request.into_parts();
        let head = Head::of(&parts);
        let mut context = CallContext::new(None, Arc::clone(&installed), request_id, Context::default());
        let answered = if head.method == Method::OPTIONS {
            preflight(&installed, &head)
        } else {
            let body = SharedBody::new(body);
            let answered = self.pass_to_s3s(parts, body.clone(), &installed, request_id, &mut context).await;
            if !answered.as_ref().is_ok_and(|response| response.status().is_success()) {
                body.read_to_end().await;
            }
            answered
        };
        self.finish(&head, &context, answered).await
    }

    /// Completes an answer and records the call.
    pub(super) async fn finish(
        &self,
        head: &Head,
        context: &CallContext,
        answered: Result<Response<ResponseBody>, Fault>,
    ) -> Result<Response<ResponseBody>, Cut> {
        let Head { method, headers, path, part_number } = head;
        let request_id = context.request_id();
        let progress = context.progress();
        let (mut response, error_code) = match answered {
            Ok(response) => complete(response, path, request_id).await,
            Err(fault) => (boxed(error_response(Service::S3, &fault, request_id)), Some(fault.code)),
        };
        if *method != Method::OPTIONS {
            let bucket = bucket_of(context.installed(), path);
            cors::add_to_answer(bucket, method, headers, response.headers_mut());
        }
        let status = if progress.cut { 0 } else { response.status().as_u16() };
        let operation = match progress.operation {
            Some(operation) => operation.to_owned(),
            None => method.to_string(),
        };
        let part_number = part_number.as_deref().unwrap_or("-");
        tracing::debug!("S3 {method} {path} {status} {operation} {part_number}");
        self.state.calls.record(Call {
            sequence: 0,
            service: Service::S3.name(),
            operation,
            principal: context.caller().map_or(Principal::Anonymous, |caller| caller.principal.clone()),
            actions: progress.actions,
            outcome: Outcome { status, error_code: error_code.filter(|_| !progress.cut) },
            transfer: transfer(method, headers, &response),
            items_read: 0,
        });
        if progress.cut { Err(Cut) } else { Ok(response) }
    }

    async fn pass_to_s3s(
        &self,
        mut parts: Parts,
        body: SharedBody,
        installed: &Arc<Installed>,
        request_id: &str,
        context: &mut CallContext,
    ) -> Result<Response<ResponseBody>, Fault> {
        if let Some(bucket) = post::bucket_of_form(&parts) {
            return self.post_object(bucket, &parts, body, installed, request_id, context).await;
        }
        refuse_repeated_parameters(parts.uri.query().unwrap_or_default())?;
        if let Some(signed) = signature(&parts, installed.region())? {
            check_signed_headers(&parts.headers, &signed)?;
            let access_key_id = &signed.authorization.scope.access_key_id;
            let caller = self.state.identify(installed, access_key_id, signed.session_token.as_deref())?;
            verification::verify(&parts, &signed, &caller.secret_access_key, clock::now())?;
            *context = CallContext::new(Some(caller), Arc::clone(installed), request_id, signed.context);
            if !signed.authorization.signed_headers.iter().any(|name| name == "range") {
                ignore_malformed_range(&mut parts.headers);
            }
        }
        self.call_s3s(parts, s3s::Body::http_body(body), context).await
    }

    /// Lets s3s carry a request out for the caller of `context`.
    pub(super) async fn call_s3s(
        &self,
        mut parts: Parts,
        body: s3s::Body,
        context: &CallContext,
    ) -> Result<Response<ResponseBody>, Fault> {
        parts.extensions.insert(context.clone());
        let request = Request::from_parts(parts, body);
        let response = self.service.call(request).await.map_err(|error| {
            let reason: s3s::StdError = error.into();
            Fault::internal(&*reason)
        })?;
        Ok(response.map(BodyExt::boxed_unsync))
    }
}

impl State {
    /// Recognises the credentials of a request. The signature remains to be checked.
    pub(super) fn identify(
        &self,
        installed: &Installed,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Caller, Fault> {
        self.identities.authenticate(installed, access_key_id, session_token).map_err(|error| {
            let message = error.to_string();
            match error {
                CredentialError::UnknownKey => {
                    Fault::new(StatusCode::FORBIDDEN, "InvalidAccessKeyId", message)
                        .with_detail("AWSAccessKeyId", access_key_id)
                }
                CredentialError::InvalidToken => Fault::bad_request("InvalidToken", message),
                CredentialError::Expired => Fault::bad_request("ExpiredToken", message),
                CredentialError::Storage(_) => Fault::internal(&error),
            }
        })
    }
}

/// S3 ignores ranges that it does not understand, where s3s refuses them.
pub(super) fn ignore_malformed_range(headers: &mut HeaderMap) {
    let range = text(headers, "range");
    if range.is_some_and(|range| range == "bytes=-" || Range::parse(range).is_err()) {
        headers.remove(header::RANGE);
    }
}

pub(super) fn preflight(installed: &Installed, head: &Head) -> Result<Response<ResponseBody>, Fault> {
    cors::preflight(bucket_of(installed, &head.path), &head.path, &head.headers).map(boxed)
}

/// The bucket of a path-style request.
fn bucket_of<'a>(installed: &'a Installed, path: &str) -> Option<&'a Bucket> {
    installed.bucket(path.trim_start_matches('/').split('/').next()?)
}

/// A parameter that is there twice could be read one way by the permission check and another way by the operation.
fn refuse_repeated_parameters(query: &str) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or(pair);
        let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
        if seen.contains(&name) {
            let message = format!("The query parameter {name} is there more than once.");
            return Err(Fault::bad_request("InvalidArgument", message));
        }
        seen.insert(name);
    }
    Ok(())
}

/// Finds out how a request is signed; `None` where it is not.
fn signature(parts: &Parts, region: Option<&str>) -> Result<Option<Signed>, Fault> {
    let authorization = text(&parts.headers, "authorization");
    let query = |name: &str| query_value(&parts.uri, name);
    let in_query =
        ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"].iter().any(|name| query(name).is_some());
    let version_2 = query("Signature").is_some() || query("AWSAccessKeyId").is_some();
    if version_2 || authorization.is_some_and(|header| header.starts_with("AWS ")) {
        return Err(Fault::bad_request(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ));
    }
    match (authorization, in_query) {
        (Some(_), true) => Err(Fault::bad_request(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
             parameter or the Authorization header should be specified",
        )),
        (Some(header), false) if !header.starts_with(ALGORITHM) => {
            Err(Fault::bad_request("InvalidArgument", "Unsupported Authorization Type"))
        }
        (Some(header), false) => header_signature(parts, header, region).map(Some),
        (None, true) => query_signature(parts, region).map(Some),
        (None, false) => Ok(None),
    }
}

fn header_signature(parts: &Parts, header: &str, region: Option<&str>) -> Result<Signed, Fault> {
    let malformed = |message: String| Fault::bad_request("AuthorizationHeaderMalformed", message);
    let authorization = Authorization::parse(header)
        .map_err(|error| malformed(format!("The authorization header is malformed; {error}")))?;
    let wrong_region = &authorization.scope.region;
    if let Some(expected) = region.filter(|region| region != wrong_region) {
        return Err(malformed(format!(
            "The authorization header is malformed; the region '{wrong_region}' is wrong; expecting '{expected}'"
        )));
    }
    let signed_at = text(&parts.headers, "x-amz-date");
    // A time that is none is refused with the signature.
    let is_of_another_day =
        |time: &str| parse_time(time).is_some() && !is_of_scope(time, &authorization.scope);
    if signed_at.is_some_and(is_of_another_day) {
        let message = "The authorization header is malformed; Invalid credential date. Date is not the same as \
                       X-Amz-Date.";
        return Err(malformed(message.to_owned()));
    }
    Ok(Signed {
        authorization,
        time: signed_at.map(str::to_owned),
        expires_seconds: None,
        session_token: text(&parts.headers, "x-amz-security-token").map(str::to_owned),
        context: signature_context("REST-HEADER", signed_at),
    })
}

fn query_signature(parts: &Parts, region: Option<&str>) -> Result<Signed, Fault> {
    let malformed = |message: &str| Fault::bad_request("AuthorizationQueryParametersError", message);
    let required = |name: &str| {
        query_value(&parts.uri, name).ok_or_else(|| {
            malformed(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            )
        })
    };
    let (algorithm, credential, date) =
        (required("X-Amz-Algorithm")?, required("X-Amz-Credential")?, required("X-Amz-Date")?);
    let (signed_headers, expires) = (required("X-Amz-SignedHeaders")?, required("X-Amz-Expires")?);
    let signature = required("X-Amz-Signature")?;
    if algorithm != ALGORITHM {
        return Err(malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let expires_seconds = match expires.parse() {
        Ok(seconds @ 0..=MAXIMUM_EXPIRES_SECONDS) => seconds,
        Ok(_) => {
            return Err(malformed(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be \
                 less than 604800 seconds",
            ));
        }
        Err(_) => return Err(malformed("X-Amz-Expires should be a number")),
    };
    if parse_time(&date).is_none() {
        return Err(malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""));
    }
    let scope = CredentialScope::parse(&credential).ok_or_else(|| {
        malformed(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        )
    })?;
    if let Some(expected) = region.filter(|region| *region != scope.region) {
        return Err(malformed(&format!(
            "Error parsing the X-Amz-Credential parameter; the region '{}' is wrong; expecting '{expected}'",
            scope.region
        )));
    }
    if !is_of_scope(&date, &scope) {
        return Err(malformed(&format!(
            "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{date}\".",
            scope.date
        )));
    }
    let token = query_value(&parts.uri, "X-Amz-Security-Token");
    let signed_headers = signed_headers.split(';').map(str::to_owned).collect();
    Ok(Signed {
        context: signature_context("REST-QUERY-STRING", Some(&date)),
        authorization: Authorization { scope, signed_headers, signature },
        time: Some(date),
        expires_seconds: Some(expires_seconds),
        session_token: token.or_else(|| text(&parts.headers, "x-amz-security-token").map(str::to_owned)),
    })
}

/// Whether a time lies on the day that the credential is for.
fn is_of_scope(time: &str, scope: &CredentialScope) -> bool {
    time.split_once('T').is_some_and(|(date, _)| date == scope.date)
}

pub(super) fn signature_context(kind: &str, signed_at: Option<&str>) -> Context {
    let mut context = Context::default().with("s3:authType", kind).with("s3:signatureversion", ALGORITHM);
    if let Some(signed_at) = signed_at.and_then(parse_time) {
        let age_ms = clock::milliseconds(clock::now()) - clock::milliseconds(signed_at);
        context.add("s3:signatureAge", age_ms.max(0).to_string());
    }
    context
}

/// `Host` and every `x-amz-` header must be signed: what is not could have been added by anybody.
fn check_signed_headers(headers: &HeaderMap, signed: &Signed) -> Result<(), Fault> {
    let is_signed = |name: &str| signed.authorization.signed_headers.iter().any(|one| one == name);
    if !is_signed("host") {
        return Err(Fault::new(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    let unsigned =
        headers.keys().find(|name| name.as_str().starts_with("x-amz-") && !is_signed(name.as_str()));
    if let Some(name) = unsigned {
        return Err(Fault::new(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            format!("There were headers present in the request which were not signed: {name}"),
        ));
    }
    // s3s leaves a signed header that is missing, or there twice, out of what it verifies.
    if signed
        .authorization
        .signed_headers
        .iter()
        .any(|name| headers.get_all(name.as_str()).iter().count() != 1)
    {
        return Err(Fault::new(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method.",
        ));
    }
    Ok(())
}

/// Gives an answer its ids, and an error the rest of its body.
async fn complete(
    response: Response<ResponseBody>,
    path: &str,
    request_id: &str,
) -> (Response<ResponseBody>, Option<String>) {
    let (mut parts, body) = response.into_parts();
    add_request_id(&mut parts.headers, Service::S3, request_id);
    parts.headers.insert("x-amz-id-2", HeaderValue::from_static("local"));
    // s3s answers a HEAD for a range as one for the whole.
    if parts.status == StatusCode::OK && parts.headers.contains_key(header::CONTENT_RANGE) {
        parts.status = StatusCode::PARTIAL_CONTENT;
    }
    if parts.status == StatusCode::NOT_MODIFIED {
        parts.headers.remove(header::CONTENT_TYPE);
        return (boxed(Response::from_parts(parts, Full::default())), Some("NotModified".to_owned()));
    }
    if !(parts.status.is_client_error() || parts.status.is_server_error()) {
        return (Response::from_parts(parts, body), None);
    }
    let written = match body.collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(_) => String::new(),
    };
    let code = element(&written, "Code").unwrap_or_else(|| "InternalError".to_owned());
    let message = element(&written, "Message").unwrap_or_else(|| default_message(&code).to_owned());
    let escaped = crate::aws::protocol::escape_xml;
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
         <Resource>{}</Resource><RequestId>{request_id}</RequestId><HostId>local</HostId></Error>",
        escaped(&code),
        escaped(&message),
        escaped(path),
    );
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    (boxed(Response::from_parts(parts, Full::new(Bytes::from(body)))), Some(code))
}

/// The text of an element that holds nothing else.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character)))
}

fn default_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "BadDigest" => {
            "The Content-MD5 or checksum value that you specified did not match what the server received."
        }
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "InvalidArgument" => "Invalid Argument",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidDigest" => "The Content-MD5 you specified was invalid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "NoSuchKey" => "The specified key does not exist.",
        "NoSuchVersion" => "The specified version does not exist.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method."
        }
        _ => "We encountered an internal error. Please try again.",
    }
}

fn transfer(method: &Method, request: &HeaderMap, response: &Response<ResponseBody>) -> Transfer {
    let length = |headers: &HeaderMap, name: &str| text(headers, name).and_then(|length| length.parse().ok());
    let response_bytes = match length(response.headers(), "content-length") {
        _ if method == Method::HEAD => 0,
        Some(length) => length,
        None => response.body().size_hint().exact().unwrap_or(0),
    };
    Transfer {
        request_bytes: length(request, "x-amz-decoded-content-length")
            .or_else(|| length(request, "content-length"))
            .unwrap_or(0),
        response_bytes,
        range: text(request, "range").map(str::to_owned),
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An operation's error as a refusal, for what does not go through s3s.
impl From<S3Error> for Fault {
    fn from(error: S3Error) -> Fault {
        let status = error.status_code().or_else(|| error.code().status_code());
        let code = error.code().as_str();
        let message = error.message().map_or_else(|| default_message(code).to_owned(), str::to_owned);
        Fault::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, message)
    }
}
