//! Ogg (RFC 3533) with Vorbis, Opus, FLAC, Speex, Theora or VP8 in it.
//!
//! The pages at the start describe the streams, and where the first frames are in time; the last page of each stream,
//! within the reach of one page from the end of the file, tells where it ends. The duration is counted as `ffprobe`
//! does: of Opus it is the last granule position as it is, pre-skip included, and of a chain of streams only the last
//! link's end is known, in the ticks of the first.
//!
//! A file without a page that is whole is malformed; one whose end tells nothing has a duration of 0.

mod page;
mod stream;

use page::{MAX_PAGE_BYTES, Page};
use stream::{Codec, Media, Stream};

use crate::error::ProbeError;
use crate::metadata::{MAX_COVER_ART, MAX_TRACKS, Metadata, Tags};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;

/// As much of the start as is read where large comments precede the first frame.
const MAX_HEAD_BYTES: u64 = 4 * WINDOW_BYTES;
/// The most logical streams that are looked at.
const MAX_STREAMS: usize = 2 * MAX_TRACKS;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let mut head = reader.read(0..WINDOW_BYTES).await?;
    let mut streams = read_streams(&head);
    if !streams.iter().all(Stream::is_known) && reader.len() > WINDOW_BYTES {
        head = reader.read(0..MAX_HEAD_BYTES).await?;
        streams = read_streams(&head);
    }
    if streams.is_empty() {
        return Err(ProbeError::malformed("it has the signature of Ogg, but no page that is whole"));
    }
    let len = reader.len();
    let tail = reader.read(len.saturating_sub(MAX_PAGE_BYTES)..len).await?;
    let mut metadata = Metadata::new("ogg", "ogg", len);
    metadata.set_duration(duration(&streams, &tail));
    let mut tags = Tags::default();
    for stream in streams {
        stream.comments.add_to(&mut tags);
        metadata.cover_art.extend(stream.comments.cover_art.iter().cloned());
        match stream.into_media() {
            Media::Audio(track) if metadata.audio.len() < MAX_TRACKS => metadata.audio.push(track),
            Media::Video(track) if metadata.video.len() < MAX_TRACKS => metadata.video.push(track),
            _ => {}
        }
    }
    metadata.cover_art.truncate(MAX_COVER_ART);
    metadata.tags = tags.into_map();
    metadata.created_at = metadata.tags.remove("creation_time");
    Ok(metadata)
}

/// The streams that begin before any frame does. Those that follow belong to a next link of a chain.
fn read_streams(head: &[u8]) -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    for page in Page::all(head) {
        let known = streams.iter().position(|stream| stream.serial == page.serial);
        let index = match known {
            Some(index) => index,
            None if page.is_first() && streams.len() < MAX_STREAMS => {
                streams.push(Stream::new(page.serial));
                streams.len() - 1
            }
            None => continue,
        };
        streams[index].add(&page);
        if streams.iter().all(Stream::is_known) && !page.is_first() {
            break;
        }
    }
    streams
}

/// From the first frame of all streams to the last, in seconds.
fn duration(streams: &[Stream], tail: &[u8]) -> f64 {
    let mut ends = vec![None; streams.len()];
    let mut last_of_any = None;
    // The serial of a later link of a chain, which stands for the only stream.
    let mut linked = None;
    for page in Page::all(tail).filter(Page::is_intact) {
        let known = streams.iter().position(|stream| stream.serial == page.serial);
        if let ([stream], true) = (streams, known.is_none() && page.is_first()) {
            let codec = page.pieces().next().map_or(Codec::Other, |(packet, _)| Codec::of(packet));
            if codec != stream.codec {
                break;
            }
            linked = Some(page.serial);
        }
        let index = known.or((linked == Some(page.serial)).then_some(0));
        if let Some(granule) = page.granule.filter(|granule| *granule > 0) {
            match index {
                Some(index) => ends[index] = Some(granule),
                None => last_of_any = Some(granule),
            }
        }
    }
    if ends.iter().all(Option::is_none) && streams.len() == 1 {
        ends[0] = last_of_any;
    }
    let spans = streams.iter().zip(ends).filter_map(|(stream, granule)| {
        let (start, end) = (stream.start_seconds(), stream.end_seconds(granule?));
        // Of Opus the granule position counts as it is, wherever it started.
        Some((start, if stream.codec == Codec::Opus { start + end } else { end }))
    });
    let whole = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    whole.map_or(0.0, |(start, end)| end - start)
}

#[cfg(test)]
mod tests;
