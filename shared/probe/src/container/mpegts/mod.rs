//! MPEG transport streams (ISO/IEC 13818-1), in packets of 188, 192 or 204 bytes.
//!
//! A stream has neither header nor index. What is in it is told by tables and by the streams themselves near the
//! start; how long it is, by the last time stamps near the end. So one window at either end is read, and a longer one
//! where a stream is so rich that the first shows too little of it.
//!
//! A file may start and end anywhere: in the middle of a packet, with junk, without tables. Only one in which nothing
//! is found at all is refused.

mod frame_rate;
mod packet;
mod pes;
mod scan;
mod section;
mod stream;
mod stream_type;
mod timeline;

use packet::Sync;
use scan::Scan;
use stream::{Described, Stream, Track};

use crate::error::ProbeError;
use crate::metadata::{MAX_TRACKS, Metadata, float};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;

/// How far the start is read when the first window does not tell all.
const LONG_HEAD_BYTES: u64 = 320 * 1024;
/// How much of the end is read; `ffprobe` reads as much.
const TAIL_BYTES: u64 = 250_000;
/// How much of the end is read when no frame starts in that.
const LONG_TAIL_BYTES: u64 = 690_000;

const MAX_OVERHANG_SECONDS: f64 = 1.0;

/// Whether a file that starts with `head` is one: packets in a row, wherever the first is.
pub(crate) fn is_like(head: &[u8]) -> bool {
    Sync::find(head).is_some()
}

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let len = reader.len();
    let mut head_end = reader.cached_until(0).max(WINDOW_BYTES.min(len));
    let head = reader.read(0..head_end).await?;
    let Some(sync) = Sync::find(&head) else {
        return Err(ProbeError::malformed("its packets are not where they should be"));
    };
    let mut scan = Scan::read(&head, sync);
    if !scan.is_complete() && head_end < len {
        head_end = LONG_HEAD_BYTES.min(len);
        scan = Scan::read(&reader.read(0..head_end).await?, sync);
    }
    let Scan { mut streams, .. } = scan;
    let mut described: Vec<Described> = streams.iter().map(Stream::describe).collect();
    let mut tail_bytes = TAIL_BYTES;
    loop {
        let tail_start = if head_end == len { 0 } else { len.saturating_sub(tail_bytes) };
        let tail = reader.read(tail_start..len).await?;
        scan::read_tail(&tail, sync, &scan.clocks, &mut streams, &mut described);
        let is_found = streams.iter().any(|stream| stream.timeline.duration.is_some());
        if is_found || tail_start == 0 || tail_bytes == LONG_TAIL_BYTES {
            break;
        }
        tail_bytes = LONG_TAIL_BYTES;
    }
    let mut scale = 1.0;
    if streams.iter().all(|stream| stream.timeline.duration.is_none()) {
        // The end tells no time: what follows the start is taken to be like it.
        scan::read_tail(&reader.read(0..head_end).await?, sync, &scan.clocks, &mut streams, &mut described);
        scale = float(len) / float(head_end.max(1));
    }
    let mut metadata = Metadata::new("mpegts", "mpegts", len);
    metadata.set_duration(duration(&streams).unwrap_or(0.0) * scale);
    add_tracks(&mut metadata, described);
    Ok(metadata)
}

/// From the first start to the last end among the streams of a program, of the longest program.
fn duration(streams: &[Stream]) -> Option<f64> {
    let programs = streams.iter().map(|stream| stream.program).max()?;
    let span = |program: usize, is_accessory: bool| {
        let of_program = streams
            .iter()
            .filter(|stream| stream.program == program && stream.codec.is_accessory() == is_accessory);
        let spans = of_program.filter_map(|stream| {
            let start = stream.timeline.start?;
            Some((start, start + stream.timeline.duration.unwrap_or(0.0)))
        });
        spans.reduce(|(start, end), (other_start, other_end)| (start.min(other_start), end.max(other_end)))
    };
    let longest = (0..=programs).filter_map(|program| {
        let (mut start, mut end) = span(program, false)?;
        // As ffprobe has it, subtitles and data may hang over a little; more is taken for an error.
        if let Some((first, last)) = span(program, true) {
            start = if first < start && start - first < MAX_OVERHANG_SECONDS { first } else { start };
            end = if last > end && last - end < MAX_OVERHANG_SECONDS { last } else { end };
        }
        Some(end - start)
    });
    longest.max_by(f64::total_cmp)
}

fn add_tracks(metadata: &mut Metadata, described: Vec<Described>) {
    for Described { track, .. } in described {
        match track {
            Track::Video(track) if metadata.video.len() < MAX_TRACKS => metadata.video.push(track),
            Track::Audio(track) if metadata.audio.len() < MAX_TRACKS => metadata.audio.push(track),
            Track::Subtitle(track) if metadata.subtitles.len() < MAX_TRACKS => metadata.subtitles.push(track),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
