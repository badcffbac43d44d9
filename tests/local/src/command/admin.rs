//! The first admin account, made through the `create-admin` function as on AWS: there is no other way to one. The data
//! directory remembers which accounts were made, never a password.

use std::path::PathBuf;

use serde_json::json;

use crate::LocalStack;
use crate::demo::random;
use crate::functions::InvocationError;

const DEFAULT_EMAIL: &str = "admin@example.com";

/// What became of the admin account.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admin {
    /// Made just now; with the password, where it was not given.
    Made { email: String, password: Option<String> },
    /// Made at an earlier start.
    Kept { email: String },
    /// The template has no function that makes one, and none was asked for.
    NotInTemplate,
}

/// Why there is no admin account.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error("the template has no function of the crate create-admin")]
    NoFunction,
    #[error("the admin account {email} could not be made: {source}")]
    Invocation { email: String, source: InvocationError },
    #[error("no random password could be made")]
    Random(#[from] random::NoRandomness),
    #[error("{}: {source}", path.display())]
    State { path: PathBuf, source: std::io::Error },
}

/// Makes the account, unless an earlier start has made it, or nobody asked for one that the template cannot make.
pub(super) async fn ensure(
    stack: &LocalStack,
    email: Option<String>,
    password: Option<String>,
) -> Result<Admin, AdminError> {
    if email.is_none() && stack.function_of_binary("create-admin").is_none() {
        return Ok(Admin::NotInTemplate);
    }
    let email = email.unwrap_or_else(|| DEFAULT_EMAIL.to_owned());
    let path = stack.data_directory().join("admins.json");
    let failed = |source| AdminError::State { path: path.clone(), source };
    let mut made: Vec<String> = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    if made.contains(&email) {
        return Ok(Admin::Kept { email });
    }
    let function = stack.function_of_binary("create-admin").ok_or(AdminError::NoFunction)?;
    let generated = if password.is_none() { Some(random::password()?) } else { None };
    let event = json!({"email": email, "password": password.or_else(|| generated.clone())});
    stack
        .invoke(&function.logical_id, event)
        .await
        .map_err(|source| AdminError::Invocation { email: email.clone(), source })?;
    made.push(email.clone());
    let bytes = serde_json::to_vec(&made).map_err(|error| failed(error.into()))?;
    std::fs::write(&path, bytes).map_err(failed)?;
    Ok(Admin::Made { email, password: generated })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::sync::{Arc, Mutex};

    use api::event_function;
    use serde_json::Value;

    use super::*;
    use crate::functions::Registry;
    use crate::{DataDirectory, Options};

    type Events = Arc<Mutex<Vec<Value>>>;

    async fn start(directory: &std::path::Path, events: &Events) -> LocalStack {
        let template = directory.join("template.yaml");
        let function = json!({
            "Type": "AWS::Serverless::Function",
            "Metadata": {"BuildProperties": {"Binary": "create-admin"}},
        });
        std::fs::write(&template, json!({"Resources": {"Admin": function}}).to_string()).unwrap();
        let events = Arc::clone(events);
        let functions = Registry::default().with("create-admin", move |_| {
            let events = Arc::clone(&events);
            async move {
                Ok(event_function(events, |events: Arc<Events>, event: Value| async move {
                    events.lock().unwrap().push(event.clone());
                    if event["password"] == "weak" { Err("too weak".into()) } else { Ok(json!({"id": "1"})) }
                }))
            }
        });
        let data_directory = DataDirectory::Persistent(directory.join("data"));
        LocalStack::start(Options { template, data_directory, functions, ..Options::default() })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn an_admin_is_made_once_and_its_password_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let events = Events::default();

        let stack = start(directory.path(), &events).await;
        let Admin::Made { email, password: Some(password) } = ensure(&stack, None, None).await.unwrap()
        else {
            panic!("no password");
        };
        assert_eq!(*events.lock().unwrap(), [json!({"email": email, "password": password})]);
        let kept = std::fs::read_to_string(stack.data_directory().join("admins.json")).unwrap();
        assert!(!kept.contains(&password));
        stack.shut_down().await;

        let stack = start(directory.path(), &events).await;
        assert_eq!(ensure(&stack, None, None).await.unwrap(), Admin::Kept { email });
        let other = Some("root@example.com".to_owned());
        let made = ensure(&stack, other.clone(), Some("a good password".to_owned())).await.unwrap();
        assert_eq!(made, Admin::Made { email: "root@example.com".to_owned(), password: None });
        assert_eq!(events.lock().unwrap().len(), 2);
        assert_eq!(events.lock().unwrap()[1]["password"], "a good password");
        stack.shut_down().await;
    }

    #[tokio::test]
    async fn a_template_without_admins_starts_unless_one_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let template = directory.path().join("template.yaml");
        std::fs::write(&template, json!({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}).to_string())
            .unwrap();
        let stack = LocalStack::start(Options { template, ..Options::default() }).await.unwrap();
        assert_eq!(ensure(&stack, None, None).await.unwrap(), Admin::NotInTemplate);
        let asked = ensure(&stack, Some("a@example.com".to_owned()), None).await;
        assert!(matches!(asked, Err(AdminError::NoFunction)));
        stack.shut_down().await;
    }

    #[tokio::test]
    async fn a_refusal_is_told_and_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let events = Events::default();
        let stack = start(directory.path(), &events).await;
        let weak = || ensure(&stack, Some("a@example.com".to_owned()), Some("weak".to_owned()));
        assert!(weak().await.unwrap_err().to_string().contains("too weak"));
        assert!(weak().await.is_err());
        assert_eq!(events.lock().unwrap().len(), 2);
        stack.shut_down().await;
    }
}
