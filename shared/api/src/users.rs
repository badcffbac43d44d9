//! Changing a user in an admin's name: read, decide, write on condition that nobody has changed them since, and all of it
//! again if somebody has.

use domain::{User, UserId};
use table::{ChangeUserError, Table};

use crate::problem::Problem;

/// How often a user who keeps changing is read.
const ATTEMPTS: usize = 10;

/// Changes a user into what `decide` makes of them, and answers that. It may be asked several times; a user whom it
/// leaves as they are is not written. The admin has to be one still when it is written.
///
/// Needs what [`Table::user`] and [`Table::change_user_as`] need.
pub async fn change_user(
    table: &Table,
    admin_id: UserId,
    user_id: UserId,
    decide: impl Fn(&User) -> Result<User, Problem>,
) -> Result<User, Problem> {
    for _ in 0..ATTEMPTS {
        let user = table.user(user_id).await?.ok_or_else(|| Problem::not_found("user"))?;
        let is_own = user_id == admin_id;
        if is_own && !user.is_active_admin() {
            return Err(Problem::role_insufficient());
        }
        let changed = decide(&user)?;
        if changed == user {
            return Ok(user);
        }
        let result = if is_own {
            table.change_user(&user, &changed).await
        } else {
            table.change_user_as(admin_id, &user, &changed).await
        };
        match result {
            Ok(()) => return Ok(changed),
            Err(ChangeUserError::Outdated) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ChangeUserError::Outdated.into())
}
