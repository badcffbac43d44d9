//! FLV ("Adobe Flash Video File Format Specification" annex E), with the FourCCs of "Enhanced RTMP".
//!
//! Tags follow each other from the start; the first of each kind describe the tracks, and `onMetaData` says the rest.
//! A duration that it does not say is the time of the last tag, which the size at the very end of the file leads to;
//! in a file that was cut off it is that of the last tag that can be found. Tracks are those that have tags, whatever
//! the header says.

mod amf;
mod tag;

use amf::Value;
use tag::{HEADER_BYTES, SCRIPT, TICK_SECONDS, Tag, parse_audio, parse_video};

use crate::container::frame_rate;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata, Tags, VideoTrack, aspect_ratio, round_frame_rate};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;

/// The size of the tag that ends there.
const BACK_POINTER_BYTES: u64 = 4;
/// The most tags that are looked at.
const MAX_TAGS: u32 = 4096;
/// The most reads for tags that are not in memory.
const MAX_HOPS: u32 = 1;
/// As much of a script tag as is read: an index of key frames may be large.
const MAX_SCRIPT_BYTES: u64 = 256 * 1024;
/// As much of a media tag as is read: configuration records are short.
const MAX_MEDIA_BYTES: u64 = 4096;
/// The most tags at the end that have no time.
const MAX_TIMELESS_TAGS: u32 = 16;

/// Properties that are no tags but numbers written as such.
const TECHNICAL: [&str; 4] = ["videocodecid", "audiocodecid", "canseektoend", "metadatacreationtool"];

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let mut found = Found::default();
    found.read(reader).await?;
    let mut duration = found.number("duration");
    if duration <= 0.0 {
        duration = last_milliseconds(reader).await? / 1e3;
    }
    let mut metadata = Metadata::new("flv", "flv", reader.len());
    metadata.set_duration(duration);
    metadata.tags = found.tags().into_map();
    metadata.video = found.video().into_iter().collect();
    metadata.audio = found.audio.into_iter().collect();
    Ok(metadata)
}

/// What the tags at the start say.
#[derive(Default)]
struct Found {
    properties: Vec<(String, Value)>,
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    /// When the first frames are decoded, in milliseconds.
    timestamps: Vec<i64>,
}

