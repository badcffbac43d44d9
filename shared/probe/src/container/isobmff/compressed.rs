//! Compressed movie boxes, as QuickTime wrote them until about 2005 ("QuickTime File Format", "Compressed Movie
//! Resources"): `cmov` holds `dcom`, which names the algorithm, and `cmvd`, the length and the bytes.

use bytes::Bytes;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::boxes::{child, children};

/// A movie box that is longer than this when it is inflated is not read. They are of short films.
const MAX_MOVIE_BYTES: usize = 4 * 1024 * 1024;

/// The movie box that the body of a `cmov` box holds; `None` for what is broken, too long, or compressed otherwise.
pub(super) fn inflate(cmov: &[u8]) -> Option<Bytes> {
    if child(cmov, *b"dcom")? != b"zlib" {
        return None;
    }
    let (_, compressed) = child(cmov, *b"cmvd")?.split_first_chunk::<4>()?;
    let movie = decompress_to_vec_zlib_with_limit(compressed, MAX_MOVIE_BYTES).ok()?;
    // What comes out is a whole movie box again.
    children(&movie).next().filter(|(kind, _)| kind == b"moov")?;
    Some(movie.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::super::boxes::tests::boxed;
    use super::*;

    fn cmov(algorithm: [u8; 4], movie: &[u8]) -> Vec<u8> {
        let compressed = compress_to_vec_zlib(movie, 6);
        let length = u32::try_from(movie.len()).unwrap().to_be_bytes();
        [boxed(*b"dcom", algorithm), boxed(*b"cmvd", [&length[..], &compressed].concat())].concat()
    }

    #[test]
    fn a_movie_box_comes_out_whole() {
        let moov = boxed(*b"moov", boxed(*b"mvhd", [7; 100]));
        assert_eq!(inflate(&cmov(*b"zlib", &moov)).unwrap(), moov);
    }

    #[test]
    fn what_is_broken_too_long_or_no_movie_box_is_not_taken() {
        let moov = boxed(*b"moov", [0; 2000]);
        assert_eq!(inflate(&cmov(*b"gzip", &moov)), None);
        assert_eq!(inflate(&cmov(*b"zlib", &boxed(*b"free", [0; 2000]))), None);
        assert_eq!(inflate(&cmov(*b"zlib", &boxed(*b"moov", vec![0; MAX_MOVIE_BYTES]))), None);
        let mut broken = cmov(*b"zlib", &moov);
        broken.truncate(broken.len() - 2);
        assert_eq!(inflate(&broken), None);
        assert_eq!(inflate(&[]), None);
    }
}
