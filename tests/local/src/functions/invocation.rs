//! One invocation: context, limits, timeout, panic.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Config, Context};
use serde_json::{Value, json};
use uuid::Uuid;

use super::registry::Instance;
use super::running::Running;
use crate::stack::Function;

/// Lambda's limit on the event and on the answer of a synchronous invocation: 6 MB.
pub(crate) const PAYLOAD_LIMIT_BYTES: usize = 6 * 1024 * 1024;

/// Why an invocation gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// The stack has no such function.
    #[error("there is no function {0} in the template")]
    UnknownFunction(String),
    /// The function answered with an error, or panicked.
    #[error("{error_type}: {message}")]
    Function {
        /// Lambda's `errorType`.
        error_type: String,
        /// Lambda's `errorMessage`.
        message: String,
    },
    /// The function did not answer in the time that the template gives it.
    #[error("Task timed out after {:.2} seconds", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The invocation was killed from outside.
    #[error("Runtime exited with error: signal: killed")]
    Killed,
    /// The process of the function ended instead of answering.
    #[error("Runtime exited with error: {0}")]
    Exited(ExitStatus),
    /// The event is larger than 6 MB.
    #[error("{0} byte payload is too large for an invocation (limit {PAYLOAD_LIMIT_BYTES} bytes)")]
    RequestTooLarge(usize),
    /// The answer is larger than 6 MB.
    #[error(
        "response payload size ({0} bytes) exceeded maximum allowed payload size ({PAYLOAD_LIMIT_BYTES} bytes)"
    )]
    ResponseTooLarge(usize),
}

impl InvocationError {
    /// The answer of Lambda's Invoke API to a function error.
    pub fn to_json(&self) -> Value {
        let error_type = match self {
            Self::UnknownFunction(_) => "ResourceNotFoundException",
            Self::Function { error_type, .. } => error_type,
            Self::TimedOut(_) => "Sandbox.Timedout",
            Self::Killed | Self::Exited(_) => "Runtime.ExitError",
            Self::RequestTooLarge(_) => "RequestTooLargeException",
            Self::ResponseTooLarge(_) => "Function.ResponseSizeTooLarge",
        };
        let message = match self {
            Self::Function { message, .. } => message.clone(),
            other => other.to_string(),
        };
        json!({"errorType": error_type, "errorMessage": message})
    }
}

/// What an invocation is told besides its event.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// `X-Amzn-Trace-Id` as Lambda hands it over.
    pub trace_id: String,
}

impl Invocation {
    /// A new invocation with ids of its own.
    pub fn new() -> Self {
        Self { request_id: Uuid::new_v4().to_string(), trace_id: trace_id() }
    }
}

impl Default for Invocation {
    fn default() -> Self {
        Self::new()
    }
}

/// An X-Ray trace id: version, epoch seconds in hexadecimal, 96 random bits.
pub(crate) fn trace_id() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{}", &random[..24])
}

/// The functions that run, by logical id. Cheap to clone.
#[derive(Clone, Default)]
pub struct Functions {
    functions: Arc<BTreeMap<String, (Function, Instance)>>,
    running: Arc<Running>,
}

impl Functions {
    /// These functions, each with what the template says of it.
    pub fn new(functions: impl IntoIterator<Item = (Function, Instance)>) -> Self {
        let functions = functions
            .into_iter()
            .map(|(function, instance)| (function.logical_id.clone(), (function, instance)))
            .collect();
        Self { functions: Arc::new(functions), running: Arc::default() }
    }

    /// Ends every running invocation of a function as Lambda ends one whose sandbox crashes, and returns how many there
    /// were. Whoever waits for one gets [`InvocationError::Killed`].
    pub fn kill(&self, logical_id: &str) -> usize {
        self.running.kill(logical_id)
    }

    /// Invokes a function and waits for its answer, at most as long as its timeout.
    pub async fn invoke(
        &self,
        logical_id: &str,
        event: Value,
        invocation: Invocation,
    ) -> Result<Value, InvocationError> {
        let (function, instance) = self
            .functions
            .get(logical_id)
            .ok_or_else(|| InvocationError::UnknownFunction(logical_id.to_owned()))?;
        let size = size_bytes(&event);
        if size > PAYLOAD_LIMIT_BYTES {
            return Err(InvocationError::RequestTooLarge(size));
        }
        let context = context(function, invocation);
        // A task of its own, so that a panic ends the invocation only.
        let timeout = function.timeout;
        let work = Arc::clone(instance).invoke(event, context);
        let answer = match self.running.spawn(logical_id, tokio::time::timeout(timeout, work)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(InvocationError::TimedOut(timeout)),
            Err(error) if error.is_cancelled() => Err(InvocationError::Killed),
            Err(error) => Err(panicked(error)),
        };
        let answer = answer.and_then(|answer| match size_bytes(&answer) {
            size if size > PAYLOAD_LIMIT_BYTES => Err(InvocationError::ResponseTooLarge(size)),
            _ => Ok(answer),
        });
        if let Err(error) = &answer {
            tracing::error!(function = logical_id, %error, "the invocation failed");
        }
        answer
    }
}

fn size_bytes(payload: &Value) -> usize {
    payload.to_string().len()
}

fn panicked(error: tokio::task::JoinError) -> InvocationError {
    let message = match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "the function panicked".to_owned()),
        Err(error) => error.to_string(),
    };
    InvocationError::Function { error_type: "Panic".to_owned(), message }
}

fn context(function: &Function, invocation: Invocation) -> Context {
    let deadline = SystemTime::now() + function.timeout;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut context = Context::default();
    context.request_id = invocation.request_id;
    context.deadline = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    context.invoked_function_arn.clone_from(&function.arn);
    context.xray_trace_id = Some(invocation.trace_id);
    context.env_config = Arc::new(Config {
        function_name: function.name.clone(),
        memory: i32::try_from(function.memory_mib).unwrap_or(i32::MAX),
        version: "$LATEST".to_owned(),
        log_stream: String::new(),
        log_group: format!("/aws/lambda/{}", function.name),
    });
    context
}
