//! Pauses between attempts at what passes by itself: random, so that those who met do not meet again, and each time from
//! a range twice as long.

use std::time::Duration;

/// How often what passes by itself is tried.
pub(crate) const ATTEMPTS: u32 = 8;

/// The longest pause before the second attempt.
const FIRST: Duration = Duration::from_millis(20);

/// The pauses of one request.
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// Waits before the next attempt.
    pub(crate) async fn next(&mut self) {
        tokio::time::sleep(self.0.mul_f64(fastrand::f64())).await;
        self.0 *= 2;
    }
}
