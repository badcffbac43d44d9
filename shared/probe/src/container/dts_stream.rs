//! DTS (ETSI TS 102 114) as a file of bare frames, in 16-bit big-endian words.

use crate::codec::dts::CoreFrame;
use crate::container::frames::stream;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata};
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::LeadingTags;

/// Whether a file that starts with `head` is one.
pub(crate) fn is_like(head: &[u8]) -> bool {
    stream::starts_with::<CoreFrame>(head)
}

/// Whether there are frames somewhere in `window`, beyond doubt.
pub(crate) fn is_within(window: &[u8]) -> bool {
    stream::contains::<CoreFrame>(window)
}

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    let Some(counted) = stream::count::<CoreFrame, S>(reader, leading).await? else {
        return Err(ProbeError::malformed("there is no DTS where it should start"));
    };
    let config = counted.first.config;
    let track = AudioTrack::plain("dts", config.channels.unwrap_or(0), config.sample_rate.unwrap_or(0));
    let mut metadata = Metadata::of_sound("dts", reader.len(), counted.seconds, track);
    metadata.tags = counted.tags.into_map();
    Ok(metadata)
}
