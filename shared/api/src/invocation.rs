//! What every log line of one invocation says of it.

use lambda_runtime::Context;
use tracing::Span;
use tracing::field::{Empty, display};

/// The span of an invocation. `request_id` is API Gateway's where there is one, which the client sees too. It is there at
/// every log level.
pub(crate) fn invocation_span(context: &Context, request_id: &str, route: Option<&str>) -> Span {
    tracing::error_span!(
        "invocation",
        request_id,
        lambda_request_id = context.request_id,
        trace_id = context.xray_trace_id.as_deref().and_then(trace_id),
        function = context.env_config.function_name,
        route,
        caller_id = Empty,
    )
}

/// Notes who is asking, for the log lines that follow. An id, and nothing else of them.
pub fn note_caller(caller_id: impl std::fmt::Display) {
    Span::current().record("caller_id", display(caller_id));
}

/// The trace of a tracing header, `Root=1-…;Parent=…;Sampled=1`.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
fn trace_id(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_is_the_root_of_the_header() {
        for header in [
            "Root=1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "Self=1-67891234-12456789abcdef012345678; Root=1-5759e988-bd862e3fe1be46a994272793",
        ] {
            assert_eq!(trace_id(header), Some("1-5759e988-bd862e3fe1be46a994272793"), "{header}");
        }
        assert_eq!(trace_id("Sampled=0"), None);
    }
}