impl Found {
    /// Reads from tag to tag while they are in memory.
    async fn read<S: ByteSource>(&mut self, reader: &mut Reader<'_, S>) -> Result<(), ProbeError<S::Error>> {
        let head = reader.read(0..9).await?;
        let header_bytes = head.get(5..).and_then(|bytes| Cursor::new(bytes).u32()).unwrap_or(9);
        let mut position = u64::from(header_bytes).max(9) + BACK_POINTER_BYTES;
        let mut hops_left = MAX_HOPS;
        for _ in 0..MAX_TAGS {
            let body_at = position.saturating_add(HEADER_BYTES);
            if !reader.is_cached(position..body_at) {
                if hops_left == 0 || self.is_complete() {
                    break;
                }
                hops_left -= 1;
            }
            let bytes = reader.read(position..body_at).await?;
            let Some(tag) = Tag::parse(&bytes) else { break };
            let max_bytes = if tag.kind == SCRIPT { MAX_SCRIPT_BYTES } else { MAX_MEDIA_BYTES };
            let wanted = body_at..body_at.saturating_add(u64::from(tag.size).min(max_bytes));
            if self.wants(&tag) && (reader.is_cached(wanted.clone()) || hops_left > 0) {
                hops_left -= u32::from(!reader.is_cached(wanted.clone()));
                let body = reader.read(wanted).await?;
                self.add(&tag, &body);
            }
            position = body_at.saturating_add(u64::from(tag.size)).saturating_add(BACK_POINTER_BYTES);
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.video.is_some() && self.audio.is_some()
    }

    fn wants(&self, tag: &Tag) -> bool {
        !tag.is_encrypted
            && match tag.kind {
                tag::VIDEO => self.video.is_none() || self.timestamps.len() < frame_rate::MAX_FRAMES,
                tag::AUDIO => self.audio.is_none(),
                SCRIPT => self.properties.is_empty(),
                _ => false,
            }
    }

    fn add(&mut self, tag: &Tag, body: &[u8]) {
        match tag.kind {
            SCRIPT => self.properties = amf::parse_metadata(body),
            tag::AUDIO if !body.is_empty() => {
                self.audio = self.audio.take().or_else(|| parse_audio(body));
            }
            tag::VIDEO if !body.is_empty() => {
                if self.timestamps.len() < frame_rate::MAX_FRAMES {
                    self.timestamps.push(tag.milliseconds.into());
                }
                self.video = self.video.take().or_else(|| parse_video(body));
            }
            _ => {}
        }
    }

    /// The property `key`; 0 when it is not there or no number.
    fn number(&self, key: &str) -> f64 {
        let found = self.properties.iter().find(|(known, _)| known == key);
        match found {
            Some((_, Value::Number(number))) if number.is_finite() => *number,
            _ => 0.0,
        }
    }

    fn tags(&self) -> Tags {
        let mut tags = Tags::default();
        for (key, value) in &self.properties {
            let key = key.to_lowercase();
            if let Value::Text(text) = value
                && !TECHNICAL.contains(&key.as_str())
            {
                tags.insert(&key, text);
            }
        }
        tags
    }

    /// The video track, with what `onMetaData` adds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-integer cast saturates"
    )]
    fn video(&mut self) -> Option<VideoTrack> {
        let mut track = self.video.take()?;
        if track.width == 0 || track.height == 0 {
            (track.width, track.height) = (self.number("width") as u32, self.number("height") as u32);
            track.display_aspect_ratio = aspect_ratio(track.width.into(), track.height.into());
        }
        let said = self.number("framerate");
        let rate = match track.frame_rate {
            _ if said > 0.0 => said,
            // What the stream says.
            rate if rate > 0.0 => rate,
            _ => frame_rate::estimate(std::mem::take(&mut self.timestamps), TICK_SECONDS),
        };
        track.frame_rate = round_frame_rate(rate);
        Some(track)
    }
}

/// The time of the last tag, in milliseconds; 0 when none can be found.
async fn last_milliseconds<S: ByteSource>(reader: &mut Reader<'_, S>) -> Result<f64, ProbeError<S::Error>> {
    let len = reader.len();
    let tail_start = len.saturating_sub(WINDOW_BYTES);
    let tail = reader.read(tail_start..len).await?;
    let mut end = len;
    for turn in 0..MAX_TIMELESS_TAGS {
        let Some(pointer_at) = end.checked_sub(BACK_POINTER_BYTES) else { break };
        // Only the very last tag is worth another read: it may be a large key frame.
        if turn > 0 && pointer_at < tail_start {
            break;
        }
        let pointer = reader.read(pointer_at..end).await?;
        let size = Cursor::new(&pointer).u32().map_or(0, u64::from);
        let Some(tag_at) = pointer_at.checked_sub(size).filter(|_| size >= HEADER_BYTES) else { break };
        if turn > 0 && tag_at < tail_start {
            break;
        }
        let tag = Tag::parse(&reader.read(tag_at..tag_at + HEADER_BYTES).await?);
        let Some(tag) = tag.filter(|tag| u64::from(tag.size) + HEADER_BYTES == size) else { break };
        if tag.milliseconds > 0 {
            return Ok(tag.milliseconds.into());
        }
        end = tag_at;
    }
    Ok(last_tag(&tail).map_or(0.0, |tag| tag.milliseconds.into()))
}

/// The last tag in `bytes` behind which its size is, as it should be.
fn last_tag(bytes: &[u8]) -> Option<Tag> {
    (0..bytes.len()).rev().find_map(|start| {
        let tag = Tag::parse(bytes.get(start..)?).filter(Tag::is_media)?;
        let size = tag.size.checked_add(11)?;
        let pointer_at = start.checked_add(usize::try_from(size).ok()?)?;
        let pointer = Cursor::new(bytes.get(pointer_at..)?).u32()?;
        (pointer == size).then_some(tag)
    })
}

#[cfg(test)]
mod tests;
