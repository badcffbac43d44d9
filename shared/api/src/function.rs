//! What a Lambda function is here, and how it runs.
//!
//! A function crate exports `build(environment)`, which makes the settings and the clients that it needs and returns a
//! [`Function`]. Its binary is `fn main() { api::run(build) }`; the local stack calls the same `build` and feeds the
//! same event JSON.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use lambda_runtime::{Error, LambdaEvent, Runtime};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use crate::environment::{Environment, EnvironmentError};
use crate::invocation::invocation_span;

/// A Lambda function: one typed event in, one typed answer out. An error is an invocation that failed: Lambda records
/// it, and an asynchronous caller tries again.
pub trait Function: Send + Sync + 'static {
    /// The event, as Lambda's JSON.
    type Event: DeserializeOwned + Send + 'static;
    /// The answer, as Lambda's JSON.
    type Answer: Serialize + Send + 'static;

    /// Handles one event.
    fn call(
        &self,
        event: LambdaEvent<Self::Event>,
    ) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its environment is incomplete.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A key or another resource that it needs at start could not be read.
    #[error("{resource} could not be read: {reason}")]
    Resource {
        /// What was to be read, e.g. the name of the variable that points at it.
        resource: &'static str,
        /// Why not, for the log.
        reason: String,
    },
}

/// A function that is not behind HTTP: `handle(state, event)`.
pub fn event_function<S, E, A, F, Fut>(state: S, handle: F) -> impl Function<Event = E, Answer = A>
where
    S: Send + Sync + 'static,
    E: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Arc<S>, E) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Error>> + Send,
{
    long_event_function(state, move |state, event, _deadline| handle(state, event))
}

/// A function that is not behind HTTP and may have more to do than fits into one invocation: `handle(state, event,
/// deadline)`. At the deadline Lambda ends it, wherever it is.
pub fn long_event_function<S, E, A, F, Fut>(state: S, handle: F) -> impl Function<Event = E, Answer = A>
where
    S: Send + Sync + 'static,
    E: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Arc<S>, E, Instant) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Error>> + Send,
{
    EventFunction { state: Arc::new(state), handle, event: std::marker::PhantomData }
}

struct EventFunction<S, E, F> {
    state: Arc<S>,
    handle: F,
    event: std::marker::PhantomData<fn(E)>,
}

impl<S, E, A, F, Fut> Function for EventFunction<S, E, F>
where
    S: Send + Sync + 'static,
    E: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Arc<S>, E, Instant) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Error>> + Send,
{
    type Event = E;
    type Answer = A;

    async fn call(&self, event: LambdaEvent<E>) -> Result<A, Error> {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let span = invocation_span(&event.context, &event.context.request_id, None);
        let deadline = Instant::now() + left;
        (self.handle)(Arc::clone(&self.state), event.payload, deadline).instrument(span).await
    }
}

/// Runs a function on Lambda until the sandbox is shut down. A function that cannot start logs why and exits with 1,
/// which Lambda reports as an init error. Besides what the function itself needs, `SERVICE_NAME` says whose metrics its
/// log holds.
pub fn run<B, Fut, F>(build: B) -> ExitCode
where
    B: FnOnce(Environment) -> Fut,
    Fut: Future<Output = Result<F, StartError>>,
    F: Function,
{
    let environment = Environment::of_process();
    let service = environment.required("SERVICE_NAME").map(str::to_owned);
    crate::log::initialise(service.as_deref().unwrap_or_default());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the asynchronous runtime could not be started");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        service?;
        let function = Arc::new(Box::pin(build(environment)).await?);
        let service = lambda_runtime::service_fn(move |event| {
            let function = Arc::clone(&function);
            // Boxed, because a handler's future holds those of all its calls: laid out in the runtime's own, they nest
            // deeper than the compiler follows.
            Box::pin(async move { function.call(event).await })
        });
        // `lambda_runtime::run` would put a span of its own around each invocation.
        Runtime::new(service).run().await
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function stopped");
            ExitCode::FAILURE
        }
    }
}
