//! Logs: one flat JSON object a line, which CloudWatch Logs takes apart by field: `timestamp`, `level`, `target`,
//! `message`, the fields of the event, and those of the spans around it: of one invocation, every line says which
//! (`invocation`). Numbers that are metrics are declared as such (`metrics`).
//!
//! Never logged: tokens, passwords, signed URLs, request bodies.
//!
//! `level` and `timestamp` are what Lambda's log level filtering looks for:
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>

use std::fmt;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime as Rfc3339};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::metrics;

/// Sends what `tracing` records to standard output, from the level that Lambda's logging controls ask for
/// (`AWS_LAMBDA_LOG_LEVEL`), `INFO` by default and at most: below it libraries write down whole requests, with tokens
/// and passwords in them. `service` is whose metrics the lines hold.
pub(crate) fn initialise(service: &str) {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse::<Level>().ok());
    json_log(service, level.unwrap_or(Level::INFO), std::io::stdout).init();
}

/// A subscriber that writes the log as functions do on Lambda, for `service` and to `writer`: from `level` on, which is
/// `INFO` at most, and always what has a metric.
pub fn json_log<W>(service: &str, level: Level, writer: W) -> impl Subscriber + for<'span> LookupSpan<'span>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // A more verbose level is a greater one.
    let level = level.min(Level::INFO);
    let has_metric =
        |metadata: &Metadata| metadata.fields().iter().any(|field| metrics::is_metric(field.name()));
    let wanted = filter_fn(move |metadata| {
        *metadata.level() <= level || (*metadata.level() <= Level::INFO && has_metric(metadata))
    });
    let wanted = wanted.with_max_level_hint(Level::INFO);
    Registry::default().with(JsonLines { service: service.to_owned(), writer }.with_filter(wanted))
}

struct JsonLines<W> {
    service: String,
    writer: W,
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut line = Fields::default();
        // What a line says itself goes before what is said of all around it.
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(Fields(fields)) = span.extensions().get() {
                line.0.extend(fields.clone());
            }
        }
        event.record(&mut line);
        let Fields(mut line) = line;
        let mut timestamp = String::new();
        if Rfc3339.format_time(&mut Writer::new(&mut timestamp)).is_ok() {
            line.insert("timestamp".to_owned(), timestamp.into());
        }
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        metrics::declare(&mut line, &self.service, milliseconds(now));
        // In one piece, so that lines do not mix. Whom could it be told that the log cannot be written?
        let text = format!("{}\n", Value::Object(line));
        let _ = self.writer.make_writer_for(event.metadata()).write_all(text.as_bytes());
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What was recorded, as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged from this level on while `act` runs.
    pub(crate) fn lines(level: Level, act: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(json_log("media", level, move || writer.clone()), act);
        let bytes = written.0.lock().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_the_fields_of_the_event_and_of_what_is_around_it() {
        let lines = lines(Level::INFO, || {
            let span =
                tracing::error_span!("invocation", request_id = "r", caller_id = tracing::field::Empty);
            let _entered = span.enter();
            tracing::Span::current().record("caller_id", "c");
            tracing::warn!(count = 3, ratio = 0.5, missing = None::<u64>, error = %"a \"b\"\n", "it failed");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let mut line = line.clone();
        let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(timestamp.as_str().unwrap().ends_with('Z'), "{timestamp}");
        let expected = serde_json::json!({
            "level": "WARN",
            "target": "api::log::tests",
            "message": "it failed",
            "request_id": "r",
            "caller_id": "c",
            "count": 3,
            "ratio": 0.5,
            "error": "a \"b\"\n",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn below_the_level_only_metrics_are_written() {
        let act = || {
            let span = tracing::error_span!("invocation", request_id = "r");
            let _entered = span.enter();
            tracing::debug!("a whole request");
            tracing::info!("processed");
            tracing::info!({ metrics::UPLOADS_READY } = 1, "ready");
            tracing::error!("failed");
        };
        let messages = |level| -> Vec<String> {
            let lines = lines(level, act);
            assert!(lines.iter().all(|line| line["request_id"] == "r"));
            lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(messages(Level::ERROR), ["ready", "failed"]);
        assert_eq!(messages(Level::INFO), ["processed", "ready", "failed"]);
        assert_eq!(messages(Level::TRACE), ["processed", "ready", "failed"]);
    }
}
