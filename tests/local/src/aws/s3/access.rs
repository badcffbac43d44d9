//! Permissions of S3 requests, and the secrets with which s3s verifies signatures.
//!
//! Only the operations listed here pass; any other is refused by name. The IAM actions are those of "Required
//! permissions for Amazon S3 API operations" in the S3 user guide.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, StatusCode, Uri};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::CopySource;
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::State;
use super::{known_headers, known_parameters};
use crate::aws::calls::{Answer, Attempt};
use crate::aws::identity::{Caller, Principal};
use crate::aws::installed::{Decision, Installed, Requirement};
use crate::aws::policy::Context;
use crate::aws::server::actions;
use crate::aws::sts::parse_form;

/// What S3 stores of a writer's own metadata at most.
const MAXIMUM_METADATA_BYTES: usize = 2048;

/// One S3 request on its way through s3s: who calls, and what becomes of it. It travels in the request's extensions.
#[derive(Clone)]
pub(super) struct CallContext(Arc<CallState>);

struct CallState {
    caller: Option<Caller>,
    installed: Arc<Installed>,
    request_id: String,
    /// Condition keys that the signature brings, or the service on whose behalf it is made.
    signature: Context,
    progress: Mutex<Progress>,
}

/// What is known of a call when it ends, for the record.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    pub(super) operation: Option<&'static str>,
    pub(super) actions: Vec<(String, String)>,
    /// A hook cut the connection.
    pub(super) cut: bool,
}

impl CallContext {
    pub(super) fn new(
        caller: Option<Caller>,
        installed: Arc<Installed>,
        request_id: &str,
        signature: Context,
    ) -> CallContext {
        let progress = Mutex::default();
        CallContext(Arc::new(CallState {
            caller,
            installed,
            request_id: request_id.to_owned(),
            signature,
            progress,
        }))
    }

    /// `None` for unsigned requests.
    pub(super) fn caller(&self) -> Option<&Caller> {
        self.0.caller.as_ref()
    }

    pub(super) fn installed(&self) -> &Installed {
        &self.0.installed
    }

    pub(super) fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Condition keys that the signature brings, or the service on whose behalf it is made.
    pub(super) fn signature(&self) -> &Context {
        &self.0.signature
    }

    /// Notes which operation this is, for the record.
    pub(super) fn begin(&self, operation: &'static str) {
        self.lock().operation = Some(operation);
    }

    pub(super) fn progress(&self) -> Progress {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the secret of an access key. Whether its session token is right has been checked before.
pub(super) struct Secrets {
    state: Arc<State>,
}

impl Secrets {
    pub(super) fn new(state: Arc<State>) -> Secrets {
        Secrets { state }
    }
}

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.state.identities.secret(&self.state.current.get(), access_key) {
            Ok(Some(secret)) => Ok(SecretKey::from(secret)),
            Ok(None) => Err(S3ErrorCode::InvalidAccessKeyId.into()),
            Err(error) => Err(S3Error::internal_error(error)),
        }
    }
}

/// Judges every request before its body is read.
pub(super) struct Permissions {
    state: Arc<State>,
}

impl Permissions {
    pub(super) fn new(state: Arc<State>) -> Permissions {
        Permissions { state }
    }
}

#[async_trait::async_trait]
impl S3Access for Permissions {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let context = context_of(request.extensions_mut())?;
        let Some(operation) = implemented(request.s3_op().name()) else {
            return Err(not_implemented(&described(request.s3_op().name(), request.uri())));
        };
        context.begin(operation);
        // A parameter may make another operation of it, which is to be named.
        known_parameters::refuse_unknown(operation, request.uri().query().unwrap_or_default())?;
        known_headers::refuse_unknown(operation, request.headers())?;
        let is_genuine = |caller: &&Caller| {
            request.credentials().is_some() || matches!(caller.principal, Principal::Service(_))
        };
        let Some(caller) = context.caller().filter(is_genuine) else {
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied"));
        };
        for bucket in buckets(request)? {
            if context.installed().bucket(&bucket).is_none() {
                return Err(no_such_bucket());
            }
        }
        check_metadata_size(request.headers().iter().filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix("x-amz-meta-")?, value.as_bytes()))
        }))?;
        let requirements = requirements(operation, request, context.signature())?;
        self.state.permit(&context, caller, operation, &requirements).await
    }
}

