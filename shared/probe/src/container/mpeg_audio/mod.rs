//! MPEG audio, layers I to III: MP3 and its elders, as files of bare frames.
//!
//! How long one plays is in the first frame, where an encoder has left a table (Xing, VBRI), else it is counted. The
//! table is not believed when the file is much longer than it says: files are joined that way.

mod index;

use index::Index;

use crate::codec::frame::Frame as _;
use crate::codec::mpeg_audio::FrameHeader;
use crate::container::frames::{find, length, stream};
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata, float};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;
use crate::tags::{LeadingTags, trailing};

/// Fewer frames are no sound.
const LEAST_IN_A_ROW: usize = 2;
/// How far behind the tags in front the first frame is looked for.
const MAX_JUNK_BYTES: u64 = 128 * 1024;

/// Whether a file that starts with `head` is one.
pub(crate) fn is_like(head: &[u8]) -> bool {
    stream::starts_with::<FrameHeader>(head) || with_index(head).is_some()
}

/// Whether there are frames somewhere in `window`, beyond doubt.
pub(crate) fn is_within(window: &[u8]) -> bool {
    stream::contains::<FrameHeader>(window)
}

/// Reads the metadata of a file that looks like one, or that has `leading` tags and then nothing known.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    let len = reader.len();
    let window = reader.read(leading.end..leading.end.saturating_add(WINDOW_BYTES)).await?;
    // A table that is not at the very start belongs to something else.
    let (start, first, index) = match with_index(&window) {
        Some((first, index)) if has_sound(&window) => (leading.end, first, Some(index)),
        Some(_) => return Err(ProbeError::malformed("it ends before any sound")),
        None => match first_frame(reader, leading.end).await? {
            Some((start, first)) => (start, first, None),
            None => return Err(ProbeError::malformed("there is no MPEG audio where it should start")),
        },
    };
    let frames = index.as_ref().and_then(|index| index.frames_in(len.saturating_sub(start)));
    let mut metadata = Metadata::new("mp3", "mp3", len);
    let mut end = len;
    // Tags at the end are wanted when there are none in front; else they are just no frames.
    if frames.is_none() || !leading.has_tags() {
        let trailing = trailing::read(reader, start).await?;
        end = trailing.start;
        if !leading.has_tags() {
            metadata.tags = trailing.tags.into_map();
        }
    }
    if let Some(frames) = frames {
        metadata.set_duration(float(frames) * f64::from(first.samples()) / f64::from(first.sample_rate));
    } else {
        // The frame with the table plays nothing.
        let table_bytes = index.and_then(|_| first.size_bytes()).unwrap_or(0) as u64;
        let start = start.saturating_add(table_bytes).min(end);
        metadata.set_duration(length::seconds(reader, start, end, &first).await?);
    }
    metadata.audio.push(AudioTrack::plain(first.codec(), first.channels, first.sample_rate));
    Ok(metadata)
}

/// The frame that `window` starts with, when it carries a table.
fn with_index(window: &[u8]) -> Option<(FrameHeader, Index)> {
    let first = FrameHeader::parse(window)?;
    Some((first, Index::parse(&first, window)?))
}

/// Whether frames follow the one that `window` starts with: what is cut before plays nothing.
fn has_sound(window: &[u8]) -> bool {
    let table_bytes = FrameHeader::parse(window).and_then(|first| first.size_bytes());
    table_bytes.is_some_and(|from| find::<FrameHeader>(window, from, LEAST_IN_A_ROW).is_some())
}

/// The first frame of `window` that another one follows.
fn first_in(window: &[u8]) -> Option<(usize, FrameHeader)> {
    let (start, first) = stream::first(window)?;
    let row = find::<FrameHeader>(window, start, LEAST_IN_A_ROW);
    (row == Some((start, first))).then_some((start, first))
}

/// The first frame at or after `from`, and where it is.
async fn first_frame<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    from: u64,
) -> Result<Option<(u64, FrameHeader)>, ProbeError<S::Error>> {
    let window = reader.read(from..from.saturating_add(WINDOW_BYTES)).await?;
    let mut found = first_in(&window);
    let further = from..from.saturating_add(MAX_JUNK_BYTES);
    if found.is_none() && (window.len() as u64) == WINDOW_BYTES && reader.can_read(further.clone()) {
        found = first_in(&reader.read(further).await?);
    }
    Ok(found.map(|(start, first)| (from + start as u64, first)))
}

#[cfg(test)]
mod tests;
