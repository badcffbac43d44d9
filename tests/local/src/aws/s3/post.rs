//! `PostObject`: uploads from HTML forms.
//!
//! Follows "POST Object", "POST policy" and "HTML form fields" in the S3 API reference; where they are silent, or S3 is
//! known to answer otherwise, as S3 answers. s3s is passed by: it does not replace `${filename}`, and answers a broken
//! policy with 400.
//!
//! The order is S3's: the fields are read, then the signature of the policy is verified, then the policy, then the
//! signer's permission (`s3:PutObject`), and only then the file is received. It is published when the form has been
//! read to its last delimiter, so one that is cut off was never there.
//!
//! Only Signature Version 4 is taken. A form without a signature is anonymous, which no bucket here allows.

mod answer;
mod fields;
mod form;
mod object;
mod policy;
mod signature;

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use futures::stream;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use s3s::dto::{PutObjectInput, StreamingBlob};
use s3s::{S3Error, S3ErrorCode};

use self::fields::Fields;
use self::form::{Form, FormError, MAXIMUM_FIELDS_BYTES};
use self::policy::{PolicyError, PostPolicy};
use self::signature::{PostSignature, required};
use super::access::{CallContext, creating, no_such_bucket};
use super::events::EventName;
use super::front::{signature_context, text};
use super::put::Candidate;
use super::receive::{IncomingBody, MAXIMUM_BODY_BYTES};
use super::unread::SharedBody;
use super::{S3, State, known_parameters};
use crate::aws::clock;
use crate::aws::installed::Installed;
use crate::aws::protocol::Fault;
use crate::aws::server::{ResponseBody, boxed};

const OPERATION: &str = "PostObject";

/// The longest key.
const MAXIMUM_KEY_BYTES: usize = 1024;

/// The bucket that a form is posted to; `None` where a request is something else. No form may get past this one: s3s
/// would hold its file in memory.
pub(super) fn bucket_of_form(parts: &Parts) -> Option<String> {
    let bucket = parts.uri.path().strip_prefix('/')?;
    let bucket = bucket.strip_suffix('/').unwrap_or(bucket);
    let is_form = parts.uri.query().is_none_or(str::is_empty) || is_form_data(content_type(parts));
    (parts.method == Method::POST && is_form && !bucket.is_empty() && !bucket.contains('/'))
        .then(|| bucket.to_owned())
}