impl State {
    /// Judges what an operation needs, and asks the hooks about one that is allowed.
    pub(super) async fn permit(
        &self,
        context: &CallContext,
        caller: &Caller,
        operation: &'static str,
        requirements: &[Requirement],
    ) -> S3Result<()> {
        context.lock().actions = actions(requirements);
        let decisions =
            requirements.iter().map(|requirement| context.installed().decide(caller, requirement));
        match Decision::on_all(decisions) {
            Decision::Allowed(used) => self.calls.count(used),
            Decision::Denied(message) => {
                return Err(S3Error::with_message(S3ErrorCode::AccessDenied, message));
            }
        }
        self.ask_hooks(context, operation, caller.principal.clone()).await
    }

    async fn ask_hooks(
        &self,
        context: &CallContext,
        operation: &'static str,
        principal: Principal,
    ) -> S3Result<()> {
        let attempt = Attempt {
            service: "s3",
            operation: operation.to_owned(),
            principal,
            actions: context.progress().actions,
        };
        match self.calls.ask(&attempt) {
            None => Ok(()),
            Some(Answer::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
            Some(Answer::DropAnswer) => {
                context.lock().cut = true;
                Ok(())
            }
            Some(Answer::Drop) => {
                context.lock().cut = true;
                Err(S3ErrorCode::InternalError.into())
            }
            Some(Answer::Error { status, code, message }) => {
                let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
                error.set_status_code(
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                );
                Err(error)
            }
        }
    }
}

impl State {
    /// The answer to a missing key: whoever may not list the bucket is not told that it is missing.
    pub(super) fn missing(&self, context: &CallContext, bucket: &str, code: S3ErrorCode) -> S3Error {
        let mut may_list = Requirement::new("s3:ListBucket", format!("arn:aws:s3:::{bucket}"));
        may_list.context.extend(context.signature());
        let Some(caller) = context.caller() else { return S3ErrorCode::AccessDenied.into() };
        match context.installed().decide(caller, &may_list) {
            Decision::Allowed(used) => {
                self.calls.count(used);
                code.into()
            }
            Decision::Denied(message) => S3Error::with_message(S3ErrorCode::AccessDenied, message),
        }
    }
}

/// User-defined metadata has at most 2 KB: names, without their prefix, and values.
pub(super) fn check_metadata_size<'a>(metadata: impl Iterator<Item = (&'a str, &'a [u8])>) -> S3Result<()> {
    let size_bytes: usize = metadata.map(|(name, value)| name.len() + value.len()).sum();
    if size_bytes <= MAXIMUM_METADATA_BYTES {
        return Ok(());
    }
    let message = "Your metadata headers exceed the maximum allowed metadata size";
    Err(S3Error::with_message(S3ErrorCode::MetadataTooLarge, message))
}

/// The context of a request; it is always there, since [`super::S3::answer`] puts it there.
pub(super) fn context_of(extensions: &http::Extensions) -> S3Result<CallContext> {
    extensions.get::<CallContext>().cloned().ok_or_else(|| S3ErrorCode::InternalError.into())
}

pub(super) fn no_such_bucket() -> S3Error {
    S3Error::with_message(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist")
}

/// An operation, or a part of one, that is not here.
pub(super) fn not_implemented(what: &str) -> S3Error {
    let message = format!("{what} is not implemented by the local stack.");
    S3Error::with_message(S3ErrorCode::NotImplemented, message)
}

/// An operation that is not here. One that s3s does not know either has the name of a neighbour with the same path, and
/// parameters that tell it from that: `CreateBucket with abac`.
fn described(operation: &str, uri: &Uri) -> String {
    let parameters = parse_form(uri.query().unwrap_or_default().as_bytes());
    let is_own = |name: &String| !name.to_ascii_lowercase().starts_with("x-");
    match parameters.into_keys().filter(is_own).collect::<Vec<_>>().join(", ") {
        names if names.is_empty() => operation.to_owned(),
        names => format!("{operation} with {names}"),
    }
}

fn implemented(operation: &str) -> Option<&'static str> {
    [
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "DeleteObject",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListBuckets",
        "ListMultipartUploads",
        "ListObjectsV2",
        "ListParts",
        "PutObject",
        "UploadPart",
        "UploadPartCopy",
    ]
    .into_iter()
    .find(|implemented| *implemented == operation)
}

fn buckets(request: &S3AccessContext<'_>) -> S3Result<Vec<String>> {
    let mut buckets: Vec<String> = match request.s3_path() {
        S3Path::Root => Vec::new(),
        S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => vec![bucket.to_string()],
    };
    if let Some((bucket, ..)) = copy_source(request.headers())? {
        buckets.push(bucket);
    }
    Ok(buckets)
}

