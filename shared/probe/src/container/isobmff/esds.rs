//! Elementary stream descriptors: the `esds` box (ISO/IEC 14496-14 clause 5.6, ISO/IEC 14496-1 clause 7.2.6).

use crate::cursor::Cursor;

const ES_DESCRIPTOR: u8 = 3;
const DECODER_CONFIG: u8 = 4;
const DECODER_SPECIFIC_INFO: u8 = 5;
/// Object type indication of MPEG-4 audio.
pub(super) const MPEG4_AUDIO: u8 = 0x40;
const MPEG4_VISUAL: u8 = 0x20;
/// Start code of a visual object sequence, whose next byte indicates profile and level.
const VISUAL_OBJECT_SEQUENCE: &[u8] = b"\0\0\x01\xb0";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ElementaryStream<'a> {
    pub(super) object_type_indication: u8,
    pub(super) average_bit_rate: Option<u64>,
    pub(crate) decoder_specific_info: Option<&'a [u8]>,
}

impl<'a> ElementaryStream<'a> {
    /// Reads the body of an `esds`.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut fields = Cursor::new(body);
        fields.skip(4)?;
        let mut stream = Cursor::new(descriptor(&mut fields, ES_DESCRIPTOR)?);
        stream.skip(2)?;
        let flags = stream.u8()?;
        if flags & 0x80 != 0 {
            stream.skip(2)?;
        }
        if flags & 0x40 != 0 {
            let url_bytes = stream.u8()?;
            stream.skip(url_bytes.into())?;
        }
        if flags & 0x20 != 0 {
            stream.skip(2)?;
        }
        let mut config = Cursor::new(descriptor(&mut stream, DECODER_CONFIG)?);
        let object_type_indication = config.u8()?;
        config.skip(1 + 3 + 4)?;
        let average_bit_rate = Some(u64::from(config.u32()?)).filter(|bit_rate| *bit_rate > 0);
        let decoder_specific_info = descriptor(&mut config, DECODER_SPECIFIC_INFO);
        Some(Self { object_type_indication, average_bit_rate, decoder_specific_info })
    }

    /// The codec string without what the codec itself adds. Browsers compare it letter by letter, in upper case.
    pub(super) fn codec_string(&self, entry: &str) -> String {
        format!("{entry}.{:02X}", self.object_type_indication)
    }

    /// `ffprobe`'s name by the registry of object type indications, for what may be in a video track.
    pub(super) fn video_codec(&self) -> Option<&'static str> {
        Some(match self.object_type_indication {
            MPEG4_VISUAL => "mpeg4",
            0x21 => "h264",
            0x23 => "hevc",
            0x60..=0x65 => "mpeg2video",
            0x6a => "mpeg1video",
            0x6c => "mjpeg",
            0x6d => "png",
            0x6e => "jpeg2000",
            0xa3 => "vc1",
            0xa4 => "dirac",
            0xb1 => "vp9",
            _ => return None,
        })
    }

    /// The same for what may be in an audio track; MPEG-4 audio is told by its configuration.
    pub(super) fn audio_codec(&self) -> Option<&'static str> {
        Some(match self.object_type_indication {
            MPEG4_AUDIO | 0x66..=0x68 => "aac",
            0x69 | 0x6b => "mp3",
            0xa5 => "ac3",
            0xa6 => "eac3",
            0xa9..=0xac => "dts",
            0xad => "opus",
            0xdd => "vorbis",
            0xe1 => "qcelp",
            _ => return None,
        })
    }

    /// `profile_and_level_indication` of MPEG-4 visual.
    pub(super) fn visual_profile_level(&self) -> Option<u8> {
        let info = self.decoder_specific_info.filter(|_| self.object_type_indication == MPEG4_VISUAL)?;
        let start = info.windows(4).position(|window| window == VISUAL_OBJECT_SEQUENCE)?;
        info.get(start + 4).copied()
    }
}

/// The body of the next descriptor if it has this tag; cut where its parent ends.
fn descriptor<'a>(fields: &mut Cursor<'a>, tag: u8) -> Option<&'a [u8]> {
    if fields.u8()? != tag {
        return None;
    }
    let mut size = 0;
    for _ in 0..4 {
        let byte = fields.u8()?;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    fields.take(size.min(fields.rest().len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn descriptors_have_sizes_of_one_to_four_bytes() {
        let long =
            b"\0\0\0\0\x03\x80\x80\x80\x25\0\x01\0\x04\x80\x80\x80\x17\x40\x15\0\0\0\0\0\xfb\x32\0\0\xfb\x32\
            \x05\x80\x80\x80\x05\x12\x08\x56\xe5\0\x06\x80\x80\x80\x01\x02";
        let short = b"\0\0\0\0\x03\x16\0\x01\0\x04\x11\x40\x15\0\0\0\0\0\xfb\x32\0\0\xfb\x32\x05\x02\x12\x08";
        let stream = ElementaryStream::parse(long).unwrap();
        assert_eq!(stream.decoder_specific_info, Some(&b"\x12\x08\x56\xe5\0"[..]));
        assert_eq!(stream.average_bit_rate, Some(64_306));
        let stream = ElementaryStream::parse(short).unwrap();
        assert_eq!(stream.decoder_specific_info, Some(&b"\x12\x08"[..]));
        assert_eq!(stream.codec_string("mp4a"), "mp4a.40");
    }

    #[test]
    fn optional_fields_are_stepped_over() {
        let body = b"\0\0\0\0\x03\x1c\0\x01\xe0\0\0\x02ab\0\0\x04\x0d\x6b\x15\0\0\0\0\0\0\0\0\0\0\0";
        let stream = ElementaryStream::parse(body).unwrap();
        assert_eq!((stream.audio_codec(), stream.average_bit_rate), (Some("mp3"), None));
        assert_eq!(stream.codec_string("mp4a"), "mp4a.6B");
        assert_eq!(ElementaryStream::parse(b"\0\0\0\0\x04\x00"), None);
        assert_eq!(ElementaryStream::parse(&[]), None);
    }
}
