//! What files of bare frames have in common: finding the first one, and counting the rest.

use super::{find, length};
use crate::codec::frame::Frame;
use crate::error::ProbeError;
use crate::metadata::Tags;
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;
use crate::tags::{LeadingTags, trailing};

/// Frames in a row that are believed at the start of a file.
const IN_A_ROW_AT_START: usize = 3;
/// Frames in a row that are believed behind bytes of another kind.
const IN_A_ROW: usize = 8;

/// Whether `head` starts with a row of frames.
pub(crate) fn starts_with<F: Frame>(head: &[u8]) -> bool {
    find::<F>(head, 0, IN_A_ROW_AT_START).is_some_and(|(start, _)| start == 0)
}

/// Whether there are frames somewhere in `window`, beyond doubt.
pub(crate) fn contains<F: Frame>(window: &[u8]) -> bool {
    find::<F>(window, 0, IN_A_ROW).is_some()
}

/// The first frame of `window`: rather sure than first, though a short file has not so many.
pub(crate) fn first<F: Frame>(window: &[u8]) -> Option<(usize, F)> {
    let at_start = find::<F>(window, 0, IN_A_ROW_AT_START).filter(|(start, _)| *start == 0);
    at_start
        .or_else(|| {
            let sure = find::<F>(window, 0, IN_A_ROW)?;
            // A short row before it, perhaps with junk between, is of the same stream if it is of the same kind.
            let earlier = find::<F>(window, 0, IN_A_ROW_AT_START);
            earlier.filter(|(_, frame)| frame.continues(&sure.1)).or(Some(sure))
        })
        .or_else(|| find::<F>(window, 0, IN_A_ROW_AT_START))
        .or_else(|| {
            // The only one, if it is all there.
            let frame = F::parse(window)?;
            frame.size_bytes().filter(|size| *size <= window.len()).map(|_| (0, frame))
        })
}

/// A stream whose playing time was counted.
pub(crate) struct Counted<F> {
    pub(crate) first: F,
    /// The start of the stream, from its first frame on.
    pub(crate) head: bytes::Bytes,
    pub(crate) seconds: f64,
    /// Those at the end.
    pub(crate) tags: Tags,
}

/// Finds the first frame behind `leading` tags and counts up to tags at the end. `None` when there is no frame.
pub(crate) async fn count<F: Frame, S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Option<Counted<F>>, ProbeError<S::Error>> {
    let window = reader.read(leading.end..leading.end.saturating_add(WINDOW_BYTES)).await?;
    let Some((start, first)) = first::<F>(&window) else { return Ok(None) };
    let head = window.slice(start..);
    let start = leading.end + start as u64;
    let trailing = trailing::read(reader, start).await?;
    let seconds = length::seconds(reader, start, trailing.start, &first).await?;
    Ok(Some(Counted { first, head, seconds, tags: trailing.tags }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::mpeg_audio::FrameHeader;

    /// Frames of 128 kbit/s: 417 bytes at 44.1 kHz, 384 at 48 kHz.
    fn frames(count: usize, is_at_48_khz: bool) -> Vec<u8> {
        let (rates, size) = if is_at_48_khz { (0x94, 384) } else { (0x90, 417) };
        let mut frame = vec![0xff, 0xfb, rates, 0x64];
        frame.resize(size, 0);
        frame.repeat(count)
    }

    #[test]
    fn a_short_row_before_a_long_one_is_believed_if_it_is_of_its_kind() {
        let start = |is_at_48_khz| {
            let bytes = [b"junk".to_vec(), frames(3, is_at_48_khz), b"junk".to_vec(), frames(8, false)];
            first::<FrameHeader>(&bytes.concat()).map(|(start, _)| start)
        };
        assert_eq!(start(false), Some(4));
        assert_eq!(start(true), Some(4 + 3 * 384 + 4));
    }
}