fn content_type(parts: &Parts) -> &str {
    text(&parts.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default()
}

fn is_form_data(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or(content_type).trim();
    kind.eq_ignore_ascii_case("multipart/form-data")
}

impl S3 {
    /// Stores the file of a form.
    pub(super) async fn post_object(
        &self,
        bucket: String,
        parts: &Parts,
        body: SharedBody,
        installed: &Arc<Installed>,
        request_id: &str,
        context: &mut CallContext,
    ) -> Result<Response<ResponseBody>, Fault> {
        context.begin(OPERATION);
        known_parameters::refuse_unknown(OPERATION, parts.uri.query().unwrap_or_default())?;
        let mut form = open(parts, body)?;
        let (sent, file) = form.read_fields().await?;
        let file = file.ok_or_else(|| wrong_number_of_files(0))?;
        let fields = Fields::new(sent, file.filename.as_deref());
        if installed.bucket(&bucket).is_none() {
            return Err(no_such_bucket().into());
        }
        let key = key(&fields)?;
        let signature = PostSignature::find(&fields, installed.region())?
            .ok_or_else(|| Fault::from(S3Error::from(S3ErrorCode::AccessDenied)))?;
        let caller =
            self.state.identify(installed, &signature.scope.access_key_id, signature.session_token)?;
        signature.verify(&caller.secret_access_key)?;
        let conditions = signature_context("POST", Some(signature.date));
        *context = CallContext::new(Some(caller.clone()), Arc::clone(installed), request_id, conditions);
        context.begin(OPERATION);
        let sizes = PostPolicy::parse(signature.policy)?.check(&bucket, &fields, clock::now())?;
        let input = object::input(&bucket, key, &fields)?;
        let mut requirement = creating(&format!("arn:aws:s3:::{bucket}/{key}"), true);
        requirement.context.extend(context.signature());
        self.state.permit(context, &caller, OPERATION, &[requirement]).await?;
        let candidate = self.state.receive_file(form, sizes, input).await?;
        let version = self.state.publish(context, &bucket, key, candidate, EventName::Post, |_| Ok(()))?;
        let host = text(&parts.headers, header::HOST.as_str()).unwrap_or("localhost");
        answer::answer(&fields, host, &bucket, &version).map(boxed)
    }
}

fn open(parts: &Parts, body: SharedBody) -> Result<Form<SharedBody>, Fault> {
    let content_type = content_type(parts);
    if !is_form_data(content_type) {
        let message = "At least one of the pre-conditions you specified did not hold";
        return Err(Fault::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
            .with_detail("Condition", "Bucket POST must be of the enclosure-type multipart/form-data"));
    }
    if !parts.headers.contains_key(header::CONTENT_LENGTH) {
        return Err(S3Error::from(S3ErrorCode::MissingContentLength).into());
    }
    Ok(Form::new(content_type, body)?)
}

fn key(fields: &Fields) -> Result<&str, Fault> {
    let key = required(fields, "key")?;
    if key.is_empty() {
        return Err(invalid_argument("User key must have a length greater than 0.", "key", ""));
    }
    if key.len() > MAXIMUM_KEY_BYTES {
        return Err(Fault::bad_request("KeyTooLongError", "Your key is too long")
            .with_detail("Size", key.len().to_string())
            .with_detail("MaxSizeAllowed", MAXIMUM_KEY_BYTES.to_string()));
    }
    Ok(key)
}

impl State {
    /// Receives the file, up to the form's end.
    async fn receive_file(
        &self,
        form: Form<SharedBody>,
        sizes: RangeInclusive<u64>,
        mut input: PutObjectInput,
    ) -> Result<Candidate, Fault> {
        // What is wrong with the form is told by the stream of its bytes, whose error is only that there is one.
        let refusal = Arc::new(OnceLock::new());
        let file = IncomingFile { form, sizes, size_bytes: 0, refusal: Arc::clone(&refusal) };
        let stream = StreamingBlob::wrap(stream::try_unfold(file, |mut file| async move {
            match file.next_chunk().await {
                Ok(chunk) => Ok(chunk.map(|chunk| (chunk, file))),
                Err(fault) => {
                    let message = fault.message.clone();
                    // It is the only one: the stream ends with it.
                    let _ = file.refusal.set(fault);
                    Err(std::io::Error::other(message))
                }
            }
        }));
        // Only the form's own end tells how long the file is.
        let body = IncomingBody { stream, length_bytes: None, trailers: None };
        let received = self.receive_object(&mut input, &HeaderMap::new(), body).await;
        match refusal.get() {
            Some(fault) => Err(fault.clone()),
            None => Ok(received?),
        }
    }
}

/// The file of a form, on its way in.
struct IncomingFile {
    form: Form<SharedBody>,
    sizes: RangeInclusive<u64>,
    size_bytes: u64,
    refusal: Arc<OnceLock<Fault>>,
}

impl IncomingFile {
    /// The next of its bytes; `None` when the form is complete and the file is as long as it may be. What is too much
    /// is only counted.
    async fn next_chunk(&mut self) -> Result<Option<bytes::Bytes>, Fault> {
        let maximum = *self.sizes.end().min(&MAXIMUM_BODY_BYTES);
        while let Some(chunk) = self.form.next_chunk().await? {
            self.size_bytes += chunk.len() as u64;
            if self.size_bytes <= maximum {
                return Ok(Some(chunk));
            }
        }
        let more_files = self.form.finish().await?;
        if more_files > 0 {
            return Err(wrong_number_of_files(1 + more_files));
        }
        let proposed = |code, message| {
            Fault::bad_request(code, message).with_detail("ProposedSize", self.size_bytes.to_string())
        };
        if self.size_bytes > maximum {
            return Err(proposed("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
                .with_detail("MaxSizeAllowed", maximum.to_string()));
        }
        let minimum = *self.sizes.start();
        if self.size_bytes < minimum {
            return Err(proposed(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .with_detail("MinSizeAllowed", minimum.to_string()));
        }
        Ok(None)
    }
}

fn wrong_number_of_files(files: usize) -> Fault {
    invalid_argument("POST requires exactly one file upload per request.", "file", &files.to_string())
}

/// A refusal that names what is wrong.
fn invalid_argument(message: impl Into<String>, name: &str, value: &str) -> Fault {
    Fault::bad_request("InvalidArgument", message)
        .with_detail("ArgumentName", name)
        .with_detail("ArgumentValue", value)
}

impl From<FormError> for Fault {
    fn from(error: FormError) -> Fault {
        match error {
            FormError::Malformed => Fault::bad_request(
                "MalformedPOSTRequest",
                "The body of your POST request is not well-formed multipart/form-data.",
            ),
            FormError::FieldsTooLarge => Fault::bad_request(
                "MaxPostPreDataLengthExceeded",
                "Your POST request fields preceeding the upload file was too large.",
            )
            .with_detail("MaxPostPreDataLengthBytes", MAXIMUM_FIELDS_BYTES.to_string()),
            FormError::CutOff(reason) => Fault::bad_request("IncompleteBody", reason),
        }
    }
}

impl From<PolicyError> for Fault {
    fn from(error: PolicyError) -> Fault {
        let message = error.to_string();
        match error {
            PolicyError::Invalid(_) => Fault::bad_request("InvalidPolicyDocument", message),
            PolicyError::Unmet(_) => Fault::new(StatusCode::FORBIDDEN, "AccessDenied", message),
        }
    }
}
