//! Tags: iTunes items (`udta/meta/ilst`), QuickTime keys (`meta/keys`), QuickTime and 3GPP strings (`udta`).
//!
//! Keys are `ffprobe`'s: `title`, `artist`, … and QuickTime's reversed domains as they are.

use super::boxes::{FourCc, child, children};
use super::tree::Node;
use crate::cursor::Cursor;
use crate::metadata::{CoverArt, MAX_COVER_ART, Tags};
use crate::tags::text::{until_nul, utf_16_be};

/// The most items that are looked at.
const MAX_ITEMS: usize = 1024;
/// As much of a value as is decoded: more than is kept of it.
const MAX_VALUE_BYTES: usize = 2048;

/// Type of an item's value, ISO/IEC 14496-12 by Apple: 1 UTF-8, 2 UTF-16, 21 signed, 22 unsigned, 0 by the item.
const IMPLICIT: u32 = 0;
const UTF_8: u32 = 1;
const UTF_16: u32 = 2;
const SIGNED: u32 = 21;
const UNSIGNED: u32 = 22;

const NAMES: [(&FourCc, &str); 42] = [
    (b"\xa9nam", "title"),
    (b"\xa9ART", "artist"),
    (b"\xa9art", "artist"),
    (b"aART", "album_artist"),
    (b"\xa9alb", "album"),
    (b"\xa9wrt", "composer"),
    (b"\xa9com", "composer"),
    (b"\xa9gen", "genre"),
    (b"\xa9day", "date"),
    (b"\xa9cmt", "comment"),
    (b"\xa9inf", "comment"),
    (b"\xa9des", "description"),
    (b"desc", "description"),
    (b"ldes", "synopsis"),
    (b"\xa9too", "encoder"),
    (b"\xa9swr", "encoder"),
    (b"\xa9enc", "encoder"),
    (b"\xa9cpy", "copyright"),
    (b"cprt", "copyright"),
    (b"\xa9grp", "grouping"),
    (b"\xa9lyr", "lyrics"),
    (b"\xa9pub", "publisher"),
    (b"\xa9mak", "make"),
    (b"\xa9mod", "model"),
    (b"\xa9xyz", "location"),
    (b"\xa9dir", "director"),
    (b"trkn", "track"),
    (b"disk", "disc"),
    (b"tvsh", "show"),
    (b"tvnn", "network"),
    (b"tven", "episode_id"),
    (b"tves", "episode_sort"),
    (b"tvsn", "season_number"),
    (b"catg", "category"),
    (b"keyw", "keywords"),
    (b"sonm", "sort_name"),
    (b"soar", "sort_artist"),
    (b"soal", "sort_album"),
    (b"soaa", "sort_album_artist"),
    (b"soco", "sort_composer"),
    (b"cpil", "compilation"),
    (b"pgap", "gapless_playback"),
];

/// Strings that 3GPP TS 26.244 puts into `udta` with a language.
const LOCALISED: [(&FourCc, &str); 6] = [
    (b"titl", "title"),
    (b"perf", "artist"),
    (b"auth", "author"),
    (b"albm", "album"),
    (b"dscp", "comment"),
    (b"gnre", "genre"),
];

/// Collects the tags of a movie box; where several places name one tag the iTunes item wins.
pub(super) fn collect(moov: &Node) -> Tags {
    let mut tags = Tags::default();
    let metas = moov.all(*b"udta").flat_map(|udta| udta.all(*b"meta")).chain(moov.all(*b"meta"));
    let mut items_left = MAX_ITEMS;
    for meta in metas {
        collect_meta(meta, &mut items_left, &mut tags);
    }
    for item in moov.all(*b"udta").flat_map(|udta| &udta.children).take(MAX_ITEMS) {
        collect_string(item, &mut tags);
    }
    tags
}

