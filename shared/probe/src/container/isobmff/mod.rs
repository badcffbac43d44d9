//! The ISO base media file format (ISO/IEC 14496-12) and QuickTime: MP4, MOV, M4A, 3GP, fragmented MP4.
//!
//! A [`walk`] from box to box at the top of the file finds the movie box and, in a fragmented file, the last fragment.
//!
//! A bound on reads, bytes or boxes that is met after the movie box was read does not refuse the file: its index is
//! long, or its fragments are too many, which is no fault. The answer is then what was found, and the duration of
//! fragments is what `mehd` says, or is estimated by the size of those seen.
//!
//! A file that lacks its movie box, or ends within it or within its first fragment, is malformed: it was cut off. One
//! that ends within its media data is [`truncated`](Metadata::truncated): its duration is the one that its index
//! promises, or in a fragmented file, a recording that broke off, that of the fragments which were begun. A box that
//! makes no sense elsewhere ends the walk there, and what was found before counts.

mod audio_entry;
pub(crate) mod boxes;
mod compressed;
mod entry;
pub(crate) mod esds;
mod fragment;
mod language;
mod movie;
mod sample_table;
mod search;
mod tags;
mod track;
mod tree;
mod video_entry;
mod walk;

use crate::error::ProbeError;
use crate::metadata::Metadata;
use crate::reader::Reader;
use crate::source::ByteSource;

pub use tree::MAX_BOXES;

/// The most bytes that one probe reads of the index of an MP4, its `moov` box, on top of
/// [`MAX_BYTES`](crate::MAX_BYTES). It is read in one go. Of a larger one the start is read.
pub const MAX_MOOV_BYTES: u64 = 32 * 1024 * 1024;

/// Reads the metadata of a file that looks like one of the family.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    walk::Walk::new(reader).run().await
}

#[cfg(test)]
mod tests;
