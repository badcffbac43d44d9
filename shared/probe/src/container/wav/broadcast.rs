//! The broadcast extension chunk (EBU Tech 3285).

use crate::container::riff::text;
use crate::cursor::Cursor;
use crate::metadata::Tags;

const VERSION_AND_RESERVED_BYTES: usize = 2 + 254;

/// Reads the body of a `bext` chunk, as far as it goes.
pub(super) fn read(body: &[u8], tags: &mut Tags) -> Option<()> {
    let mut fields = Cursor::new(body);
    for (key, bytes) in [
        ("comment", 256),
        ("encoded_by", 32),
        ("originator_reference", 32),
        ("date", 10),
        ("creation_time", 8),
    ] {
        tags.insert(key, &text(fields.take(bytes)?));
    }
    tags.insert("time_reference", &fields.u64_le()?.to_string());
    fields.skip(VERSION_AND_RESERVED_BYTES)?;
    tags.insert("coding_history", &text(fields.rest()));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_as_tags() {
        let mut body = vec![0; 602];
        body[..5].copy_from_slice(b"Scene");
        body[256..260].copy_from_slice(b"Unit");
        body[320..338].copy_from_slice(b"2024-05-0607:08:09");
        body[338] = 99;
        body.extend(b"A=PCM,F=48000\r\n\0");
        let mut tags = Tags::default();
        assert_eq!(read(&body, &mut tags), Some(()));
        let map = tags.into_map();
        let got: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            got,
            [
                ("coding_history", "A=PCM,F=48000"),
                ("comment", "Scene"),
                ("creation_time", "07:08:09"),
                ("date", "2024-05-06"),
                ("encoded_by", "Unit"),
                ("time_reference", "99"),
            ]
        );
    }

    #[test]
    fn a_short_chunk_tells_what_it_has() {
        let mut tags = Tags::default();
        assert_eq!(read(&[b'x'; 300], &mut tags), None);
        assert_eq!(tags.into_map().len(), 2);
    }
}
