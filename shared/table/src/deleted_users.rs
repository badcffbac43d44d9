//! Users who are deleted. What is left of one takes the place of their record in the transaction that frees their e-mail
//! and writes the work that is owed, so that from then on nobody finds a user there.

use domain::{DeletedUser, Timestamp, User, UserId};
use serde::Deserialize;

use crate::Table;
use crate::error::{ChangeError, ChangeUserError, TableError};
use crate::item::{Item, from_item, to_item};
use crate::keys::Key;
use crate::transaction::Condition;
use crate::users::count_admins;
use crate::work::{DueWork, replace};

/// What is stored under a user's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// A user.
    User(Box<User>),
    /// A user who is deleted.
    Deleted(DeletedUser),
    /// Nothing.
    Absent,
}

/// `deleted_at` tells one from the other.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredAccount {
    Deleted(DeletedUser),
    User(Box<User>),
}

impl Table {
    /// What is stored under this id.
    pub async fn account(&self, id: UserId, now: Timestamp) -> Result<Account, TableError> {
        let Some(item) = self.get(&Key::user(id)).await? else { return Ok(Account::Absent) };
        Ok(match from_item(item)? {
            StoredAccount::User(user) => Account::User(user),
            StoredAccount::Deleted(deleted) if deleted.is_remembered(now) => Account::Deleted(deleted),
            StoredAccount::Deleted(_) => Account::Absent,
        })
    }

    /// Deletes a user in the name of `admin_id`, who has to be an admin when it is written, and may be the user. The last
    /// admin who is not shut out stays.
    pub async fn delete_user(
        &self,
        admin_id: UserId,
        user: &User,
        deleted: &DeletedUser,
    ) -> Result<(), ChangeUserError> {
        let is_own = admin_id == user.id;
        let item = to_item(&Key::user(user.id), Vec::new(), deleted)?;
        let mut transaction = self.transaction().put(item, &Condition::Version(user.version));
        if !is_own {
            transaction = transaction.check_admin(&Key::user(admin_id));
        }
        let transaction = transaction.delete(&Key::email(&user.email));
        let transaction = replace(transaction, None, DueWork::of_deleted(deleted))?;
        match self.commit(count_admins(transaction, Some(user), None)).await?.first_failed() {
            None => Ok(()),
            Some(0) => Err(ChangeUserError::Outdated),
            Some(1) if !is_own => Err(ChangeUserError::NotAdmin),
            Some(_) => Err(ChangeUserError::LastAdmin),
        }
    }

    /// Records how far the deletion of a user has come.
    pub async fn change_deleted_user(
        &self,
        previous: &DeletedUser,
        deleted: &DeletedUser,
    ) -> Result<(), ChangeError> {
        let item = to_item(&Key::user(deleted.id), Vec::new(), deleted)?;
        let transaction = self.transaction().put(item, &Condition::Version(previous.version));
        let (before, after) = (DueWork::of_deleted(previous), DueWork::of_deleted(deleted));
        match self.commit(replace(transaction, before, after)?).await?.first_failed() {
            None => Ok(()),
            Some(_) => Err(ChangeError::Outdated),
        }
    }
}

/// A user, unless they are deleted.
pub(crate) fn read_user(item: Item) -> Result<Option<User>, TableError> {
    Ok(match from_item(item)? {
        StoredAccount::User(user) => Some(*user),
        StoredAccount::Deleted(_) => None,
    })
}
