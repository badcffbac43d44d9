//! Conditional requests. Follows RFC 9110, section 13.2.2, and "Conditional requests" in the S3 user guide.
//!
//! A write that loses against another one is told so with 412, one that loses against a delete with 409
//! ([`super::conflicts`]).

use http::HeaderMap;
use s3s::dto::{ETagCondition, Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, S3Result};
use time::OffsetDateTime;

use super::index::Version;
use crate::aws::clock;

/// The conditions of a read, or of a copy's source.
#[derive(Debug, Default)]
pub(super) struct ReadConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

/// How a read's conditions come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    Proceed,
    NotModified,
    PreconditionFailed,
}

impl ReadConditions {
    /// Judges the conditions against an object. `If-Match` overrides `If-Unmodified-Since`, and `If-None-Match`
    /// overrides `If-Modified-Since`.
    pub(super) fn judge(&self, e_tag: &str, last_modified_ms: i64) -> ReadOutcome {
        // HTTP dates have whole seconds.
        let last_modified = last_modified_ms.div_euclid(1000);
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, e_tag) => return ReadOutcome::PreconditionFailed,
            (None, Some(since)) if last_modified > seconds(since) => return ReadOutcome::PreconditionFailed,
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if matches(condition, e_tag) => ReadOutcome::NotModified,
            // A date in the future is no condition.
            (None, Some(since))
                if last_modified <= seconds(since) && seconds(since) <= clock::now().unix_timestamp() =>
            {
                ReadOutcome::NotModified
            }
            _ => ReadOutcome::Proceed,
        }
    }
}

/// Whether the range of a read counts: `If-Range` has to name the entity tag, or the very time of the last change. With
/// anything else the object is sent from its beginning (RFC 9110, section 13.1.5).
pub(super) fn range_applies(headers: &HeaderMap, e_tag: &str, last_modified: &Timestamp) -> bool {
    let Some(condition) = headers.get(http::header::IF_RANGE) else { return true };
    let Ok(condition) = condition.to_str() else { return false };
    let mut date = Vec::new();
    let is_date = last_modified.format(TimestampFormat::HttpDate, &mut date).is_ok();
    condition == format!("\"{e_tag}\"") || is_date && condition.as_bytes() == date
}

/// The conditions of a write.
#[derive(Debug, Default)]
pub(super) struct WriteConditions {
    pub(super) if_match: Option<ETagCondition>,
    /// Only `*` is possible.
    pub(super) if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    /// Whether there is any.
    pub(super) fn is_some(&self) -> bool {
        self.if_match.is_some() || self.if_none_match.is_some()
    }

    /// Refuses what S3 does not have.
    pub(super) fn check_supported(&self) -> S3Result<()> {
        if self.if_none_match.as_ref().is_some_and(|condition| !condition.is_any())
            || self.if_match.as_ref().is_some_and(ETagCondition::is_any)
        {
            return Err(S3Error::with_message(
                S3ErrorCode::NotImplemented,
                "A header you provided implies functionality that is not implemented",
            ));
        }
        Ok(())
    }

    /// Judges them against the latest version, inside the transaction that writes.
    pub(super) fn judge(&self, latest: Option<&Version>) -> S3Result<()> {
        let existing = latest.and_then(|version| version.content.as_ref());
        if self.if_none_match.is_some() && existing.is_some() {
            return Err(precondition_failed());
        }
        match (&self.if_match, existing) {
            (Some(_), None) => Err(S3ErrorCode::NoSuchKey.into()),
            (Some(condition), Some(content)) if !matches(condition, &content.e_tag) => {
                Err(precondition_failed())
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn precondition_failed() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold",
    )
}

fn matches(condition: &ETagCondition, e_tag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == e_tag,
    }
}

fn seconds(timestamp: &Timestamp) -> i64 {
    OffsetDateTime::from(timestamp.clone()).unix_timestamp()
}

#[cfg(test)]
mod tests {
    // The conditions are optional, so the tests make options of them.
    #![allow(clippy::unwrap_used, clippy::unnecessary_wraps)]

    use s3s::dto::{ETagCondition, Timestamp};
    use time::OffsetDateTime;

    use super::{ReadConditions, ReadOutcome};

    fn e_tag(text: &str) -> Option<ETagCondition> {
        Some(text.parse().unwrap())
    }

    fn date(seconds: i64) -> Option<Timestamp> {
        Some(OffsetDateTime::from_unix_timestamp(seconds).unwrap().into())
    }

    #[test]
    fn reads_follow_the_precedence_of_rfc_9110() {
        let judge = |conditions: ReadConditions| conditions.judge("abc", 1_700_000_000_900);
        let none = ReadConditions::default;
        assert_eq!(judge(none()), ReadOutcome::Proceed);
        assert_eq!(judge(ReadConditions { if_match: e_tag("\"abc\""), ..none() }), ReadOutcome::Proceed);
        assert_eq!(
            judge(ReadConditions { if_match: e_tag("\"x\""), ..none() }),
            ReadOutcome::PreconditionFailed
        );
        assert_eq!(judge(ReadConditions { if_none_match: e_tag("*"), ..none() }), ReadOutcome::NotModified);
        let same_second = date(1_700_000_000);
        let before = date(1_699_999_999);
        assert_eq!(
            judge(ReadConditions { if_modified_since: same_second.clone(), ..none() }),
            ReadOutcome::NotModified
        );
        assert_eq!(
            judge(ReadConditions { if_modified_since: before.clone(), ..none() }),
            ReadOutcome::Proceed
        );
        assert_eq!(
            judge(ReadConditions { if_unmodified_since: same_second.clone(), ..none() }),
            ReadOutcome::Proceed
        );
        assert_eq!(
            judge(ReadConditions { if_unmodified_since: before.clone(), ..none() }),
            ReadOutcome::PreconditionFailed
        );
        // The entity tag overrides the date.
        let both = ReadConditions { if_match: e_tag("\"abc\""), if_unmodified_since: before, ..none() };
        assert_eq!(judge(both), ReadOutcome::Proceed);
        let both = ReadConditions { if_none_match: e_tag("\"x\""), if_modified_since: same_second, ..none() };
        assert_eq!(judge(both), ReadOutcome::Proceed);
    }
}
