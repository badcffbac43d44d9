//! Who may do what: one pure function of caller, action and resource, asked by every handler.

use crate::{Media, Role, Status, Upload, UserId, Visibility};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// What they may do, as of their token or, on routes that change something, as of now.
    pub role: Role,
}

/// What somebody asks to do, with the thing that they ask to do it to.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Announce files.
    Upload,
    /// Sign, list, complete and abort an upload.
    UseUpload(&'a Upload),
    /// See and play a media.
    View(&'a Media),
    /// The same of a ready media of which no more is known.
    ViewReady {
        /// Whose it is.
        owner_id: UserId,
        /// Who may see it.
        visibility: Visibility,
    },
    /// See what was done in the background for a media.
    ViewJobs(&'a Media),
    /// See how often a media was viewed.
    ViewAnalytics(&'a Media),
    /// Edit and delete a media.
    Change(&'a Media),
    /// See, make, change and delete accounts.
    ManageUsers,
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

/// Whether the caller may do it.
///
/// - Operators and admins upload. An upload exists for its owner only.
/// - A media that is not `ready`, or is private, exists for its owner and for admins; one that is being deleted for nobody.
/// - Owners who may upload, and admins, change a media. Owners and admins see its jobs and its
///   views.
/// - Admins manage accounts.
pub fn decide(caller: &Caller, action: Action<'_>) -> Decision {
    use Decision::{Allowed, Forbidden, Hidden};
    match action {
        Action::Upload if caller.role >= Role::Operator => Allowed,
        Action::UseUpload(upload) if caller.user_id == upload.owner_id => decide(caller, Action::Upload),
        Action::UseUpload(_) => Hidden,
        Action::View(media) => {
            let Media { owner_id, visibility, .. } = *media;
            match media.status() {
                Status::Ready => decide(caller, Action::ViewReady { owner_id, visibility }),
                Status::Deleting => Hidden,
                _ if is_theirs(caller, owner_id) => Allowed,
                _ => Hidden,
            }
        }
        Action::ViewReady { owner_id, visibility } => {
            if visibility == Visibility::Members || is_theirs(caller, owner_id) { Allowed } else { Hidden }
        }
        Action::ViewJobs(media) | Action::ViewAnalytics(media) | Action::Change(media)
            if decide(caller, Action::View(media)) == Hidden =>
        {
            Hidden
        }
        Action::ViewJobs(media) | Action::ViewAnalytics(media) if is_theirs(caller, media.owner_id) => {
            Allowed
        }
        Action::Change(media) if is_theirs(caller, media.owner_id) => decide(caller, Action::Upload),
        Action::ManageUsers if caller.role == Role::Admin => Allowed,
        Action::Upload
        | Action::ViewJobs(_)
        | Action::ViewAnalytics(_)
        | Action::Change(_)
        | Action::ManageUsers => Forbidden,
    }
}

fn is_theirs(caller: &Caller, owner_id: UserId) -> bool {
    caller.role == Role::Admin || caller.user_id == owner_id
}
