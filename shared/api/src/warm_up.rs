//! Warming up: what a first request would have to wait for is done during init, when Lambda gives a function its full
//! processor whatever its memory, and side by side: TLS connections are opened, a role's credentials fetched.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

/// Longer than this a first request waits rather than the start.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Tries something that makes the first request faster. It is not needed: a failure is logged, and the first request
/// does it again and says what is wrong.
pub async fn warm_up<T, E: Display>(what: &str, preparation: impl Future<Output = Result<T, E>>) {
    match tokio::time::timeout(TIMEOUT, preparation).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(what, %error, "not warmed up"),
        Err(_) => tracing::warn!(what, "not warmed up: it takes too long"),
    }
}
