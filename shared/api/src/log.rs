//! Logs: one JSON object a line, which CloudWatch Logs takes apart by field.
//!
//! Never logged: tokens, passwords, signed URLs, request bodies.

use tracing::Level;

/// Sends what `tracing` records to standard output, from the level that Lambda's logging controls ask for
/// (`AWS_LAMBDA_LOG_LEVEL`), `INFO` by default and at most: below it libraries write down whole requests, with tokens
/// and passwords in them.
pub(crate) fn initialise() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse::<Level>().ok());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // A more verbose level is a greater one.
        .with_max_level(level.unwrap_or(Level::INFO).min(Level::INFO))
        .with_current_span(true)
        .with_span_list(false)
        .init();
}
