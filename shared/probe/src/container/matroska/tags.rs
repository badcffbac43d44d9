//! Tags (RFC 9559 clause 5.1.8) and attachments (clause 5.1.6).

use super::ebml::{Element, child, child_text, children};
use super::track::all_unsigned;
use crate::metadata::{CoverArt, Tags};

const TAG: u32 = 0x7373;
const TARGETS: u32 = 0x63c0;
const TARGET_TYPE: u32 = 0x63ca;
const TAG_TRACK_UID: u32 = 0x63c5;
/// Edition, chapter and attachment.
const OTHER_TARGETS: [u32; 3] = [0x63c9, 0x63c4, 0x63c6];
const SIMPLE_TAG: u32 = 0x67c8;
const TAG_NAME: u32 = 0x45a3;
const TAG_STRING: u32 = 0x4487;
const FILE_MIME_TYPE: u32 = 0x4660;
const FILE_DATA: u32 = 0x465c;

/// The most tags that are looked at.
const MAX_TAGS: usize = 1024;

/// Attachments that `ffprobe` takes for pictures.
const PICTURES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/tiff"];

/// Where `ffprobe`'s name is not the tag's own in lower case.
const NAMES: [(&str, &str); 3] =
    [("lead_performer", "performer"), ("part_number", "track"), ("date_released", "date")];

/// What tags say of the file, and of tracks.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) file: Tags,
    /// Average bits per second by the track's UID, as mkvmerge counts them.
    pub(super) bit_rates: Vec<(u64, u64)>,
}

impl Collected {
    /// Adds what a `Tags` element says.
    pub(super) fn add(&mut self, tags: &[u8]) {
        let tags = children(tags).filter(|element| element.id == TAG).take(MAX_TAGS);
        for Element { body, .. } in tags {
            let targets = child(body, TARGETS).unwrap_or_default();
            if OTHER_TARGETS.iter().any(|id| all_unsigned(targets, *id).any(|uid| uid > 0)) {
                continue;
            }
            let simple_tags = children(body).filter(|element| element.id == SIMPLE_TAG).take(MAX_TAGS);
            let pairs = simple_tags.filter_map(|simple| {
                child_text(simple.body, TAG_NAME).zip(child_text(simple.body, TAG_STRING))
            });
            match all_unsigned(targets, TAG_TRACK_UID).find(|uid| *uid > 0) {
                Some(uid) => self.bit_rates.extend(
                    pairs
                        .filter(|(name, _)| name == "BPS")
                        .filter_map(|(_, value)| Some((uid, value.parse().ok()?))),
                ),
                None => pairs.for_each(|(name, value)| self.add_to_file(targets, &name, &value)),
            }
        }
    }

    fn add_to_file(&mut self, targets: &[u8], name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        let name = NAMES.iter().find(|(tag, _)| *tag == name).map_or(name.as_str(), |(_, known)| *known);
        match child_text(targets, TARGET_TYPE).filter(|kind| !kind.is_empty()) {
            Some(kind) => self.file.insert(&format!("{}/{name}", kind.to_ascii_lowercase()), value),
            None => self.file.insert(name, value),
        }
    }
}

/// Reads an attachment, of which the picture itself need not be there; `None` for one that is no picture.
pub(super) fn parse_picture(attached_file: &[u8]) -> Option<CoverArt> {
    let content_type = child_text(attached_file, FILE_MIME_TYPE)?.to_ascii_lowercase();
    let data = children(attached_file).find(|element| element.id == FILE_DATA)?;
    let size_bytes = data.size.unwrap_or_default();
    let known = PICTURES.iter().find(|known| content_type.starts_with(**known))?;
    Some(CoverArt { content_type: (*known).to_owned(), size_bytes })
}
