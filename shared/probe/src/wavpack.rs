//! WavPack.

use crate::error::ProbeError;
use crate::metadata::Metadata;
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::LeadingTags;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    _reader: &mut Reader<'_, S>,
    _leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    Err(ProbeError::Unsupported { looks_like: Some("a WavPack file") })
}
