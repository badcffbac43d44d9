//! Lists of media: what a caller may ask for, where that is kept, and what of it is theirs to see.

use crate::{Action, Caller, Decision, Media, MediaKind, Role, Status, Tag, UserId, decide};

/// Where media are listed, each place sorted by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// What any member may see: ready, and not private.
    Listed,
    /// All others.
    Unlisted,
    /// What a user owns.
    OwnedBy(UserId),
    /// What is ready and has a tag.
    Tagged(Tag),
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaFilter {
    /// Whose.
    pub owner: Option<UserId>,
    /// In which state. Without it: one's own in every state, and all others that are ready.
    pub status: Option<Status>,
    /// Of which kind.
    pub kind: Option<MediaKind>,
    /// With which tag.
    pub tag: Option<Tag>,
}

impl MediaFilter {
    /// Where to look, the fewest places that have all of it. States other than `ready` are for the owner and for admins.
    pub fn places(&self, caller: &Caller) -> Result<Vec<Place>, Decision> {
        let is_admin = caller.role == Role::Admin;
        let is_ready = self.status.is_none_or(|status| status == Status::Ready);
        if let Some(owner) = self.owner {
            let may_ask = is_ready || is_admin || owner == caller.user_id;
            return if may_ask { Ok(vec![Place::OwnedBy(owner)]) } else { Err(Decision::Forbidden) };
        }
        if !is_ready {
            return if is_admin { Ok(vec![Place::Unlisted]) } else { Err(Decision::Forbidden) };
        }
        if let Some(tag) = &self.tag {
            return Ok(vec![Place::Tagged(tag.clone())]);
        }
        // Private media are not listed to members.
        let private = if is_admin { Place::Unlisted } else { Place::OwnedBy(caller.user_id) };
        Ok(vec![Place::Listed, private])
    }

    /// Whether a media belongs into the caller's list.
    pub fn admits(&self, caller: &Caller, media: &Media) -> bool {
        let is_in_state = match self.status {
            Some(status) => media.status() == status,
            None => self.owner == Some(caller.user_id) || media.status() == Status::Ready,
        };
        is_in_state
            && decide(caller, Action::View(media)) == Decision::Allowed
            && self.owner.is_none_or(|owner| media.owner_id == owner)
            && self.kind.is_none_or(|kind| media.kind == kind)
            && self.tag.as_ref().is_none_or(|tag| media.tags.contains(tag))
    }
}
