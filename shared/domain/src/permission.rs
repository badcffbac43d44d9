//! Who may do what to which media, and to accounts.

use crate::{Media, Role, Status, Upload, UserId, Visibility};

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

/// Whether the caller may sign, list, complete and abort this upload. To anyone but its owner it does not exist.
pub fn may_use_upload(caller: &Caller, upload: &Upload) -> Decision {
    if caller.user_id == upload.owner_id { may_upload(caller.role) } else { Decision::Hidden }
}

/// Whether a user with this role may see, make and change accounts.
pub fn may_manage_users(role: Role) -> Decision {
    if role == Role::Admin { Decision::Allowed } else { Decision::Forbidden }
}

/// Whether the caller may edit and delete this media: its owner, while they may upload, and admins.
pub fn may_change(caller: &Caller, media: &Media) -> Decision {
    match may_view(caller, media) {
        Decision::Allowed if is_theirs(caller, media.owner_id) => may_upload(caller.role),
        Decision::Allowed => Decision::Forbidden,
        hidden => hidden,
    }
}

/// Whether the caller may see and play this media. A media that is not `ready`, or is private, exists only for its
/// owner and for admins; one that is being deleted exists for nobody.
pub fn may_view(caller: &Caller, media: &Media) -> Decision {
    let is_visible = match media.status() {
        Status::Ready => may_see_ready(caller, media.owner_id, media.visibility),
        Status::Deleting => false,
        _ => is_theirs(caller, media.owner_id),
    };
    if is_visible { Decision::Allowed } else { Decision::Hidden }
}

/// Whether the caller may see what was done in the background for this media.
pub fn may_view_jobs(caller: &Caller, media: &Media) -> Decision {
    match may_view(caller, media) {
        Decision::Allowed if !is_theirs(caller, media.owner_id) => Decision::Forbidden,
        decision => decision,
    }
}

/// Whether the caller may see a ready media with this owner and this visibility.
pub fn may_see_ready(caller: &Caller, owner_id: UserId, visibility: Visibility) -> bool {
    visibility == Visibility::Members || is_theirs(caller, owner_id)
}

fn is_theirs(caller: &Caller, owner_id: UserId) -> bool {
    caller.role == Role::Admin || caller.user_id == owner_id
}