fn requirements(
    operation: &str,
    request: &S3AccessContext<'_>,
    signature: &Context,
) -> S3Result<Vec<Requirement>> {
    let parameters = parse_form(request.uri().query().unwrap_or_default().as_bytes());
    let version_id = query_value(request.uri(), "versionId");
    let (bucket, key) = match request.s3_path() {
        S3Path::Root => (None, None),
        S3Path::Bucket { bucket } => (Some(bucket), None),
        S3Path::Object { bucket, key } => (Some(bucket), Some(key)),
    };
    let bucket_arn = format!("arn:aws:s3:::{}", bucket.map_or("*", |bucket| bucket));
    let object_arn = key.map_or_else(|| bucket_arn.clone(), |key| format!("{bucket_arn}/{key}"));
    let mut needed = match operation {
        "PutObject" | "CompleteMultipartUpload" => vec![creating(&object_arn, true)],
        "CreateMultipartUpload" | "UploadPart" => vec![creating(&object_arn, false)],
        "AbortMultipartUpload" => vec![Requirement::new("s3:AbortMultipartUpload", &object_arn)],
        "ListParts" => vec![Requirement::new("s3:ListMultipartUploadParts", &object_arn)],
        "ListMultipartUploads" => vec![Requirement::new("s3:ListBucketMultipartUploads", &bucket_arn)],
        "GetObject" | "HeadObject" => vec![versioned("s3:GetObject", &object_arn, version_id.as_deref())],
        "DeleteObject" => vec![versioned("s3:DeleteObject", &object_arn, version_id.as_deref())],
        "CopyObject" | "UploadPartCopy" => {
            let (bucket, key, version_id) =
                copy_source(request.headers())?.ok_or(S3ErrorCode::InvalidArgument)?;
            let source = format!("arn:aws:s3:::{bucket}/{key}");
            vec![
                versioned("s3:GetObject", &source, version_id.as_deref()),
                creating(&object_arn, operation == "CopyObject"),
            ]
        }
        "HeadBucket" | "ListObjectsV2" => {
            let mut requirement = Requirement::new("s3:ListBucket", &bucket_arn);
            for name in ["prefix", "delimiter", "max-keys"] {
                if let Some(value) = parameters.get(name) {
                    requirement.context.add(&format!("s3:{name}"), value);
                }
            }
            vec![requirement]
        }
        "ListBuckets" => vec![Requirement::new("s3:ListAllMyBuckets", "arn:aws:s3:::*")],
        other => return Err(not_implemented(other)),
    };
    for requirement in &mut needed {
        requirement.context.extend(signature);
        for name in ["if-match", "if-none-match", "x-amz-content-sha256"] {
            if let Some(value) = request.headers().get(name).and_then(|value| value.to_str().ok()) {
                requirement.context.add(&format!("s3:{name}"), value);
            }
        }
    }
    Ok(needed)
}

/// `s3:PutObject`. Of the requests that need it, some do not create an object yet.
pub(super) fn creating(resource: &str, is_object_created: bool) -> Requirement {
    let mut requirement = Requirement::new("s3:PutObject", resource);
    requirement.context.add("s3:ObjectCreationOperation", is_object_created.to_string());
    requirement
}

/// Reading or deleting one version has an action of its own.
fn versioned(action: &str, resource: &str, version_id: Option<&str>) -> Requirement {
    match version_id {
        None => Requirement::new(action, resource),
        Some(version_id) => {
            let mut requirement = Requirement::new(format!("{action}Version"), resource);
            requirement.context.add("s3:versionid", version_id);
            requirement
        }
    }
}

/// Bucket, key and version id of `x-amz-copy-source`.
fn copy_source(headers: &HeaderMap) -> S3Result<Option<(String, String, Option<String>)>> {
    let Some(header) = headers.get("x-amz-copy-source") else { return Ok(None) };
    let invalid = || S3Error::with_message(S3ErrorCode::InvalidArgument, "Invalid copy source object key");
    match CopySource::parse(header.to_str().map_err(|_| invalid())?).map_err(|_| invalid())? {
        CopySource::Bucket { bucket, key, version_id } => {
            Ok(Some((bucket.into(), key.into(), version_id.map(Into::into))))
        }
        _ => Err(not_implemented("A copy source that is an access point")),
    }
}

/// A query parameter. Unlike in a form, `+` stands for itself.
pub(super) fn query_value(uri: &Uri, name: &str) -> Option<String> {
    uri.query()?.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy();
        // s3s decodes names too: what it reads must be what is judged.
        (decode(found) == name).then(|| decode(value).into_owned())
    })
}
