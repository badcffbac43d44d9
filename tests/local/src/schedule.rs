//! Schedules: a function invoked at a fixed rate, as EventBridge Scheduler does it.
//!
//! Only `rate(…)` is interpreted; `cron(…)` and `at(…)` are refused at start. The first invocation comes one interval
//! after the start.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::functions::{Functions, Invocation};
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

/// The running schedules of a stack.
#[derive(Debug)]
pub struct Schedules {
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
        Ok(Self { stop, tasks })
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
        let event = schedule.input.clone().unwrap_or_else(default_event);
        // A failure is logged by the invocation; the next one comes at the next tick.
        let _ = functions.invoke(&schedule.function, event, Invocation::new()).await;
    }
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
