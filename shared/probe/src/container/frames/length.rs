//! How long a stream of frames plays, without a table that says so: by frames that are counted.
//!
//! Of a short file all are. Of a long one the frames of some stretches are, and those in between are taken to be like
//! their neighbours; a stream of constant bit rate needs no more than its two ends.

use super::{Run, walk};
use crate::codec::frame::Frame;
use crate::error::ProbeError;
use crate::metadata::float;
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;

/// The longest stretch that is read at once.
const MAX_STRETCH_BYTES: u64 = 400 * 1024;
/// The most stretches besides the two ends.
const MAX_STRETCHES: u64 = 2;
/// Kept for what a caller may still want to read.
const SPARE_BYTES: u64 = 64 * 1024;

/// A stretch of the stream, and what was counted in it.
struct Stretch {
    start: u64,
    end: u64,
    run: Run,
}

/// Playing time in seconds of the stream from `start`, where its `first` frame is, to `end`.
pub(crate) async fn seconds<F: Frame, S: ByteSource>(
    reader: &mut Reader<'_, S>,
    start: u64,
    end: u64,
    first: &F,
) -> Result<f64, ProbeError<S::Error>> {
    let mut stretches = Vec::new();
    let head_end = if reader.rest_is_short(start) { end } else { start.saturating_add(WINDOW_BYTES) };
    let head_end = head_end.max(reader.cached_until(start)).min(end);
    stretches.push(stretch(reader, start, head_end, first).await?);
    if head_end < end {
        let tail_start = end.saturating_sub(WINDOW_BYTES).max(head_end);
        if !reader.can_read(tail_start..end) {
            return Ok(stretches[0].run.seconds * float(end - start) / float(head_end - start));
        }
        let tail = stretch(reader, tail_start, end, first).await?;
        let constant = constant_bit_rate(&stretches[0].run, &tail.run);
        if let Some(bit_rate) = constant {
            return Ok(float(end - start) * 8.0 / f64::from(bit_rate));
        }
        add_middle(reader, head_end, tail_start, first, &mut stretches).await?;
        stretches.push(tail);
    }
    Ok(total(&stretches))
}

async fn stretch<F: Frame, S: ByteSource>(
    reader: &mut Reader<'_, S>,
    start: u64,
    end: u64,
    first: &F,
) -> Result<Stretch, ProbeError<S::Error>> {
    let bytes = reader.read(start..end).await?;
    Ok(Stretch { start, end, run: walk(&bytes, first) })
}

/// Reads between `start` and `end` as much as may be read, evenly spread.
async fn add_middle<F: Frame, S: ByteSource>(
    reader: &mut Reader<'_, S>,
    start: u64,
    end: u64,
    first: &F,
    stretches: &mut Vec<Stretch>,
) -> Result<(), ProbeError<S::Error>> {
    let gap = end.saturating_sub(start);
    let bytes_left = reader.bytes_left().saturating_sub(SPARE_BYTES);
    let count = MAX_STRETCHES.min(reader.reads_left().into());
    if gap == 0 || count == 0 || bytes_left == 0 {
        return Ok(());
    }
    if gap <= bytes_left {
        stretches.push(stretch(reader, start, end, first).await?);
        return Ok(());
    }
    let size = (bytes_left / count).min(MAX_STRETCH_BYTES).min(gap / (count + 1));
    for index in 1..=count {
        let middle = start + gap / (count + 1) * index;
        let from = middle.saturating_sub(size / 2);
        stretches.push(stretch(reader, from, from + size, first).await?);
    }
    Ok(())
}

/// The bit rate of all frames at either end.
fn constant_bit_rate(head: &Run, tail: &Run) -> Option<u32> {
    let is_constant = !head.is_variable && !tail.is_variable && head.bit_rate == tail.bit_rate;
    head.bit_rate.filter(|_| is_constant && head.frames > 0 && tail.frames > 0)
}

/// What was counted, and for the gaps what their neighbours make likely.
fn total(stretches: &[Stretch]) -> f64 {
    let counted: f64 = stretches.iter().map(|stretch| stretch.run.seconds).sum();
    let density = |run: &Run| if run.bytes > 0 { run.seconds / float(run.bytes) } else { 0.0 };
    let gaps = stretches.windows(2).map(|pair| {
        let bytes = float(pair[1].start.saturating_sub(pair[0].end));
        bytes * f64::midpoint(density(&pair[0].run), density(&pair[1].run))
    });
    counted + gaps.sum::<f64>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::codec::mpeg_audio::FrameHeader;
    use crate::source::MemorySource;

    /// MP3 frames at 44.1 kHz by the bit rate index that `index` has for each.
    fn stream(frames: u32, index: impl Fn(u32) -> u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0..frames {
            let header = [0xff, 0xfb, index(number) << 4, 0x64];
            let end = bytes.len() + FrameHeader::parse(&header).unwrap().size_bytes().unwrap();
            bytes.extend(header);
            bytes.resize(end, 0);
        }
        bytes
    }

    async fn check(frames: u32, index: impl Fn(u32) -> u8, tolerance: f64) {
        let bytes = stream(frames, index);
        let wanted = f64::from(frames) * 1152.0 / 44_100.0;
        let (first, len) = (FrameHeader::parse(&bytes).unwrap(), bytes.len() as u64);
        let source = MemorySource::new(bytes);
        let mut reader = Reader::new(&source);
        reader.read(0..1).await.unwrap();
        let found = seconds(&mut reader, 0, len, &first).await.unwrap();
        let error = (found / wanted - 1.0).abs();
        assert!(error <= tolerance, "{frames} frames: {found} for {wanted}");
    }

    #[test]
    fn gaps_are_like_what_lies_around_them() {
        let stretch = |start: u64, bytes: u64, seconds: f64| Stretch {
            start,
            end: start + 100,
            run: Run { seconds, bytes, ..Run::default() },
        };
        // Ten seconds in a hundred bytes, then thirty: twenty a hundred in between, and in ten times as much.
        let both = [stretch(0, 100, 10.0), stretch(1100, 100, 30.0)];
        assert!((total(&both) - (10.0 + 200.0 + 30.0)).abs() < 1e-9);
        // What lies between frames does not play.
        let sparse = [stretch(0, 50, 10.0), stretch(200, 50, 10.0), stretch(300, 50, 10.0)];
        assert!((total(&sparse) - (10.0 + 20.0 + 10.0 + 10.0)).abs() < 1e-9);
        let with_nothing = [stretch(0, 100, 10.0), stretch(200, 0, 0.0)];
        assert!((total(&with_nothing) - (10.0 + 5.0)).abs() < 1e-9);
    }

    #[tokio::test]
    async fn short_streams_are_counted() {
        check(100, |number| if number % 3 == 0 { 9 } else { 5 }, 1e-9).await;
        check(2000, |number| if number % 3 == 0 { 9 } else { 5 }, 1e-9).await;
    }

    #[tokio::test]
    async fn long_streams_are_sampled() {
        check(30_000, |_| 9, 0.005).await;
        check(30_000, |number| if number % 3 == 0 { 9 } else { 5 }, 0.002).await;
        check(30_000, |number| if number < 15_000 { 9 } else { 7 }, 0.05).await;
    }
}
