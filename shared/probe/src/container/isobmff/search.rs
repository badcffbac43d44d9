//! Boxes found from the end of a file, so that what lies between need not be read: the movie box behind many stretches
//! of media data, and the last fragment.
//!
//! The random access index (`mfra`) at the end of the file names the last fragment. Where there is none, and for the
//! movie box, the box shows itself: the end of the file is searched for its type.
//!
//! The bytes of a type may also occur within media data. So what is found has to look like such a box inside, and the
//! boxes behind it have to follow one another to the end of the file.

use super::boxes::{self, Header};
use super::fragment::{self, AccessPoint};
use super::movie::Movie;

/// The most places that are examined for being such a box, and the most boxes that are followed from them: what looks
/// like one by chance fails at once.
const MAX_CANDIDATES: usize = 256;
const MAX_FOLLOWED_BOXES: u32 = 20_000;
const MAX_CHILDREN: usize = 64;

/// Where the movie box begins in `tail`, the end of a file.
pub(super) fn find_movie(tail: &[u8]) -> Option<usize> {
    let is_movie = |body: &[u8]| {
        let holds = |wanted| boxes::children(body).take(MAX_CHILDREN).any(|(kind, _)| kind == wanted);
        holds(*b"mvhd") && holds(*b"trak")
    };
    let starts = places(tail, |window| &window[4..8] == b"moov");
    first_in_chain(tail, starts, is_movie, |_| true)
}

/// Where the first fragment of `movie` begins in `tail`, the end of a file. Media data may be cut off.
pub(super) fn find_fragment(tail: &[u8], movie: &Movie) -> Option<usize> {
    let starts = places(tail, |window| &window[4..8] == b"moof" && &window[12..] == b"mfhd");
    first_in_chain(tail, starts, |body| fragment::is_moof_of(movie, body), |chain| chain.has_media_data)
}

/// Length of the random access index that ends a file, by the last 16 bytes of `tail`.
pub(super) fn access_index_bytes(tail: &[u8]) -> Option<u64> {
    fragment::parse_mfro(tail.last_chunk::<16>()?)
}

/// The last access point of each track, by the random access index that ends `tail`; empty where there is none.
pub(super) fn last_access_points(tail: &[u8]) -> Vec<AccessPoint> {
    let size = access_index_bytes(tail).and_then(|size| usize::try_from(size).ok());
    let Some(start) = size.and_then(|size| tail.len().checked_sub(size)) else { return Vec::new() };
    let index = tail.get(start + 8..).unwrap_or_default();
    let tables = boxes::children(index).take(MAX_CHILDREN).filter(|(kind, _)| kind == b"tfra");
    tables.filter_map(|(_, tfra)| fragment::last_access_point(tfra)).collect()
}

/// Bytes that tell a box: its header, and that of the first box in it.
const SIGNATURE_BYTES: usize = 16;

fn places(tail: &[u8], is_signature: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = usize> {
    let windows = tail.windows(SIGNATURE_BYTES).enumerate();
    windows.filter(move |(_, window)| is_signature(window)).map(|(start, _)| start).take(MAX_CANDIDATES)
}

/// What was met on the way from a box to the end of the file.
#[derive(Default)]
struct Chain {
    has_media_data: bool,
}

/// The first of `starts` at which a box begins whose body `is_meant`, and from which boxes follow one another to the
/// end of `tail`. Stray bytes may come last.
fn first_in_chain(
    tail: &[u8],
    mut starts: impl Iterator<Item = usize>,
    is_meant: impl Fn(&[u8]) -> bool,
    is_enough: impl Fn(&Chain) -> bool,
) -> Option<usize> {
    let mut boxes_left = MAX_FOLLOWED_BOXES;
    starts.find(|start| {
        let rest = tail.get(*start..).unwrap_or_default();
        follow(rest, &is_meant, &mut boxes_left).is_some_and(|chain| is_enough(&chain))
    })
}

fn follow(mut rest: &[u8], is_meant: impl Fn(&[u8]) -> bool, boxes_left: &mut u32) -> Option<Chain> {
    let mut chain = Chain::default();
    let mut is_first = true;
    while !rest.is_empty() {
        *boxes_left = boxes_left.checked_sub(1)?;
        let Some(header) = Header::parse(rest).filter(Header::has_plausible_kind) else { break };
        chain.has_media_data |= &header.kind == b"mdat";
        let reaches = header.size.filter(|size| *size <= rest.len() as u64);
        let Some(size) = reaches.and_then(|size| usize::try_from(size).ok()) else {
            // The recording broke off here.
            return matches!(&header.kind, b"mdat" | b"moof").then_some(chain).filter(|_| !is_first);
        };
        if is_first && !is_meant(rest.get(8..size)?) {
            return None;
        }
        is_first = false;
        rest = rest.get(size..)?;
    }
    (!is_first).then_some(chain)
}
