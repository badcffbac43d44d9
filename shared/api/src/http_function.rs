//! Functions behind the HTTP API.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use domain::Quota;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use lambda_http::Body;
use lambda_http::request::LambdaRequest;
use lambda_runtime::{Error, LambdaEvent};
use tracing::Instrument as _;

use crate::answer::Answer;
use crate::function::Function;
use crate::invocation::invocation_span;
use crate::metrics;
use crate::problem::{Problem, whole_seconds};
use crate::request::Request;

/// What a request may take, all calls and retries included: less than API Gateway's 30 s, so that the client gets an
/// answer of ours. <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const REQUEST_BUDGET: Duration = Duration::from_secs(25);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATELIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// A function behind the HTTP API: `handle(state, request)`.
pub fn http_function<S, F, Fut>(
    state: S,
    handle: F,
) -> impl Function<Event = LambdaRequest, Answer = ApiGatewayV2httpResponse>
where
    S: Send + Sync + 'static,
    F: Fn(Arc<S>, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    HttpFunction { state: Arc::new(state), handle, is_cold: AtomicBool::new(true) }
}

struct HttpFunction<S, F> {
    state: Arc<S>,
    handle: F,
    is_cold: AtomicBool,
}

impl<S, F, Fut> Function for HttpFunction<S, F>
where
    S: Send + Sync + 'static,
    F: Fn(Arc<S>, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    type Event = LambdaRequest;
    type Answer = ApiGatewayV2httpResponse;

    async fn call(&self, event: LambdaEvent<LambdaRequest>) -> Result<ApiGatewayV2httpResponse, Error> {
        let begun = Instant::now();
        let request = Request::of(event.payload);
        let span = invocation_span(&event.context, request.request_id(), Some(request.route()));
        self.answer(request, begun).instrument(span).await
    }
}

impl<S, F, Fut> HttpFunction<S, F>
where
    F: Fn(Arc<S>, Request) -> Fut,
    Fut: Future<Output = Result<Answer, Problem>>,
{
    async fn answer(&self, request: Request, begun: Instant) -> Result<ApiGatewayV2httpResponse, Error> {
        let (method, request_id) = (request.method().clone(), request.request_id().to_owned());
        let told_quota = request.told_quota();
        let outcome = tokio::time::timeout(REQUEST_BUDGET, (self.handle)(Arc::clone(&self.state), request))
            .await
            .unwrap_or_else(|_| Err(Problem::unavailable("the request's time was used up")));
        let code = outcome.as_ref().err().map(|problem| problem.code().as_str());
        if let Some(problem) = outcome.as_ref().err().and_then(Problem::internal_text) {
            tracing::error!(problem, "the request failed");
        }
        let mut answer = outcome.or_else(|problem| to_answer(&problem, &request_id))?;
        if let Some(quota) = told_quota.get() {
            tell_quota(&mut answer, quota);
        }
        tracing::info!(
            %method,
            status = answer.status.as_u16(),
            code,
            { metrics::DURATION_MS } = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            { metrics::CLIENT_ERRORS } = u8::from(answer.status.is_client_error()),
            { metrics::SERVER_ERRORS } = u8::from(answer.status.is_server_error()),
            { metrics::COLD_STARTS } = u8::from(self.is_cold.swap(false, Ordering::Relaxed)),
            "request"
        );
        Ok(to_response(answer, &request_id))
    }
}

fn to_answer(problem: &Problem, request_id: &str) -> Result<Answer, Error> {
    let code = problem.code();
    let mut answer = Answer::empty(code.status());
    answer.body = Some(Body::Text(serde_json::to_string(&problem.body(request_id))?));
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after_seconds() {
        answer.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if code.status() == StatusCode::UNAUTHORIZED {
        answer.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    Ok(answer)
}

fn tell_quota(answer: &mut Answer, quota: Quota) {
    let reset_seconds = whole_seconds(quota.reset_after);
    answer.headers.insert(RATELIMIT_LIMIT, HeaderValue::from(quota.limit));
    answer.headers.insert(RATELIMIT_REMAINING, HeaderValue::from(quota.remaining));
    answer.headers.insert(RATELIMIT_RESET, HeaderValue::from(reset_seconds));
}

fn to_response(answer: Answer, request_id: &str) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(answer.status.as_u16());
    response.headers = answer.headers;
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers.insert(X_REQUEST_ID, value);
    }
    response.is_base64_encoded = matches!(answer.body, Some(Body::Binary(_)));
    response.body = answer.body;
    response
}
