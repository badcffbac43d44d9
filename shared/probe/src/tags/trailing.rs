//! Tags at the end of a file: ID3v1, APE, Lyrics3, in any order.

use super::{ape, id3v1};
use crate::error::ProbeError;
use crate::metadata::{CoverArt, Metadata, Tags};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;

/// Tags that are looked for, one before the other.
const MAX_TAGS_IN_A_ROW: usize = 4;
/// The most of an APE tag that is read.
const MAX_APE_BYTES: u64 = 128 * 1024;
const LYRICS_END: &[u8] = b"LYRICS200";
/// Digits of the size in front of that.
const LYRICS_SIZE_BYTES: usize = 6;

/// What the end of a file says.
#[derive(Default)]
pub(crate) struct TrailingTags {
    pub(crate) tags: Tags,
    pub(crate) cover_art: Vec<CoverArt>,
    /// Where the first of them starts: the end of what plays.
    pub(crate) start: u64,
}

impl TrailingTags {
    /// Makes them those of a container that has no others.
    pub(crate) fn add_to(self, metadata: &mut Metadata) {
        metadata.tags = self.tags.into_map();
        metadata.cover_art = self.cover_art;
    }
}

/// Reads the tags at the end, but nothing before `floor`, in one fetch unless one of them is long. Where the budget is
/// used up the rest is left out.
pub(crate) async fn read<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    floor: u64,
) -> Result<TrailingTags, ProbeError<S::Error>> {
    let mut start = reader.len();
    let mut found = TrailingTags::default();
    let mut old = None;
    for _ in 0..MAX_TAGS_IN_A_ROW {
        let window_start = start.saturating_sub(WINDOW_BYTES).max(floor);
        if !reader.can_read(window_start..start) {
            break;
        }
        let window = reader.read(window_start..start).await?;
        let mut tag_bytes = 0;
        if let Some(tags) = id3v1::parse(&window) {
            tag_bytes = id3v1::TAG_BYTES as u64;
            old = old.or(Some(tags));
        } else if let Some(footer) = ape::Footer::parse(&window) {
            tag_bytes = footer.tag_bytes();
            let items_start = start.saturating_sub(footer.items_bytes()).max(floor);
            let items_end = items_start.saturating_add(MAX_APE_BYTES).min(start);
            if reader.can_read(items_start..items_end) {
                let items = reader.read(items_start..items_end).await?;
                footer.read_items(&items, &mut found.tags, &mut found.cover_art);
            }
        } else if let Some(size) = lyrics_bytes(&window) {
            tag_bytes = size;
        }
        if tag_bytes == 0 || tag_bytes > start.saturating_sub(floor) {
            break;
        }
        start -= tag_bytes;
    }
    // The tag with the longer fields goes first.
    found.tags.add(old.unwrap_or_default());
    found.start = start;
    Ok(found)
}

/// Size of the Lyrics3 tag, version 2, that `bytes` end with.
fn lyrics_bytes(bytes: &[u8]) -> Option<u64> {
    let rest = bytes.strip_suffix(LYRICS_END)?;
    let digits = std::str::from_utf8(rest.get(rest.len().checked_sub(LYRICS_SIZE_BYTES)?..)?).ok()?;
    let size: u64 = digits.parse().ok()?;
    Some(size + (LYRICS_SIZE_BYTES + LYRICS_END.len()) as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::source::MemorySource;

    async fn trailing(bytes: Vec<u8>) -> TrailingTags {
        let source = MemorySource::new(bytes);
        read(&mut Reader::new(&source), 4).await.unwrap()
    }

    #[tokio::test]
    async fn tags_are_peeled_off_the_end() {
        let ape =
            b"\x01\0\0\0\0\0\0\0Title\0TAPETAGEX\xd0\x07\0\0\x2f\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let lyrics = b"LYRICSBEGINwords000016LYRICS200";
        let mut old = b"TAGold title".to_vec();
        old.resize(128, 0);
        old[33..36].copy_from_slice(b"Art");
        let found = trailing([&[1; 100][..], ape, lyrics, &old].concat()).await;
        assert_eq!(found.start, 100);
        let map = found.tags.into_map();
        assert_eq!((map["title"].as_str(), map["artist"].as_str()), ("T", "Art"));
    }

    #[tokio::test]
    async fn nothing_before_the_floor_is_a_tag() {
        assert_eq!(trailing(vec![0; 50]).await.start, 50);
        assert_eq!(trailing([b"0000", &b"999999LYRICS200"[..]].concat()).await.start, 19);
        let huge = b"xxxxAPETAGEX\xd0\x07\0\0\xff\xff\xff\xff\x01\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0";
        assert_eq!(trailing(huge.to_vec()).await.start, huge.len() as u64);
    }
}
