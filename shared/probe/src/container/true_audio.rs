//! True Audio (TTA1): a header of 22 bytes that tells all.

use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;
use crate::tags::{LeadingTags, trailing};

#[derive(Debug, PartialEq, Eq)]
struct Header {
    channels: u16,
    sample_rate: u32,
    samples: u32,
}

impl Header {
    fn parse(head: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(head);
        fields.skip(4 + 2)?;
        let channels = fields.u16_le()?;
        fields.skip(2)?;
        let (sample_rate, samples) = (fields.u32_le()?, fields.u32_le()?);
        (channels > 0 && sample_rate > 0).then_some(Self { channels, sample_rate, samples })
    }
}

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    let head = reader.read(leading.end..leading.end.saturating_add(WINDOW_BYTES)).await?;
    let Some(header) = Header::parse(&head) else {
        return Err(ProbeError::malformed("its header makes no sense"));
    };
    let seconds = f64::from(header.samples) / f64::from(header.sample_rate);
    let track = AudioTrack::plain("tta", header.channels.into(), header.sample_rate);
    let mut metadata = Metadata::of_sound("tta", reader.len(), seconds, track);
    trailing::read(reader, leading.end).await?.add_to(&mut metadata);
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_all() {
        let head = b"TTA1\x01\0\x02\0\x10\0\x44\xac\0\0\x88\x58\x01\0";
        assert_eq!(Header::parse(head), Some(Header { channels: 2, sample_rate: 44_100, samples: 88_200 }));
        assert_eq!(Header::parse(&head[..17]), None);
        assert_eq!(Header::parse(&[0; 22]), None);
    }
}
