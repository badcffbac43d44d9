//! What people change of a media: its texts, who may see it, whose it is, and whether it stays.

use std::time::Duration;

use super::{Media, State, Status, Visibility};
use crate::{
    Description, Miniature, MiniatureState, Patch, Tag, ThumbnailKey, ThumbnailUrl, Timestamp, Title, UserId,
    Work, WorkKind,
};

/// How long a function that processes a media or its miniature may still be at it when the media is deleted: what it
/// publishes meanwhile is to be found by the deletion.
const PROCESSING_ENDS: Duration = Duration::from_mins(20);

/// What is to be changed of a media; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaEdit {
    /// Its title.
    pub title: Option<Title>,
    /// Its description.
    pub description: Option<Description>,
    /// Its tags, all of them.
    pub tags: Option<Vec<Tag>>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
    /// The client's own thumbnail.
    pub thumbnail_url: Patch<ThumbnailUrl>,
}

impl Media {
    /// Whether an edit takes it from the sight of people who may have the address of its published miniature, so that it
    /// needs another one.
    pub fn is_hidden_by(&self, edit: &MediaEdit) -> bool {
        self.status() == Status::Ready
            && self.visibility == Visibility::Members
            && edit.visibility == Some(Visibility::Private)
            && self.miniature.as_ref().is_some_and(Miniature::is_published)
    }

    /// It with an edit; the very same, if nothing changes.
    #[must_use]
    pub fn edit(&self, edit: MediaEdit, now: Timestamp) -> Self {
        let MediaEdit { title, description, tags, visibility, thumbnail_url } = edit;
        let edited = Self {
            title: title.unwrap_or_else(|| self.title.clone()),
            description: description.unwrap_or_else(|| self.description.clone()),
            tags: tags.unwrap_or_else(|| self.tags.clone()),
            visibility: visibility.unwrap_or(self.visibility),
            thumbnail_url: thumbnail_url.apply(self.thumbnail_url.clone()),
            ..self.clone()
        };
        if edited == *self { edited } else { edited.changed(edited.state.clone(), now) }
    }

    /// It with its miniature under another key, as part of an edit. What is under the present one is removed by the
    /// sweep.
    #[must_use]
    pub fn with_thumbnail_key(&self, key: ThumbnailKey, now: Timestamp) -> Self {
        let Some(miniature) = &self.miniature else { return self.clone() };
        let mut retired_thumbnail_keys = self.retired_thumbnail_keys.clone();
        retired_thumbnail_keys.push(miniature.key.clone());
        Self {
            miniature: Some(Miniature { key, ..miniature.clone() }),
            retired_thumbnail_keys,
            work: self.work.or(Some(Work { kind: WorkKind::Leftovers, due: now })),
            ..self.clone()
        }
    }

    /// It as another user's, who may have one with the same digest already: theirs stays the one that counts.
    #[must_use]
    pub fn hand_over(&self, owner_id: UserId, now: Timestamp) -> Self {
        Self { owner_id, claims_digest: false, ..self.changed(self.state.clone(), now) }
    }

    /// It is being deleted: nobody sees it any more, and the sweep removes what belongs to it.
    #[must_use]
    pub fn begin_deletion(&self, now: Timestamp) -> Self {
        let is_processing = matches!(self.state, State::Processing { .. })
            || matches!(&self.miniature, Some(Miniature { state: MiniatureState::Processing { .. }, .. }));
        let due = if is_processing { now.plus(PROCESSING_ENDS) } else { now };
        let miniature = self.miniature.clone().map(|miniature| Miniature { work: None, ..miniature });
        Self {
            claims_digest: false,
            miniature,
            work: Some(Work { kind: WorkKind::MediaDeletion, due }),
            ..self.changed(State::Deleting, now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{media, now, object};
    use super::*;
    use crate::{PublishedObject, UploadId};
    use uuid::Uuid;

    fn ready() -> Media {
        let published = PublishedObject { key: "k".to_owned(), etag: "e".to_owned() };
        let miniature = Miniature {
            upload_id: UploadId::new(Uuid::nil()),
            size_bytes: 5,
            key: ThumbnailKey::new(1),
            state: MiniatureState::Published { source: object("2") },
            work: None,
        };
        let state = State::Ready { source: object("1"), published };
        Media { work: None, miniature: Some(miniature), ..media(state) }
    }

    #[test]
    fn an_edit_changes_what_it_names_and_raises_the_version_once() {
        let edit = MediaEdit { title: Some("U".parse().unwrap()), ..MediaEdit::default() };
        let edited = ready().edit(edit.clone(), now());
        assert_eq!((edited.title.as_str(), edited.version), ("U", ready().version + 1));
        assert_eq!(edited.edit(edit, now()), edited);
        assert_eq!(ready().edit(MediaEdit::default(), now()), ready());
    }

    #[test]
    fn who_loses_sight_of_a_media_loses_its_miniature() {
        let to = |visibility| MediaEdit { visibility: Some(visibility), ..MediaEdit::default() };
        assert!(ready().is_hidden_by(&to(Visibility::Private)));
        assert!(!ready().is_hidden_by(&to(Visibility::Members)));
        assert!(!Media { visibility: Visibility::Private, ..ready() }.is_hidden_by(&to(Visibility::Private)));
        let moved = ready().with_thumbnail_key(ThumbnailKey::new(2), now());
        assert_eq!(moved.miniature.unwrap().key, ThumbnailKey::new(2));
        assert_eq!(moved.retired_thumbnail_keys, [ThumbnailKey::new(1)]);
        assert_eq!(moved.work, Some(Work { kind: WorkKind::Leftovers, due: now() }));
    }

    #[test]
    fn a_deletion_waits_for_what_may_still_be_published() {
        let due = |media: &Media| media.begin_deletion(now()).work.unwrap().due;
        assert_eq!(due(&ready()), now());
        let processing = State::Processing { source: object("1"), copy_upload_id: None };
        assert_eq!(due(&media(processing)), now().plus(PROCESSING_ENDS));
        let mut with_miniature = ready();
        with_miniature.miniature.as_mut().unwrap().state = MiniatureState::Processing { source: object("2") };
        assert_eq!(due(&with_miniature), now().plus(PROCESSING_ENDS));
        let deleting = ready().begin_deletion(now());
        assert_eq!((deleting.status(), deleting.claims_digest), (Status::Deleting, false));
        // It counts until its files are gone.
        assert_eq!(deleting.reserved_bytes, ready().reserved_bytes);
    }
}