/// The pictures in `covr` items, by the type of their `data` boxes: 13 JPEG, 14 PNG, 27 BMP. Others are none. JPEG and
/// PNG are often taken for each other, so there the signature counts.
pub(super) fn cover_art(moov: &Node) -> Vec<CoverArt> {
    let metas = || moov.all(*b"udta").flat_map(|udta| udta.all(*b"meta")).chain(moov.all(*b"meta"));
    let lists = metas().filter_map(|meta| meta.child(*b"ilst"));
    let pictures = lists.flat_map(|items| items.all(*b"covr")).flat_map(|cover| children(&cover.data));
    let pictures = pictures.filter(|(kind, _)| kind == b"data").filter_map(|(_, data)| {
        let kind = Cursor::new(data).u32()? & 0x00ff_ffff;
        let picture = data.get(8..)?;
        let content_type = match kind {
            13 | 14 if picture.starts_with(b"\x89PNG") => "image/png",
            13 | 14 => "image/jpeg",
            27 => "image/bmp",
            _ => return None,
        };
        Some(CoverArt { content_type: content_type.to_owned(), size_bytes: picture.len() as u64 })
    });
    pictures.take(MAX_COVER_ART).collect()
}

fn collect_meta(meta: &Node, items_left: &mut usize, tags: &mut Tags) {
    let keys = meta.data(*b"keys").map(parse_keys).unwrap_or_default();
    let Some(items) = meta.child(*b"ilst") else { return };
    for item in items.children.iter().take(*items_left) {
        *items_left -= 1;
        if &item.kind == b"----" {
            collect_free_form(&item.data, tags);
            continue;
        }
        // With a table of keys the type of an item is an index into it, from 1.
        let index =
            usize::try_from(u32::from_be_bytes(item.kind)).ok().and_then(|index| index.checked_sub(1));
        let key = index.and_then(|index| keys.get(index).copied()).or_else(|| name(item.kind));
        if let Some(key) = key
            && let Some(value) = child(&item.data, *b"data").and_then(|data| parse_data(item.kind, data))
        {
            tags.insert(key, &value);
        }
    }
}

fn name(kind: FourCc) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| **known == kind).map(|(_, name)| *name)
}

/// `keys` ("QuickTime File Format", Metadata Item Keys Atom): namespace and name of each.
fn parse_keys(data: &[u8]) -> Vec<&str> {
    let entries = children(data.get(8..).unwrap_or_default()).take(256);
    entries.map(|(_, key)| std::str::from_utf8(key).unwrap_or_default()).collect()
}

/// A `data` box: type, locale, value.
fn parse_data(item: FourCc, data: &[u8]) -> Option<String> {
    let mut fields = Cursor::new(data);
    let kind = fields.u32()? & 0x00ff_ffff;
    fields.skip(4)?;
    let value = fields.rest();
    let text = &value[..value.len().min(MAX_VALUE_BYTES)];
    match kind {
        UTF_8 => Some(String::from_utf8_lossy(text).into_owned()),
        UTF_16 => Some(utf_16_be(text)),
        IMPLICIT if matches!(&item, b"trkn" | b"disk") => parse_position(value),
        IMPLICIT | SIGNED if is_number(item) || kind == SIGNED => {
            signed(value).map(|number| number.to_string())
        }
        UNSIGNED => unsigned(value).map(|number| number.to_string()),
        IMPLICIT => std::str::from_utf8(value).ok().map(str::to_owned),
        _ => None,
    }
}

fn is_number(item: FourCc) -> bool {
    matches!(&item, b"tves" | b"tvsn" | b"cpil" | b"pgap")
}

