//! Metrics: numbers in log lines, which CloudWatch Logs picks out by itself ("embedded metric format"): no call, no
//! permission, no line of their own.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! A metric is a field of the line that says what happened, named by a constant of this module:
//!
//! ```
//! # let error = "throttled";
//! tracing::warn!({ api::metrics::RATE_LIMITS_UNCHECKED } = 1, %error, "the request passed without a look at its limit");
//! ```
//!
//! The log declares every such field to CloudWatch, in the namespace [`NAMESPACE`] under one dimension, `Service`, the
//! stack's name. A line that has a metric is written whatever the log level.
//!
//! There is no dimension for functions or routes, nor ever one for ids. AWS counts invocations, errors, durations and
//! throttles of each function for nothing, while each metric of ours costs its price once for each value of a dimension;
//! by route, caller or function these numbers are found in the log lines, where all of them are fields.

use serde_json::{Map, Value, json};

/// Where CloudWatch keeps the metrics.
pub const NAMESPACE: &str = "MediaPlatform";

/// The name of the dimension.
const DIMENSION: &str = "Service";

/// A unit, as CloudWatch spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Count,
    Milliseconds,
    Seconds,
    Bytes,
}

impl Unit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
            Self::Bytes => "Bytes",
        }
    }
}

/// One line a metric: constant, name, unit.
macro_rules! metrics {
    ($($(#[$documentation:meta])+ $constant:ident = $name:literal, $unit:ident;)+) => {
        $($(#[$documentation])+ pub const $constant: &str = $name;)+

        /// Every metric with its unit.
        const ALL: &[(&str, Unit)] = &[$(($constant, Unit::$unit)),+];
    };
}

metrics! {
    /// How long a request took in the function, in milliseconds. There is one of each request, so its sample count is the
    /// number of requests.
    DURATION_MS = "duration_ms", Milliseconds;
    /// 1 if the request was answered with 4xx, else 0: the average is the rate.
    CLIENT_ERRORS = "client_errors", Count;
    /// The same of 5xx.
    SERVER_ERRORS = "server_errors", Count;
    /// 1 if the request was the first of its instance, else 0.
    COLD_STARTS = "cold_starts", Count;
    /// A request that passed because its rate limit could not be looked at.
    RATE_LIMITS_UNCHECKED = "rate_limits_unchecked", Count;
    /// A view that was lost because it could not be recorded.
    VIEWS_NOT_RECORDED = "views_not_recorded", Count;
    /// A media that became ready.
    UPLOADS_READY = "uploads_ready", Count;
    /// A media that was rejected, because its file broke a rule.
    UPLOADS_REJECTED = "uploads_rejected", Count;
    /// A media that was given up: its processing failed, and is not tried again by itself.
    UPLOADS_FAILED = "uploads_failed", Count;
    /// The size of a file that was published.
    PUBLISHED_BYTES = "published_bytes", Bytes;
    /// How long a run on an uploaded object took, in milliseconds.
    PROCESSING_MS = "processing_ms", Milliseconds;
    /// How many items of work a sweep settled.
    SWEEP_SETTLED = "sweep_settled", Count;
    /// How many items of work a sweep could not settle, or not read.
    SWEEP_FAILED = "sweep_failed", Count;
    /// For how long the oldest item had been due when a sweep began, in seconds.
    SWEEP_OLDEST_DUE_SECONDS = "sweep_oldest_due_seconds", Seconds;
}

/// The names of all metrics.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// Whether a log field of this name is a metric.
pub(crate) fn is_metric(name: &str) -> bool {
    unit(name).is_some()
}

fn unit(name: &str) -> Option<Unit> {
    ALL.iter().find(|(metric, _)| *metric == name).map(|(_, unit)| *unit)
}

/// Declares the metrics among a log line's fields to CloudWatch, if there are any.
pub(crate) fn declare(line: &mut Map<String, Value>, service: &str, now_ms: u64) {
    let declared: Vec<Value> = line
        .iter()
        .filter(|(_, value)| value.is_number())
        .filter_map(|(name, _)| Some(json!({"Name": name, "Unit": unit(name)?.as_str()})))
        .collect();
    if declared.is_empty() {
        return;
    }
    line.insert(DIMENSION.to_owned(), service.into());
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": declared});
    line.insert("_aws".to_owned(), json!({"Timestamp": now_ms, "CloudWatchMetrics": [directive]}));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_and_one_line_takes_all() {
        let different: std::collections::BTreeSet<_> = names().collect();
        assert_eq!(different.len(), ALL.len());
        // The specification's limit on one directive.
        assert!(ALL.len() <= 100);
    }

    #[test]
    fn what_has_no_metric_stays_as_it_is() {
        let mut line = Map::from_iter([("status".to_owned(), json!(200))]);
        declare(&mut line, "media", 1);
        assert_eq!(Value::Object(line), json!({"status": 200}));
    }

    #[test]
    fn metrics_are_declared_with_their_units() {
        let mut line = Map::from_iter([
            (PUBLISHED_BYTES.to_owned(), json!(12)),
            (UPLOADS_READY.to_owned(), json!(1)),
            (SWEEP_FAILED.to_owned(), json!("no number")),
            ("media_id".to_owned(), json!("m")),
        ]);
        declare(&mut line, "media", 1_795_162_530_000);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_795_162_530_000_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "MediaPlatform",
                    "Dimensions": [["Service"]],
                    "Metrics": [
                        {"Name": "published_bytes", "Unit": "Bytes"},
                        {"Name": "uploads_ready", "Unit": "Count"},
                    ],
                }],
            },
            "Service": "media",
            "media_id": "m",
            "published_bytes": 12,
            "sweep_failed": "no number",
            "uploads_ready": 1,
        });
        assert_eq!(Value::Object(line), expected);
    }
}
