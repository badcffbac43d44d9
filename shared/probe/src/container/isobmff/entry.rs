//! Sample entries: which codec a track is in (`stsd`, ISO/IEC 14496-12 clause 8.5.2).

use super::audio_entry::AudioEntry;
use super::boxes::{FourCc, child, children};
use super::video_entry::VideoEntry;
use crate::codec::UNKNOWN;

/// The first sample entry of a track whose codec is known, else its first one.
#[derive(Debug, PartialEq)]
pub(super) enum SampleEntry {
    Video(VideoEntry),
    Audio(AudioEntry),
    Subtitle {
        codec: &'static str,
    },
    /// Time codes, hints, timed metadata, pictures: nothing that is listed.
    Other,
}

impl SampleEntry {
    /// Reads the body of an `stsd`; `handler` says what kind of track it is.
    pub(super) fn parse(handler: FourCc, stsd: &[u8]) -> Self {
        // Version, flags and the number of entries, which the entries tell better themselves.
        let entries = || children(stsd.get(8..).unwrap_or_default()).take(16);
        let parsed = match &handler {
            b"vide" => {
                first_known(entries().filter_map(|(kind, body)| VideoEntry::parse(kind, body)), |entry| {
                    entry.codec != UNKNOWN
                })
                .map(Self::Video)
            }
            b"soun" => {
                let stsd_version = stsd.first().copied().unwrap_or(0);
                first_known(
                    entries().filter_map(|(kind, body)| AudioEntry::parse(kind, body, stsd_version)),
                    |entry| entry.codec != UNKNOWN,
                )
                .map(Self::Audio)
            }
            b"sbtl" | b"subt" | b"subp" | b"text" | b"clcp" => {
                let codecs = entries().map(|(kind, body)| subtitle_codec(unprotected(kind, body, 8)));
                first_known(codecs, |codec| *codec != UNKNOWN).map(|codec| Self::Subtitle { codec })
            }
            _ => None,
        };
        parsed.unwrap_or(Self::Other)
    }
}

fn first_known<T>(entries: impl Iterator<Item = T>, is_known: impl Fn(&T) -> bool) -> Option<T> {
    let mut first = None;
    for entry in entries {
        if is_known(&entry) {
            return Some(entry);
        }
        first.get_or_insert(entry);
    }
    first
}

/// The sample entry that a protected one stands for: `sinf` holds `frma` (ISO/IEC 14496-12 clause 8.12).
/// The entry's own fields take `fields` bytes of its body.
pub(super) fn unprotected(kind: FourCc, body: &[u8], fields: usize) -> FourCc {
    if !matches!(&kind, b"encv" | b"enca" | b"enct" | b"drms" | b"drmi") {
        return kind;
    }
    let original =
        child(body.get(fields..).unwrap_or_default(), *b"sinf").and_then(|sinf| child(sinf, *b"frma"));
    original.and_then(|frma| frma.first_chunk::<4>().copied()).unwrap_or(kind)
}

fn subtitle_codec(kind: FourCc) -> &'static str {
    match &kind {
        b"tx3g" | b"text" => "mov_text",
        b"c608" => "eia_608",
        b"c708" => "eia_708",
        b"wvtt" => "webvtt",
        b"stpp" | b"dfxp" => "ttml",
        b"mp4s" => "dvd_subtitle",
        _ => UNKNOWN,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::boxes::tests::boxed;
    use super::*;

    /// The body of an `stsd` with these entries.
    pub(crate) fn stsd(version: u8, entries: &[Vec<u8>]) -> Vec<u8> {
        [&[version, 0, 0, 0, 0, 0, 0, 1][..], &entries.concat()].concat()
    }

    #[test]
    fn subtitles_are_named_and_data_tracks_are_not_listed() {
        let entry = |kind: &FourCc| stsd(0, &[boxed(*kind, [0; 16])]);
        let subtitle = |codec| SampleEntry::Subtitle { codec };
        assert_eq!(SampleEntry::parse(*b"sbtl", &entry(b"tx3g")), subtitle("mov_text"));
        assert_eq!(SampleEntry::parse(*b"clcp", &entry(b"c608")), subtitle("eia_608"));
        assert_eq!(SampleEntry::parse(*b"text", &entry(b"????")), subtitle(UNKNOWN));
        assert_eq!(SampleEntry::parse(*b"tmcd", &entry(b"tmcd")), SampleEntry::Other);
        assert_eq!(SampleEntry::parse(*b"vide", &[]), SampleEntry::Other);
    }

    #[test]
    fn a_protected_entry_names_what_it_protects() {
        let sinf = boxed(*b"sinf", boxed(*b"frma", b"avc1"));
        assert_eq!(unprotected(*b"encv", &[&[0; 78][..], &sinf].concat(), 78), *b"avc1");
        assert_eq!(unprotected(*b"encv", &[0; 78], 78), *b"encv");
        assert_eq!(unprotected(*b"hvc1", &[], 78), *b"hvc1");
    }

    #[test]
    fn the_first_known_entry_counts() {
        let entries = stsd(0, &[boxed(*b"????", [0; 8]), boxed(*b"wvtt", [0; 8])]);
        assert_eq!(SampleEntry::parse(*b"text", &entries), SampleEntry::Subtitle { codec: "webvtt" });
    }
}
