//! Problems: every error that a client sees, as RFC 9457 `application/problem+json`.
//!
//! A problem has two texts. `detail` is for the client and says what to do next. The internal one is for the log, is
//! written there once, at the boundary, and never sent.

mod code;

use std::fmt::Display;
use std::time::Duration;

use buckets::BucketError;
use domain::{AssemblyError, Decision, PartNumber};
use serde::Serialize;
use table::{ChangeError, ChangeUserError, CreateUserError, TableError};
use utoipa::ToSchema;

pub use self::code::{Code, refusals};

/// How many wrong fields are told at most.
const MAX_FIELD_ERRORS: usize = 100;

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field in the body, `?name` for a query parameter, `{name}` for one of the path, or a
    /// header's name.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A problem.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    missing: Vec<PartNumber>,
    retry_after_seconds: Option<u32>,
    internal: Option<String>,
    is_for_uppy: bool,
}

/// What a client sees of a problem.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    problem_type: String,
    /// The same for every occurrence of the code.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened and what to do next.
    detail: &'a str,
    /// Stable, for programs.
    code: &'static str,
    /// Names this request in our logs.
    request_id: &'a str,
    /// Every wrong field; the first hundred of very many.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    #[schema(required = false, min_items = 1, max_items = 100)]
    errors: &'a [FieldError],
    /// The parts that have to be sent, or sent again.
    #[serde(skip_serializing_if = "<[PartNumber]>::is_empty")]
    #[schema(required = false, min_items = 1, max_items = 10_000)]
    missing: &'a [PartNumber],
    /// The title again, on the routes that Uppy calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// The detail again, on the routes that Uppy calls, which shows it to its user.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl Problem {
    /// A problem with this detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            missing: Vec::new(),
            retry_after_seconds: None,
            internal: None,
            is_for_uppy: false,
        }
    }

    /// Parts have to be sent, or sent again.
    pub fn parts_incomplete(missing: Vec<PartNumber>) -> Self {
        let detail = "Not all parts are there as they should be. Send those in missing, then complete again.";
        Self { missing, ..Self::new(Code::PartsIncomplete, detail) }
    }

    /// The caller's files would take more than `quota_bytes`.
    pub fn quota_exceeded(quota_bytes: u64) -> Self {
        let detail =
            format!("Your files may take {quota_bytes} bytes in all. Delete some, or ask for more room.");
        Self::new(Code::QuotaExceeded, detail)
    }

    /// The upload has no parts.
    pub fn not_multipart() -> Self {
        Self::new(
            Code::NotMultipart,
            "This upload does not come in parts. Send its file as POST /media said.",
        )
    }

    /// The upload's parts are cut by its client, and not by a plan.
    pub fn parts_not_planned() -> Self {
        let detail =
            "Uppy cuts the parts of this upload. Have them signed where it was begun, under /s3/multipart.";
        Self::new(Code::NotMultipart, detail)
    }

    /// The upload has ended, or its time has; no more of it is taken.
    pub fn upload_ended() -> Self {
        let detail = "This upload has ended. GET the media to see what became of it; to send the file again, announce \
                      it again.";
        Self::new(Code::UploadEnded, detail)
    }

    /// Fields are wrong. Of very many, the first are told: the answer has to stay below what Lambda sends.
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            // The pointer to the whole body is empty.
            [one] => format!("{} {}.", one.pointer, one.detail.trim_end_matches('.')).trim_start().to_owned(),
            all if all.len() > MAX_FIELD_ERRORS => {
                format!("{} fields are wrong; errors has the first {MAX_FIELD_ERRORS}.", all.len())
            }
            all => format!("{} fields are wrong; see errors.", all.len()),
        };
        errors.truncate(MAX_FIELD_ERRORS);
        Self { errors, ..Self::new(Code::Invalid, detail) }
    }

    /// One field is wrong.
    pub fn invalid_field(pointer: impl Into<String>, detail: impl Display) -> Self {
        Self::invalid(vec![FieldError { pointer: pointer.into(), detail: detail.to_string() }])
    }

    /// There is no such thing, or not for the caller: the two look the same.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}, or you may not see it."))
    }

    /// The account is shut out.
    pub fn account_disabled() -> Self {
        Self::new(Code::AccountDisabled, "This account is disabled. Ask an admin to enable it.")
    }

    /// The caller's role does not suffice.
    pub fn role_insufficient() -> Self {
        Self::new(Code::RoleInsufficient, "Your role does not allow this. Ask an admin for another role.")
    }

    /// The session is over: logged out, expired, or ended by what changed about the account.
    pub fn session_ended() -> Self {
        Self::new(Code::SessionEnded, "This session has ended. Log in again.")
    }

    /// There were too many requests; one that comes after this long is taken.
    pub fn rate_limited(retry_after: Duration) -> Self {
        let seconds = whole_seconds(retry_after);
        let detail = match seconds {
            1 => "Too many requests. Try again in a second.".to_owned(),
            seconds => format!("Too many requests. Try again in {seconds} seconds."),
        };
        Self { retry_after_seconds: Some(seconds), ..Self::new(Code::RateLimited, detail) }
    }

    /// A fault of ours; `internal` is for the log.
    pub fn internal(internal: impl Display) -> Self {
        let detail = "Something went wrong on our side. Quote request_id when you report it.";
        Self { internal: Some(internal.to_string()), ..Self::new(Code::Internal, detail) }
    }

    /// Something that we depend on throttles or fails; `internal` is for the log.
    pub fn unavailable(internal: impl Display) -> Self {
        Self {
            internal: Some(internal.to_string()),
            retry_after_seconds: Some(1),
            ..Self::new(Code::Unavailable, "The service is busy. Try again in a moment.")
        }
    }

    /// With `error` and `message` besides, which is where Uppy's client of a companion looks.
    #[must_use]
    pub fn for_uppy(self) -> Self {
        Self { is_for_uppy: true, ..self }
    }

    /// What is wrong, in one line, for functions that are not behind HTTP.
    pub fn describe(&self) -> String {
        if self.errors.is_empty() {
            return self.detail.clone();
        }
        let errors = self.errors.iter().map(|error| format!("{} {}", error.pointer, error.detail));
        errors.collect::<Vec<_>>().join("; ")
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// After how many seconds to try again.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after_seconds
    }

    /// The text for the log.
    pub fn internal_text(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// What the client sees.
    pub fn body<'a>(&'a self, request_id: &'a str) -> ProblemBody<'a> {
        ProblemBody {
            problem_type: format!("/docs#{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
            errors: &self.errors,
            missing: &self.missing,
            error: self.is_for_uppy.then(|| self.code.title()),
            message: self.is_for_uppy.then_some(&self.detail),
        }
    }
}

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Unavailable { .. } => Self::unavailable(error),
            TableError::Refused { .. } | TableError::Malformed(_) => Self::internal(error),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Outdated => Self::new(
                Code::ChangedMeanwhile,
                "It was changed at the same time. Read it again, then try again.",
            ),
            ChangeError::Table(error) => error.into(),
        }
    }
}

