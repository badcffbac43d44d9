//! The AWS port from outside: through the AWS SDK, and by requests made by hand where the SDK is too well-behaved.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

mod cors;
mod credentials;
mod disturbance;
mod forms;
mod leading_keys;
mod multipart;
mod not_implemented;
mod object_reads;
mod objects;
mod permissions;
mod platform_buckets;
mod post_form;
mod preflight;
mod presigned;
mod queues;
mod races;
mod secrets;
mod services;
mod sessions;
mod support;
mod uploads;
