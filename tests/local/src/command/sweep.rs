//! `cargo local sweep`: what the schedule would do, now.
//!
//! The function of the crate `sweep` is invoked as its schedule invokes it: in the stack that runs on the data directory,
//! else in one that is started for it and stopped again.

use serde_json::Value;

use super::{Sweep, data_directory};
use crate::control::{self, ControlError};
use crate::schedule::RunScheduleError;
use crate::{DataDirectory, LocalStack, Options, StartError};

/// The crate behind the schedule.
const FUNCTION: &str = "sweep";

/// Why nothing was swept.
#[derive(Debug, thiserror::Error)]
pub(super) enum SweepError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Run(#[from] RunScheduleError),
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Sweeps, and prints the function's answer.
pub(super) async fn sweep(options: Sweep) -> Result<(), SweepError> {
    let started = Options {
        parameters: options.parameters.into_iter().collect(),
        data_directory: DataDirectory::Persistent(data_directory(options.data_dir)),
        ..Options::default()
    };
    println!("{}", run(started).await?);
    Ok(())
}

async fn run(options: Options) -> Result<Value, SweepError> {
    match LocalStack::start(options).await {
        Ok(stack) => {
            let answer = stack.run_schedule(FUNCTION).await;
            stack.shut_down().await;
            Ok(answer?)
        }
        Err(StartError::DataDirectoryInUse(directory)) => {
            Ok(control::run_schedule(&directory, FUNCTION).await?)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::path::Path;

    use api::event_function;
    use serde_json::json;

    use super::*;
    use crate::functions::Registry;

    /// A stack whose `sweep` answers with its event; scheduled, or not.
    fn options(directory: &Path, scheduled: bool) -> Options {
        let schedule = json!({"Type": "ScheduleV2", "Properties": {
            "ScheduleExpression": "rate(5 minutes)", "Input": "{\"limit\": 3}",
        }});
        let events = if scheduled { json!({"Often": schedule}) } else { json!({}) };
        let function = json!({
            "Type": "AWS::Serverless::Function",
            "Metadata": {"BuildProperties": {"Binary": "sweep"}},
            "Properties": {"Events": events},
        });
        let template = directory.join("template.yaml");
        std::fs::write(&template, json!({"Resources": {"Sweep": function}}).to_string()).unwrap();
        let functions = Registry::default().with("sweep", |_| async {
            Ok(event_function((), |_, event: Value| async move {
                if event["limit"] == 3 {
                    Ok(json!({"swept": event["limit"]}))
                } else {
                    Err("no limit".into())
                }
            }))
        });
        let data_directory = DataDirectory::Persistent(directory.join("data"));
        Options { template, data_directory, functions, ..Options::default() }
    }

    #[tokio::test]
    async fn it_sweeps_in_a_stack_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(run(options(directory.path(), true)).await.unwrap(), json!({"swept": 3}));
        // Nothing of it is left running.
        assert_eq!(run(options(directory.path(), true)).await.unwrap(), json!({"swept": 3}));
    }

    #[tokio::test]
    async fn it_sweeps_in_the_stack_that_runs() {
        let directory = tempfile::tempdir().unwrap();
        let stack = LocalStack::start(options(directory.path(), true)).await.unwrap();
        assert_eq!(run(options(directory.path(), true)).await.unwrap(), json!({"swept": 3}));
        let file = stack.data_directory().join("control.json");
        #[cfg(unix)]
        {
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600, "for the user only");
        }
        let door = std::fs::read_to_string(&file).unwrap();
        let mut other: Value = serde_json::from_str(&door).unwrap();
        other["token"] = json!("guessed");
        std::fs::write(&file, other.to_string()).unwrap();
        let error = run(options(directory.path(), true)).await.unwrap_err().to_string();
        assert_eq!(error, "the token is not that of the data directory");
        stack.shut_down().await;
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_template_without_the_schedule_is_told_apart_from_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let expected = "the template has no schedule for a function of the crate sweep (it has none at all)";
        let error = run(options(directory.path(), false)).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        let stack = LocalStack::start(options(directory.path(), false)).await.unwrap();
        let error = run(options(directory.path(), false)).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        stack.shut_down().await;

        let without_input = Options {
            template_edit: Some(Box::new(|tree| {
                let event = &mut tree["Resources"]["Sweep"]["Properties"]["Events"]["Often"]["Properties"];
                event.as_object_mut().unwrap().remove("Input");
            })),
            ..options(directory.path(), true)
        };
        let error = run(without_input).await.unwrap_err();
        assert_eq!(error.to_string(), "Sweep failed: Error: no limit");
    }

    #[tokio::test]
    async fn a_stack_that_does_not_answer_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let stack = LocalStack::start(options(directory.path(), true)).await.unwrap();
        std::fs::remove_file(stack.data_directory().join("control.json")).unwrap();
        let error = run(options(directory.path(), true)).await.unwrap_err().to_string();
        assert!(error.contains("does not answer") && error.contains("data"), "{error}");
        stack.shut_down().await;
    }
}
