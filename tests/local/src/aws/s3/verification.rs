//! Time and signature of a request's head, before anything else of it is looked at.
//!
//! s3s verifies them too, and goes on with the payload while it is read. It is asked second: it tells the time by the
//! system's clock, and its verifier cannot be held to AWS's published vectors from outside, as
//! [`crate::aws::signature`] is. A request passes if both let it.
//!
//! Follows "Authenticating Requests: Using the Authorization Header" and "Authenticating Requests: Using Query
//! Parameters" in the S3 API reference.

use http::StatusCode;
use http::request::Parts;
use time::{Duration, OffsetDateTime};

use super::front::{Signed, text};
use crate::aws::clock::iso_8601;
use crate::aws::protocol::Fault;
use crate::aws::signature::{MAXIMUM_SKEW, Path, SignedRequest, parse_time};

/// The payload of a presigned request, unless it says otherwise.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Refuses a request whose time has not come or is over, or which is not what the secret signed.
pub(super) fn verify(
    parts: &Parts,
    signed: &Signed,
    secret_access_key: &str,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let denied = |message: &str| Fault::new(StatusCode::FORBIDDEN, "AccessDenied", message);
    let time = signed.time.as_deref();
    let (Some(time), Some(signed_at)) = (time, time.and_then(parse_time)) else {
        return Err(denied("AWS authentication requires a valid Date or x-amz-date header"));
    };
    check_time(signed_at, signed.expires_seconds, now)?;
    let mismatch = || {
        let message = "The request signature we calculated does not match the signature you provided. Check your key \
                       and signing method.";
        Fault::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
            .with_detail("AWSAccessKeyId", &signed.authorization.scope.access_key_id)
            .with_detail("SignatureProvided", &signed.authorization.signature)
    };
    let payload_sha256 = match (text(&parts.headers, "x-amz-content-sha256"), signed.expires_seconds) {
        (Some(payload_sha256), _) => payload_sha256,
        (None, Some(_)) => UNSIGNED_PAYLOAD,
        (None, None) => {
            let message = "Missing required header for this request: x-amz-content-sha256";
            return Err(Fault::bad_request("InvalidRequest", message));
        }
    };
    let request = SignedRequest {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        path: Path::AsSent,
        payload_sha256,
    };
    request.compare(&signed.authorization, time, secret_access_key).map_err(|_| mismatch())
}

fn check_time(
    signed_at: OffsetDateTime,
    expires_seconds: Option<i64>,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let denied = |message: &str| Fault::new(StatusCode::FORBIDDEN, "AccessDenied", message);
    match expires_seconds {
        Some(_) if signed_at - now > MAXIMUM_SKEW => Err(denied("Request is not yet valid")),
        Some(seconds) if now - signed_at > Duration::seconds(seconds) => Err(denied("Request has expired")
            .with_detail("X-Amz-Expires", seconds.to_string())
            .with_detail("Expires", iso_8601(signed_at + Duration::seconds(seconds)))
            .with_detail("ServerTime", iso_8601(now))),
        None if (now - signed_at).abs() > MAXIMUM_SKEW => {
            let message = "The difference between the request time and the current time is too large.";
            Err(Fault::new(StatusCode::FORBIDDEN, "RequestTimeTooSkewed", message)
                .with_detail("RequestTime", iso_8601(signed_at))
                .with_detail("ServerTime", iso_8601(now))
                .with_detail("MaxAllowedSkewMilliseconds", MAXIMUM_SKEW.whole_milliseconds().to_string()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};

    use super::check_time;

    /// The code that a request gets, signed so many seconds ago.
    fn code(age_seconds: i64, expires_seconds: Option<i64>) -> Option<String> {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        check_time(now - Duration::seconds(age_seconds), expires_seconds, now)
            .err()
            .map(|fault| format!("{}: {}", fault.code, fault.message))
    }

    #[test]
    fn a_request_has_its_time() {
        let skewed = "RequestTimeTooSkewed: The difference between the request time and the current time is too large.";
        for age_seconds in [-901, 901] {
            assert_eq!(code(age_seconds, None).as_deref(), Some(skewed));
        }
        assert_eq!(code(-901, Some(60)).as_deref(), Some("AccessDenied: Request is not yet valid"));
        assert_eq!(code(61, Some(60)).as_deref(), Some("AccessDenied: Request has expired"));
        for (age_seconds, expires_seconds) in [(-900, None), (900, None), (-900, Some(60)), (60, Some(60))] {
            assert_eq!(code(age_seconds, expires_seconds), None);
        }
    }
}
