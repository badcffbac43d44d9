//! AAC in ADTS (ISO/IEC 14496-3 clause 1.A.2): a stream of frames, of which every one has a header.

use crate::codec::adts::{FrameHeader, config};
use crate::container::frames::stream;
use crate::error::ProbeError;
use crate::metadata::Metadata;
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::LeadingTags;

/// Whether a file that starts with `head` is one.
pub(crate) fn is_like(head: &[u8]) -> bool {
    stream::starts_with::<FrameHeader>(head)
}

/// Whether there are frames somewhere in `window`, beyond doubt.
pub(crate) fn is_within(window: &[u8]) -> bool {
    stream::contains::<FrameHeader>(window)
}

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    let Some(counted) = stream::count::<FrameHeader, S>(reader, leading).await? else {
        return Err(ProbeError::malformed("there is no AAC where it should start"));
    };
    let track = config(&counted.first, &counted.head).into_track();
    let mut metadata = Metadata::of_sound("adts", reader.len(), counted.seconds, track);
    "aac".clone_into(&mut metadata.format_name);
    metadata.tags = counted.tags.into_map();
    Ok(metadata)
}
