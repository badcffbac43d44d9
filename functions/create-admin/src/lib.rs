//! Makes an admin. Invoked directly by whoever may invoke functions of this AWS account, never over HTTP.
//!
//! Event: `{"email", "password", "display_name"?}` makes an account that is admin. `{"email"}` alone makes the account
//! that has this e-mail admin, enabled, its password unchanged. Either may be repeated.
//!
//! E-mails are not verified, so an account that is there already may be a stranger's: with a password it is made admin
//! only if that is its password.

use std::sync::Arc;

use api::body::UserBody;
use api::{Clock, Environment, Fields, Function, Problem, StartError, UnknownFields, event_function, text};
use auth::{NewPassword, PasswordCheck, check_password};
use domain::{DisplayName, Email, Invalid, Role, User, UserId, UserPatch};
use lambda_runtime::Error;
use serde_json::Value;
use table::{ChangeUserError, CreateUserError, Table};

/// Somebody else may change the account at the same time; then it is read again.
const ATTEMPTS: usize = 5;

struct State {
    table: Table,
    clock: Clock,
}

struct CreateAdmin {
    email: Email,
    /// Judged, and as it was given.
    password: Option<(NewPassword, String)>,
    display_name: Option<DisplayName>,
}

impl CreateAdmin {
    /// Whether the password is the user's, or none was given.
    fn knows_password_of(&self, user: &User) -> bool {
        self.password
            .as_ref()
            .is_none_or(|(_, password)| check_password(password, &user.password_hash) == PasswordCheck::Right)
    }
}

/// Why there is no admin.
#[derive(Debug, thiserror::Error)]
enum CreateAdminError {
    #[error("{0}")]
    Invalid(String),
    #[error("there is no account with this e-mail; give a password to make one")]
    PasswordMissing,
    #[error(
        "there is an account with this e-mail and another password; make sure whose it is, and give the e-mail alone \
         to make it admin"
    )]
    PasswordWrong,
    #[error("the account kept changing; try again")]
    Contended,
    #[error("{0}")]
    Failed(String),
}

/// The function, with `TABLE_NAME`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State { table: environment.table(&aws)?, clock: environment.clock() };
    Ok(event_function(state, handle))
}

/// Makes the account, or makes it admin, and answers it.
async fn handle(state: Arc<State>, event: Value) -> Result<Value, Error> {
    let asked = parse(event)?;
    for _ in 0..ATTEMPTS {
        if let Some(user) = try_once(&state, &asked).await? {
            tracing::info!(user_id = %user.id, "there is an admin");
            return Ok(serde_json::to_value(UserBody::from(&user))?);
        }
    }
    Err(CreateAdminError::Contended.into())
}

/// `None` if the account changed in between.
async fn try_once(state: &State, asked: &CreateAdmin) -> Result<Option<User>, CreateAdminError> {
    let failed = |error: table::TableError| CreateAdminError::Failed(error.to_string());
    let existing = match state.table.user_id_by_email(&asked.email).await.map_err(failed)? {
        Some(id) => state.table.user(id).await.map_err(failed)?,
        None => None,
    };
    match existing {
        Some(user) if !asked.knows_password_of(&user) => Err(CreateAdminError::PasswordWrong),
        Some(user) if user.is_active_admin() => Ok(Some(user)),
        Some(user) => promote(state, user).await,
        None => create(state, asked).await,
    }
}

async fn promote(state: &State, user: User) -> Result<Option<User>, CreateAdminError> {
    let patch = UserPatch { role: Some(Role::Admin), disabled: Some(false), ..UserPatch::default() };
    let admin = user.patched(patch, None, state.clock.now());
    match state.table.change_user(&user, &admin).await {
        Ok(()) => Ok(Some(admin)),
        Err(ChangeUserError::Outdated) => Ok(None),
        Err(error) => Err(CreateAdminError::Failed(error.to_string())),
    }
}

async fn create(state: &State, asked: &CreateAdmin) -> Result<Option<User>, CreateAdminError> {
    let (password, _) = asked.password.as_ref().ok_or(CreateAdminError::PasswordMissing)?;
    let password_hash = password.hash().map_err(|error| CreateAdminError::Failed(error.to_string()))?;
    let id = UserId::new(state.clock.new_id());
    let (email, display_name) = (asked.email.clone(), asked.display_name.clone());
    let admin = User::new(id, email, display_name, Role::Admin, password_hash, state.clock.now());
    match state.table.create_user(&admin).await {
        Ok(()) => Ok(Some(admin)),
        Err(CreateUserError::EmailTaken) => Ok(None),
        Err(CreateUserError::Table(error)) => Err(CreateAdminError::Failed(error.to_string())),
    }
}

fn parse(event: Value) -> Result<CreateAdmin, CreateAdminError> {
    let invalid = |problem: Problem| CreateAdminError::Invalid(problem.describe());
    let Value::Object(object) = event else {
        return Err(CreateAdminError::Invalid("the event must be a JSON object".to_owned()));
    };
    let mut fields = Fields::new(object, UnknownFields::Refused);
    let email: Option<Email> = fields.required("email", text);
    let display_name: Option<DisplayName> = fields.optional("display_name", text);
    let password = fields.optional("password", |value| {
        let password = value.as_str().ok_or_else(|| Invalid::new("must be a text"))?;
        NewPassword::judge(password, email.as_ref(), display_name.as_ref())
            .map(|new| (new, password.to_owned()))
    });
    let email = fields.finish_with(email).map_err(invalid)?;
    Ok(CreateAdmin { email, password, display_name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wrong_event_says_what_is_wrong() {
        let message = |event| parse(event).err().map(|error| error.to_string());
        assert_eq!(message(json!({"email": "ada@example.com"})), None);
        assert_eq!(
            message(json!({"email": "ada", "password": "short"})).as_deref(),
            Some("/email must be an e-mail address; /password must be 12 to 128 characters long")
        );
        assert_eq!(message(json!([])).as_deref(), Some("the event must be a JSON object"));
    }
}
