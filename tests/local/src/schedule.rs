//! Schedules: a function invoked at a fixed rate, as EventBridge Scheduler does it.
//!
//! Only `rate(…)` is interpreted; `cron(…)` and `at(…)` are refused at start. The first invocation comes one interval
//! after the start; [`Runner`] runs one at once.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::functions::{Functions, Invocation, InvocationError};
use crate::stack::{Schedule, Stack};

/// An expression that is not interpreted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule expression {expression} of {function} is not supported by the local stack (only rate(…))")]
pub struct UnsupportedSchedule {
    /// The expression.
    pub expression: String,
    /// Logical id of the function.
    pub function: String,
}

/// Why a schedule was not run.
#[derive(Debug, thiserror::Error)]
pub enum RunScheduleError {
    /// No schedule invokes a function of this crate.
    #[error("the template has no schedule for a function of the crate {name} (it has {})", list(known))]
    NoSchedule {
        /// The crate that was asked for.
        name: String,
        /// The crates of the functions that are scheduled.
        known: Vec<String>,
    },
    /// The function failed.
    #[error("{function} failed: {source}")]
    Invocation {
        /// Logical id of the function.
        function: String,
        /// How.
        source: InvocationError,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
}

/// Runs schedules out of turn.
#[derive(Clone)]
pub struct Runner {
    /// Each with the crate of its function.
    schedules: Vec<(String, Schedule)>,
    functions: Functions,
}

impl Runner {
    fn new(stack: &Stack, functions: &Functions) -> Self {
        let schedules = stack.schedules.iter().filter_map(|schedule| {
            let function = stack.functions.get(&schedule.function)?;
            Some((function.binary.clone(), schedule.clone()))
        });
        Self { schedules: schedules.collect(), functions: functions.clone() }
    }

    /// Invokes the function of the crate `name` now, as its schedule would (the first of several), and returns its answer.
    pub async fn run(&self, name: &str) -> Result<Value, RunScheduleError> {
        let (_, schedule) = self.schedules.iter().find(|(binary, _)| binary == name).ok_or_else(|| {
            let known = self.schedules.iter().map(|(binary, _)| binary.clone()).collect();
            RunScheduleError::NoSchedule { name: name.to_owned(), known }
        })?;
        invoke(schedule, &self.functions)
            .await
            .map_err(|source| RunScheduleError::Invocation { function: schedule.function.clone(), source })
    }
}

/// The running schedules of a stack.
pub struct Schedules {
    runner: Runner,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Schedules {
    /// Starts every schedule of the stack.
    pub fn start(stack: &Stack, functions: &Functions) -> Result<Self, UnsupportedSchedule> {
        let mut rates = Vec::new();
        for schedule in &stack.schedules {
            let interval = rate(&schedule.expression).ok_or_else(|| UnsupportedSchedule {
                expression: schedule.expression.clone(),
                function: schedule.function.clone(),
            })?;
            rates.push((schedule.clone(), interval));
        }
        let (stop, _) = watch::channel(false);
        let tasks = rates
            .into_iter()
            .map(|(schedule, interval)| {
                tokio::spawn(run(schedule, interval, functions.clone(), stop.subscribe()))
            })
            .collect();
        Ok(Self { runner: Runner::new(stack, functions), stop, tasks })
    }

    /// What runs one of them out of turn.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// Starts no more invocations, and waits for those that run.
    pub async fn shut_down(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a schedule did not stop cleanly");
            }
        }
    }
}

async fn run(
    schedule: Schedule,
    interval: Duration,
    functions: Functions,
    mut stopped: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            _ = ticks.tick() => {}
        }
        // A failure is logged by the invocation; the next one comes at the next tick.
        let _ = invoke(&schedule, &functions).await;
    }
}

async fn invoke(schedule: &Schedule, functions: &Functions) -> Result<Value, InvocationError> {
    let event = schedule.input.clone().unwrap_or_else(default_event);
    functions.invoke(&schedule.function, event, Invocation::new()).await
}

/// What a schedule without `Input` sends.
fn default_event() -> Value {
    json!({
        "version": "0",
        "id": Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "resources": [],
        "detail": "{}",
    })
}

fn rate(expression: &str) -> Option<Duration> {
    let inside = expression.strip_prefix("rate(")?.strip_suffix(')')?;
    let (value, unit) = inside.trim().split_once(' ')?;
    let value: u64 = value.parse().ok().filter(|value| *value > 0)?;
    let seconds = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => return None,
    };
    value.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::collections::BTreeMap;
    use std::sync::Arc;

    use api::event_function;
    use tokio::sync::mpsc;

    use super::*;
    use crate::functions::Registry;
    use crate::stack::Function;

    #[test]
    fn rates() {
        assert_eq!(rate("rate(5 minutes)"), Some(Duration::from_mins(5)));
        assert_eq!(rate("rate(1 hour)"), Some(Duration::from_hours(1)));
        assert_eq!(rate("rate(2 days)"), Some(Duration::from_hours(48)));
        for other in
            ["cron(0 12 * * ? *)", "rate(5)", "rate(0 minutes)", "rate(5 weeks)", "at(2026-01-01T00:00:00)"]
        {
            assert_eq!(rate(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_function_is_invoked_again_and_again() {
        let (sender, mut events) = mpsc::unbounded_channel();
        let registry = Registry::default().with("sweep", move |_| {
            let sender = sender.clone();
            async move {
                Ok(event_function(
                    sender,
                    |sender: Arc<mpsc::UnboundedSender<Value>>, event: Value| async move {
                        sender.send(event).map_err(|error| error.to_string())?;
                        Err::<Value, _>("a failure does not stop the schedule".into())
                    },
                ))
            }
        });
        let environment = api::Environment::new(BTreeMap::new(), api::Clock::system());
        let instance = registry.get("sweep").unwrap()(environment).await.unwrap();
        let function = Function {
            logical_id: "Sweep".to_owned(),
            name: "sweep".to_owned(),
            arn: String::new(),
            binary: "sweep".to_owned(),
            role_arn: String::new(),
            environment: BTreeMap::new(),
            timeout: Duration::from_secs(3),
            memory_mib: 128,
            policies: Vec::new(),
            permissions_boundary: None,
        };
        let functions = Functions::new([(function, instance)]);
        let input = Some(json!({"a": 1}));
        let schedule = Schedule { function: "Sweep".to_owned(), expression: String::new(), input };
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(run(schedule, Duration::from_millis(1), functions, stopped));
        for _ in 0..3 {
            assert_eq!(events.recv().await, Some(json!({"a": 1})));
        }
        stop.send_replace(true);
        running.await.unwrap();
    }
}