impl From<CreateUserError> for Problem {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::EmailTaken => Self::new(
                Code::EmailTaken,
                "There is an account with this e-mail. Log in, or use another e-mail.",
            ),
            CreateUserError::Table(error) => error.into(),
        }
    }
}

impl From<ChangeUserError> for Problem {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::Outdated => ChangeError::Outdated.into(),
            ChangeUserError::NotAdmin => Self::role_insufficient(),
            ChangeUserError::LastAdmin => {
                Self::new(Code::LastAdmin, "This is the last admin. Make another user admin first.")
            }
            ChangeUserError::Table(error) => error.into(),
        }
    }
}

impl From<AssemblyError> for Problem {
    fn from(error: AssemblyError) -> Self {
        match error {
            AssemblyError::Missing(missing) => Self::parts_incomplete(missing),
            AssemblyError::TooLarge { size_bytes, max_size_bytes } => {
                let detail =
                    format!("The parts have {size_bytes} bytes together; {max_size_bytes} are allowed here.");
                Self::new(Code::FileTooLarge, detail)
            }
        }
    }
}

impl From<BucketError> for Problem {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Unavailable { .. } => Self::unavailable(error),
            BucketError::Refused { .. } | BucketError::Missing { .. } => Self::internal(error),
        }
    }
}

impl Problem {
    /// Goes on if the decision is yes. `what` names the thing that may be hidden.
    pub fn unless_allowed(decision: Decision, what: &str) -> Result<(), Self> {
        match decision {
            Decision::Allowed => Ok(()),
            Decision::Forbidden => Err(Self::role_insufficient()),
            Decision::Hidden => Err(Self::not_found(what)),
        }
    }
}

/// In whole seconds, as headers have it, and never too short.
pub(crate) fn whole_seconds(duration: Duration) -> u32 {
    let rounded_up = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(rounded_up).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_wrong_fields_the_first_are_told() {
        let errors = |count: usize| {
            let error = |index| FieldError { pointer: format!("/{index}"), detail: "is wrong".to_owned() };
            let problem = Problem::invalid((0..count).map(error).collect());
            (problem.errors.len(), problem.detail)
        };
        assert_eq!(errors(100), (100, "100 fields are wrong; see errors.".to_owned()));
        assert_eq!(errors(101), (100, "101 fields are wrong; errors has the first 100.".to_owned()));
    }

    #[test]
    fn what_is_wrong_with_the_whole_body_is_told_as_a_sentence() {
        let problem = Problem::invalid_field("", "The body must be a JSON object");
        assert_eq!(problem.detail, "The body must be a JSON object.");
        assert_eq!(Problem::invalid_field("/title", "is required").detail, "/title is required.");
    }

    #[test]
    fn the_internal_text_is_not_sent() {
        let problem = Problem::internal("table media-prod refused GetItem");
        let sent = serde_json::to_string(&problem.body("id")).unwrap();
        assert!(!sent.contains("media-prod"), "{sent}");
        assert_eq!(problem.internal_text(), Some("table media-prod refused GetItem"));
    }
}
