//! AC-3 and E-AC-3 (ETSI TS 102 366) as a file of bare frames.

use crate::codec::ac3::Frame;
use crate::container::frames::stream;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata};
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::LeadingTags;

/// Whether a file that starts with `head` is one.
pub(crate) fn is_like(head: &[u8]) -> bool {
    stream::starts_with::<Frame>(head)
}

/// Whether there are frames somewhere in `window`, beyond doubt.
pub(crate) fn is_within(window: &[u8]) -> bool {
    stream::contains::<Frame>(window)
}

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    let Some(counted) = stream::count::<Frame, S>(reader, leading).await? else {
        return Err(ProbeError::malformed("there is no AC-3 where it should start"));
    };
    let frame = counted.first;
    let track = AudioTrack::plain(frame.codec(), frame.channels_in(&counted.head), frame.sample_rate);
    let mut metadata = Metadata::of_sound(frame.codec(), reader.len(), counted.seconds, track);
    metadata.tags = counted.tags.into_map();
    Ok(metadata)
}
