//! What frames of sound have in common that carry a header each: MPEG audio, ADTS, AC-3, DTS.

/// A frame, as its header has it.
pub(crate) trait Frame: Copy {
    /// Reads the header that `bytes` start with.
    fn parse(bytes: &[u8]) -> Option<Self>;
    /// From this header to the next; `None` when it does not tell.
    fn size_bytes(&self) -> Option<usize>;
    /// Samples per channel that the frame adds to the playing time.
    fn samples(&self) -> u32;
    fn sample_rate(&self) -> u32;
    /// Whether `next` can be a later frame of the same stream.
    fn continues(&self, next: &Self) -> bool;
    /// The constant bit rate that the header tells, where it tells one.
    fn bit_rate(&self) -> Option<u32>;
}
