//! Who may do what to which media, and to accounts.

use crate::{Media, Role, Status, UserId, Visibility};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// What they may do, as of their token or, on routes that change something, as of now.
    pub role: Role,
}

/// The answer to "may they?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed,
    /// No, and they may know that the thing exists.
    Forbidden,
    /// No, and to them the thing does not exist.
    Hidden,
}

/// Whether a user with this role may upload.
pub fn may_upload(role: Role) -> Decision {
    if role >= Role::Operator { Decision::Allowed } else { Decision::Forbidden }
}

/// Whether a user with this role may see, make and change accounts.
pub fn may_manage_users(role: Role) -> Decision {
    if role == Role::Admin { Decision::Allowed } else { Decision::Forbidden }
}

/// Whether the caller may see and play this media. A media that is not `ready`, or is private, exists only for its
/// owner and for admins; one that is being deleted exists for nobody.
pub fn may_view(caller: &Caller, media: &Media) -> Decision {
    let is_theirs = caller.role == Role::Admin || caller.user_id == media.owner_id;
    let is_open = media.visibility == Visibility::Members && media.status() == Status::Ready;
    if media.status() != Status::Deleting && (is_theirs || is_open) {
        Decision::Allowed
    } else {
        Decision::Hidden
    }
}
