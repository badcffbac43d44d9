//! A function's own binary, run as Lambda runs it: a process with the function's environment and nothing of this one's,
//! which asks a Runtime API for one event after the other.
//!
//! The process dies with its [`Bootstrap`]. What it writes to standard output and standard error is kept, line by line as
//! it comes; on Lambda that is the function's log.

mod runtime_api;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use self::runtime_api::{Outcome, RuntimeApi};
use crate::functions::{Invocation, InvocationError};
use crate::stack::Function;

/// A running process. It handles one event at a time, as an instance on Lambda does.
#[derive(Debug)]
pub struct Bootstrap {
    function: Function,
    process: Child,
    runtime_api: RuntimeApi,
    log: Arc<Mutex<String>>,
    readers: [JoinHandle<()>; 2],
}

impl Bootstrap {
    /// Starts a function's binary with these variables, those that Lambda gives a function included. Init goes on when this
    /// returns.
    pub async fn start(
        binary: &Path,
        function: &Function,
        environment: &BTreeMap<String, String>,
    ) -> io::Result<Self> {
        let runtime_api = RuntimeApi::start(function).await?;
        let mut process = Command::new(binary)
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.address().to_string())
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("_HANDLER", "bootstrap")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let log = Arc::default();
        let (output, errors) = (process.stdout.take(), process.stderr.take());
        let readers = [keep_lines(output, Arc::clone(&log)), keep_lines(errors, Arc::clone(&log))];
        Ok(Self { function: function.clone(), process, runtime_api, log, readers })
    }

    /// Hands an event over as it is, whatever it is, and waits for the answer, at most as long as the function's timeout.
    /// After that, or if the process ends, nothing more can be asked of it.
    pub async fn invoke(&mut self, event: Bytes) -> Result<Value, InvocationError> {
        let timeout = self.function.timeout;
        let answer = self.runtime_api.invoke(event, Invocation::new());
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(timeout, answer) => outcome,
            status = self.process.wait() => return Err(exited(status)),
        };
        match outcome {
            Ok(Some(Outcome::Answer(answer))) => {
                serde_json::from_slice(&answer).map_err(|error| InvocationError::Function {
                    error_type: "Runtime.MarshalError".to_owned(),
                    message: error.to_string(),
                })
            }
            Ok(Some(Outcome::Error { error_type, message })) => {
                Err(InvocationError::Function { error_type, message })
            }
            Ok(None) => Err(InvocationError::Killed),
            Err(_) => {
                if let Err(error) = self.process.start_kill() {
                    tracing::warn!(%error, "a process that timed out could not be killed");
                }
                Err(InvocationError::TimedOut(timeout))
            }
        }
    }

    /// The process's id, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits until the process has ended by itself; how it ended, and all that it wrote.
    pub async fn ended(mut self) -> io::Result<(ExitStatus, String)> {
        let status = self.process.wait().await?;
        for reader in self.readers {
            // A reader that panicked has lost lines, which whoever looks for them finds out.
            let _ = reader.await;
        }
        Ok((status, lock(&self.log).clone()))
    }

    /// What the process has written so far.
    pub fn log(&self) -> String {
        lock(&self.log).clone()
    }
}

fn exited(status: io::Result<ExitStatus>) -> InvocationError {
    status.map_or(InvocationError::Killed, InvocationError::Exited)
}

fn keep_lines(
    source: Option<impl AsyncRead + Unpin + Send + 'static>,
    log: Arc<Mutex<String>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(source) = source else { return };
        let mut lines = BufReader::new(source).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut log = lock(&log);
            log.push_str(&line);
            log.push('\n');
        }
    })
}

fn lock(log: &Mutex<String>) -> std::sync::MutexGuard<'_, String> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
