//! The AWS port from outside: through the AWS SDK, and by requests made by hand where the SDK is too well-behaved.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

mod credentials;
mod objects;
mod permissions;
mod presigned;
mod queues;
mod races;
mod services;
mod support;
mod uploads;