fn unsigned(value: &[u8]) -> Option<u64> {
    (1..=8)
        .contains(&value.len())
        .then(|| value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn signed(value: &[u8]) -> Option<i64> {
    let unused_bits = 64_u32.checked_sub(u32::try_from(value.len()).ok()?.checked_mul(8)?)?;
    unsigned(value).map(|number| (number << unused_bits).cast_signed() >> unused_bits)
}

/// Track and disc numbers: two unused bytes, number, total.
fn parse_position(value: &[u8]) -> Option<String> {
    let mut fields = Cursor::new(value);
    fields.skip(2)?;
    let number = fields.u16()?;
    Some(match fields.u16() {
        Some(total) if total > 0 => format!("{number}/{total}"),
        _ => number.to_string(),
    })
}

/// A free-form item: `mean` (a domain), `name`, `data`.
fn collect_free_form(item: &[u8], tags: &mut Tags) {
    let name = child(item, *b"name").and_then(|name| std::str::from_utf8(name.get(4..)?).ok());
    let value = child(item, *b"data").and_then(|data| parse_data(*b"----", data));
    if let Some((name, value)) = name.zip(value) {
        tags.insert(name, &value);
    }
}

/// A string directly in `udta`.
fn collect_string(item: &Node, tags: &mut Tags) {
    let data = &item.data[..item.data.len().min(MAX_VALUE_BYTES)];
    if &item.kind == b"loci" {
        if let Some(location) = parse_location(data) {
            tags.insert("location", &location);
        }
    } else if let Some((_, key)) = LOCALISED.iter().find(|(kind, _)| **kind == item.kind) {
        // Version, flags and a language; then a string that may be UTF-16.
        let Some(text) = data.get(6..) else { return };
        let text = if text.starts_with(&[0xfe, 0xff]) { utf_16_be(&text[2..]) } else { until_nul(text) };
        tags.insert(key, &text);
    } else if item.kind[0] == 0xa9
        && let Some(key) = name(item.kind)
        && let Some(text) = parse_quicktime_string(data)
    {
        tags.insert(key, &text);
    }
}

/// Size, language, text ("QuickTime File Format", User Data Text Strings); only the first of several languages.
fn parse_quicktime_string(data: &[u8]) -> Option<String> {
    let mut fields = Cursor::new(data);
    let size = fields.u16()?;
    fields.skip(2)?;
    let text = fields.take(usize::from(size).min(fields.rest().len()))?;
    Some(until_nul(text))
}

/// `loci` (3GPP TS 26.244 clause 8.13) as ISO 6709: name, role, longitude, latitude in 16.16.
fn parse_location(data: &[u8]) -> Option<String> {
    let place = data.get(6..)?;
    let is_utf_16 = place.starts_with(&[0xfe, 0xff]);
    let width = if is_utf_16 { 2 } else { 1 };
    let name_bytes = place.chunks_exact(width).position(|unit| unit.iter().all(|byte| *byte == 0))? * width;
    let mut fields = Cursor::new(place.get(name_bytes + width..)?);
    fields.skip(1)?;
    let (longitude, latitude) = (fields.i32()?, fields.i32()?);
    let degrees = |fixed: i32| f64::from(fixed) / 65_536.0;
    Some(format!("{:+08.4}{:+09.4}/", degrees(latitude), degrees(longitude)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::boxes::tests::{boxed, full};
    use super::super::tree::tests::tree;
    use super::*;

    fn tags(boxes: &[Vec<u8>]) -> BTreeMap<String, String> {
        collect(&tree(&boxed(*b"moov", boxes.concat()))).into_map()
    }

    fn item(kind: FourCc, data_kind: u32, value: &[u8]) -> Vec<u8> {
        boxed(kind, boxed(*b"data", [&data_kind.to_be_bytes(), &[0; 4][..], value].concat()))
    }

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn itunes_items() {
        let free_form = boxed(
            *b"----",
            [full(*b"mean", 0, 0, b"com.apple.iTunes"), full(*b"name", 0, 0, b"ISRC"), {
                boxed(*b"data", [&[0, 0, 0, 1, 0, 0, 0, 0][..], b"XX1"].concat())
            }]
            .concat(),
        );
        let items = [
            item(*b"\xa9nam", 1, "Grüße".as_bytes()),
            item(*b"\xa9ART", 2, &[0, b'A', 0, b'B']),
            item(*b"trkn", 0, &[0, 0, 0, 3, 0, 12, 0, 0]),
            item(*b"tvsn", 21, &[0xff]),
            item(*b"covr", 13, b"picture"),
            item(*b"abcd", 1, b"unknown"),
            free_form,
        ];
        let udta = boxed(*b"udta", full(*b"meta", 0, 0, boxed(*b"ilst", items.concat())));
        let expected = [
            ("title", "Grüße"),
            ("artist", "AB"),
            ("track", "3/12"),
            ("season_number", "-1"),
            ("ISRC", "XX1"),
        ];
        assert_eq!(tags(&[udta]), pairs(&expected));
    }

    #[test]
    fn covers_are_named_and_not_tags() {
        let data =
            |kind: u32, picture: &[u8]| boxed(*b"data", [&kind.to_be_bytes(), &[0; 4][..], picture].concat());
        let pictures = [data(13, b"\xff\xd8\xff"), data(13, b"\x89PNG"), data(27, b"BM"), data(0, b"?")];
        let items = [boxed(*b"covr", pictures.concat()), boxed(*b"covr", b"broken")].concat();
        let moov = boxed(*b"moov", boxed(*b"udta", full(*b"meta", 0, 0, boxed(*b"ilst", items))));
        let found = cover_art(&tree(&moov));
        let found: Vec<_> = found.iter().map(|art| (art.content_type.as_str(), art.size_bytes)).collect();
        assert_eq!(found, [("image/jpeg", 3), ("image/png", 4), ("image/bmp", 2)]);
        assert_eq!(collect(&tree(&moov)).into_map(), BTreeMap::new());
    }

    #[test]
    fn quicktime_keys() {
        let keys =
            [&[0, 0, 0, 2][..], &boxed(*b"mdta", b"com.example.a"), &boxed(*b"mdta", b"com.example.b")]
                .concat();
        let items =
            [item([0, 0, 0, 2], 1, b"second"), item([0, 0, 0, 9], 1, b"none"), item([0; 4], 1, b"none")];
        let hdlr = full(*b"hdlr", 0, 0, b"\0\0\0\0mdta");
        let body = [hdlr, full(*b"keys", 0, 0, keys), boxed(*b"ilst", items.concat())].concat();
        assert_eq!(tags(&[boxed(*b"meta", body)]), pairs(&[("com.example.b", "second")]));
    }

    #[test]
    fn strings_and_places_in_user_data() {
        let strings = [
            boxed(*b"\xa9mak", b"\0\x04\x15\xc7Acme"),
            boxed(*b"\xa9xyz", b"\0\x12\x15\xc7+40.6800-074.5000/"),
            full(*b"titl", 0, 0, b"\x15\xc7Clip\0"),
            full(*b"perf", 0, 0, b"\x15\xc7\xfe\xff\0A\0\0"),
        ];
        let udta = boxed(*b"udta", strings.concat());
        let expected =
            [("make", "Acme"), ("location", "+40.6800-074.5000/"), ("title", "Clip"), ("artist", "A")];
        assert_eq!(tags(&[udta]), pairs(&expected));
        let loci = full(
            *b"loci",
            0,
            0,
            [&[0x15, 0xc7, b'x', 0, 0][..], &[0, 2, 0x4b, 0x85], &[0, 0x30, 0xdb, 0x92]].concat(),
        );
        assert_eq!(tags(&[boxed(*b"udta", loci)]), pairs(&[("location", "+48.8577+002.2950/")]));
    }

    #[test]
    fn broken_items_are_left_out() {
        let items = [
            boxed(*b"\xa9nam", b"short"),
            item(*b"trkn", 0, &[0]),
            item(*b"tves", 21, &[0; 9]),
            item(*b"\xa9alb", 99, b"?"),
        ];
        let udta = boxed(*b"udta", full(*b"meta", 0, 0, boxed(*b"ilst", items.concat())));
        assert_eq!(tags(&[udta]), BTreeMap::new());
        assert_eq!(parse_location(b"\0\0\0\0\0\0no end"), None);
        assert_eq!(signed(&[]), None);
    }
}
