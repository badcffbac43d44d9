//! Tag formats that several containers carry. Keys are `ffprobe`'s, in lower case.

pub(crate) mod vorbis_comment;
