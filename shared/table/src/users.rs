//! Users, the e-mails that they have taken, and how many of them are admins.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Email, User, UserId};
use serde::{Deserialize, Serialize};

use crate::Table;
use crate::deleted_users::read_user;
use crate::error::{ChangeUserError, CreateUserError, TableError};
use crate::item::{from_item, to_item};
use crate::keys::{Key, USERS_INDEX, USERS_LISTED, user_index};
use crate::transaction::{Condition, Transaction};

/// Says whose e-mail an address is.
#[derive(Serialize, Deserialize)]
struct TakenEmail {
    user_id: UserId,
}

impl Table {
    /// The user with this id, unless they are deleted.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, TableError> {
        let item = self.get(&Key::user(id)).await?;
        Ok(item.map(read_user).transpose()?.flatten())
    }

    /// Whose e-mail this is.
    pub async fn user_id_by_email(&self, email: &Email) -> Result<Option<UserId>, TableError> {
        let taken: Option<TakenEmail> = self.get_value(&Key::email(email)).await?;
        Ok(taken.map(|taken| taken.user_id))
    }

    /// Users, the newest first: at most `limit` of those that are older than `after`, and whether there are more.
    pub async fn users(&self, limit: usize, after: Option<UserId>) -> Result<(Vec<User>, bool), TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(USERS_INDEX)
            .expression_attribute_values(":users", AttributeValue::S(USERS_LISTED.to_owned()))
            .scan_index_forward(false)
            // One more tells whether there are more.
            .limit(i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX));
        let query = match after {
            None => query.key_condition_expression("GSI1PK = :users"),
            Some(id) => query
                .key_condition_expression("GSI1PK = :users AND GSI1SK < :after")
                .expression_attribute_values(":after", AttributeValue::S(id.to_string())),
        };
        let page = query.send().await.map_err(|error| TableError::of("Query", &error))?;
        let mut users: Vec<User> =
            page.items.unwrap_or_default().into_iter().map(from_item).collect::<Result<_, _>>()?;
        let has_more = users.len() > limit || page.last_evaluated_key.is_some();
        users.truncate(limit);
        Ok((users, has_more))
    }

    /// Creates a user. Of several who ask for one e-mail at the same time, one gets it.
    pub async fn create_user(&self, user: &User) -> Result<(), CreateUserError> {
        let taken = TakenEmail { user_id: user.id };
        let transaction = self
            .transaction()
            .put(to_item(&Key::email(&user.email), Vec::new(), &taken)?, &Condition::Absent)
            .put(to_item(&Key::user(user.id), user_index(user.id), user)?, &Condition::Absent);
        match self.commit(count_admins(transaction, None, Some(user))).await?.first_failed() {
            None => Ok(()),
            Some(_) => Err(CreateUserError::EmailTaken),
        }
    }

    /// Replaces a user by what they become. The last admin who is not shut out stays one.
    pub async fn change_user(&self, previous: &User, user: &User) -> Result<(), ChangeUserError> {
        let transaction = count_admins(self.replace_user(previous, user)?, Some(previous), Some(user));
        match self.commit(transaction).await?.first_failed() {
            None => Ok(()),
            Some(0) => Err(ChangeUserError::Outdated),
            Some(_) => Err(ChangeUserError::LastAdmin),
        }
    }

    /// The same in the name of another user, who has to be an admin when it is written: of two admins who demote each
    /// other one is too late.
    pub async fn change_user_as(
        &self,
        admin_id: UserId,
        previous: &User,
        user: &User,
    ) -> Result<(), ChangeUserError> {
        let transaction = self.replace_user(previous, user)?.check_admin(&Key::user(admin_id));
        match self.commit(count_admins(transaction, Some(previous), Some(user))).await?.first_failed() {
            None => Ok(()),
            Some(0) => Err(ChangeUserError::Outdated),
            Some(1) => Err(ChangeUserError::NotAdmin),
            Some(_) => Err(ChangeUserError::LastAdmin),
        }
    }

    fn replace_user(&self, previous: &User, user: &User) -> Result<Transaction, TableError> {
        let item = to_item(&Key::user(user.id), user_index(user.id), user)?;
        Ok(self.transaction().put(item, &Condition::Version(previous.version)))
    }
}

/// Keeps count of the admins who are not shut out, in the transaction that makes `user` of `previous`. One more is added
/// whatever there are; one less is allowed only if another is left.
pub(crate) fn count_admins(
    transaction: Transaction,
    previous: Option<&User>,
    user: Option<&User>,
) -> Transaction {
    let is_counted = |user: Option<&User>| user.is_some_and(User::is_active_admin);
    match (is_counted(previous), is_counted(user)) {
        (false, true) => transaction.add(&Key::admins(), "count", 1),
        (true, false) => transaction.take_one_of_several(&Key::admins(), "count"),
        _ => transaction,
    }
}
