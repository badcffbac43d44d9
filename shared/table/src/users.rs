//! Users, the e-mails that they have taken, and their sessions.

use domain::{Email, Role, Session, User, UserId};
use serde::{Deserialize, Serialize};

use crate::Table;
use crate::error::{ChangeError, CreateUserError, TableError};
use crate::item::to_item;
use crate::keys::{Key, user_index};
use crate::transaction::{Committed, Condition};

/// Says whose e-mail an address is.
#[derive(Serialize, Deserialize)]
struct TakenEmail {
    user_id: UserId,
}

impl Table {
    /// The user with this id.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, TableError> {
        self.get_value(&Key::user(id)).await
    }

    /// Whose e-mail this is.
    pub async fn user_id_by_email(&self, email: &Email) -> Result<Option<UserId>, TableError> {
        let taken: Option<TakenEmail> = self.get_value(&Key::email(email)).await?;
        Ok(taken.map(|taken| taken.user_id))
    }

    /// Creates a user. Of several who ask for one e-mail at the same time, one gets it.
    pub async fn create_user(&self, user: &User) -> Result<(), CreateUserError> {
        let taken = TakenEmail { user_id: user.id };
        let mut transaction = self
            .transaction()
            .put(to_item(&Key::email(&user.email), Vec::new(), &taken)?, &Condition::Absent)
            .put(to_item(&Key::user(user.id), user_index(user.id), user)?, &Condition::Absent);
        if user.role == Role::Admin {
            transaction = transaction.add(&Key::admins(), "count", 1);
        }
        match self.commit(transaction).await? {
            Committed::Yes => Ok(()),
            Committed::ConditionsFailed(_) => Err(CreateUserError::EmailTaken),
        }
    }

    /// Replaces a user by what they become, and keeps count of the admins.
    pub async fn change_user(&self, previous: &User, user: &User) -> Result<(), ChangeError> {
        let condition = Condition::Version(previous.version);
        let mut transaction =
            self.transaction().put(to_item(&Key::user(user.id), user_index(user.id), user)?, &condition);
        let admins = i128::from(user.role == Role::Admin) - i128::from(previous.role == Role::Admin);
        if admins != 0 {
            transaction = transaction.add(&Key::admins(), "count", admins);
        }
        match self.commit(transaction).await? {
            Committed::Yes => Ok(()),
            Committed::ConditionsFailed(_) => Err(ChangeError::Outdated),
        }
    }

    /// Keeps a session.
    pub async fn put_session(&self, session: &Session) -> Result<(), TableError> {
        let item = to_item(&Key::session(session.user_id, session.id), Vec::new(), session)?;
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .send()
            .await
            .map_err(|error| TableError::of("PutItem", &error))?;
        Ok(())
    }
}
