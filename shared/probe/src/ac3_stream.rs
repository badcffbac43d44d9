//! Bare AC-3 and E-AC-3 streams (ETSI TS 102 366).

use crate::error::ProbeError;
use crate::metadata::Metadata;
use crate::reader::Reader;
use crate::source::ByteSource;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    _reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    Err(ProbeError::Unsupported { looks_like: Some("an AC-3 file") })
}
