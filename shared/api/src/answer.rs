//! Answers of handlers.
//!
//! Nothing is to be stored by anybody unless a handler says so: most answers are one user's, and what is not may be a
//! secret. A record may be kept by its reader, who asks each time whether it is still the same (RFC 9111).

use std::fmt::Display;
use std::time::Duration;

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lambda_http::Body;
use serde::Serialize;

use crate::problem::{Code, Problem};

/// What a handler answers.
#[derive(Debug)]
pub struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Body>,
}

impl Answer {
    /// Without a body.
    pub fn empty(status: StatusCode) -> Self {
        let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        Self { status, headers, body: None }
    }

    /// 204: it is done, and there is nothing to say.
    pub fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// With a JSON body.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(body).map_err(Problem::internal)?;
        let mut answer = Self { body: Some(Body::Text(body)), ..Self::empty(status) };
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(answer)
    }

    /// 200 with a JSON body.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, body)
    }

    /// 201 with a JSON body, and where the thing is.
    pub fn created(location: &str, body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(StatusCode::CREATED, body)?.header(LOCATION, location)
    }

    /// With this header, in place of one of the same name.
    pub fn header(mut self, name: HeaderName, value: &str) -> Result<Self, Problem> {
        let value = HeaderValue::from_str(value).map_err(Problem::internal)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// One record at this version: with a strong `ETag`, kept by the client but asked for every time, or 304 without
    /// a body if the client has it.
    pub fn versioned(self, version: u64, if_none_match: Option<&str>) -> Result<Self, Problem> {
        self.tagged(&version_etag(version), if_none_match)?.kept_by_its_reader()
    }

    /// The same where one address is another record to everybody: what one user has is not taken for another's of the same
    /// version.
    pub fn versioned_for(
        self,
        user_id: impl Display,
        version: u64,
        if_none_match: Option<&str>,
    ) -> Result<Self, Problem> {
        self.tagged(&format!("\"{user_id}.{version}\""), if_none_match)?.kept_by_its_reader()
    }

    /// To be kept by anybody for so long: it is the same for all.
    pub fn public(self, max_age: Duration) -> Result<Self, Problem> {
        self.header(CACHE_CONTROL, &format!("public, max-age={}", max_age.as_secs()))
    }

    /// Who asks decides what is answered, so a cache may not give it to somebody else on the same machine.
    fn kept_by_its_reader(self) -> Result<Self, Problem> {
        self.header(CACHE_CONTROL, "private, no-cache")?.header(VARY, AUTHORIZATION.as_str())
    }

    /// With this `ETag`, or 304 without a body if the client has it (RFC 9110, section 13.1.2).
    pub fn tagged(self, etag: &str, if_none_match: Option<&str>) -> Result<Self, Problem> {
        let has_it = if_none_match.is_some_and(|tags| {
            tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
        });
        let answer = if has_it { Self::empty(StatusCode::NOT_MODIFIED) } else { self };
        answer.header(ETAG, etag)
    }
}

/// The strong `ETag` of a record at this version.
fn version_etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Goes on if `If-Match` is not there or names this version of a record that exists (RFC 9110, section 13.1.1). A weak
/// tag names none.
pub(crate) fn check_if_match(if_match: Option<&str>, version: u64) -> Result<(), Problem> {
    let etag = version_etag(version);
    let is_meant =
        if_match.is_none_or(|tags| tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == etag));
    if is_meant {
        return Ok(());
    }
    let detail = "It has changed since you read it. Read it again, then try again with its new ETag.";
    Err(Problem::new(Code::PreconditionFailed, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_version_is_not_sent_again() {
        let answer = |if_none_match| Answer::ok(&1).unwrap().versioned(3, if_none_match).unwrap();
        assert_eq!(answer(None).headers[ETAG], "\"3\"");
        for known in ["\"3\"", "W/\"3\"", "\"2\", \"3\"", "*"] {
            let answer = answer(Some(known));
            assert_eq!((answer.status, answer.body), (StatusCode::NOT_MODIFIED, None), "{known}");
        }
        assert_eq!(answer(Some("\"2\"")).status, StatusCode::OK);
    }

    #[test]
    fn what_is_one_users_is_not_taken_for_anothers() {
        let answer =
            |user, if_none_match| Answer::ok(&1).unwrap().versioned_for(user, 3, if_none_match).unwrap();
        let known = answer("ada", None).headers[ETAG].clone();
        assert_eq!(answer("ada", known.to_str().ok()).status, StatusCode::NOT_MODIFIED);
        assert_eq!(answer("grace", known.to_str().ok()).status, StatusCode::OK);
    }

    #[test]
    fn a_change_is_meant_for_one_version() {
        for meant in [None, Some("\"3\""), Some("\"2\", \"3\""), Some("*")] {
            assert!(check_if_match(meant, 3).is_ok(), "{meant:?}");
        }
        for other in ["\"2\"", "W/\"3\"", "3", ""] {
            let problem = check_if_match(Some(other), 3).unwrap_err();
            assert_eq!(problem.code(), Code::PreconditionFailed, "{other}");
        }
    }
}
