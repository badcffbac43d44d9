//! Processor time on input that is made to take long.

use std::time::{Duration, Instant};

use probe::{MemorySource, probe, probe_image};

const MAX_TIME: Duration = Duration::from_millis(100);
const NOISE_BYTES: usize = 2 * 1024 * 1024;

/// How files of each kind begin; noise follows.
const MAGICS: [(&str, &[u8]); 24] = [
    ("MP4", b"\0\0\0\x10ftypisom\0\0\0\0\0\x20\0\0moov"),
    ("fragmented MP4", b"\0\0\0\x10ftypisom\0\0\0\0\0\x20\0\0moof"),
    ("Matroska", b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"),
    ("MPEG transport stream", b"\x47\x40\0\x10\0\0\xb0\x0d\0\x01\xc1\0\0\0\x01\xe1\0"),
    ("Ogg", b"OggS\0\x02\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x02"),
    ("MP3", b"\xff\xfb\x90\x64"),
    ("ID3", b"ID3\x04\0\0\0\x7f\x7f\x7f"),
    ("ADTS", b"\xff\xf1\x4c\x80\x15\x5f\xfc"),
    ("AC-3", b"\x0b\x77\0\0\x1e\x40"),
    ("FLAC", b"fLaC\x04\xff\xff\xff"),
    ("WAV", b"RIFF\xff\xff\xff\xffWAVE"),
    ("AIFF", b"FORM\xff\xff\xff\xffAIFC"),
    ("AU", b".snd\0\0\0\x18\xff\xff\xff\xff\0\0\0\x03\0\0\xac\x44\0\0\0\x02"),
    ("CAF", b"caff\0\x01\0\0"),
    ("AMR", b"#!AMR\n"),
    ("Monkey's Audio", b"MAC \x96\x0f\0\0"),
    ("WavPack", b"wvpk\xff\xff\xff\x7f\x10\x04"),
    ("Musepack", b"MPCKSH\x7f"),
    ("FLV", b"FLV\x01\x05\0\0\0\x09\0\0\0\0"),
    ("AVI", b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\x7fhdrl"),
    ("ASF", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c\0\0\x20\0\0\0\0\0\xff\xff\xff\xff\x01\x02"),
    ("JPEG", b"\xff\xd8\xff\xe1\xff\xff"),
    ("WebP", b"RIFF\xff\xff\xff\xffWEBPVP8X"),
    ("AVIF", b"\0\0\0\x10ftypavif\0\0\0\0\0\x08\0\0meta\0\0\0\0"),
];

/// Probes them all; whether each was quick.
pub(crate) async fn run() -> bool {
    let mut times = Vec::new();
    for (name, magic) in MAGICS {
        for (filling, bytes) in fillings(magic) {
            times.push((time(magic, bytes).await, format!("{name} and {filling}")));
        }
    }
    for (name, bytes) in built() {
        times.push((time(&[], bytes).await, name.to_owned()));
    }
    times.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    println!("\nhostile input: {} files, the slowest", times.len());
    for (time, name) in times.iter().take(5) {
        println!("{name:<60}{:>10.2} ms", time.as_secs_f64() * 1e3);
    }
    times.iter().all(|(time, _)| *time <= MAX_TIME)
}

/// The best of three, so that a busy machine is not blamed on the file.
async fn time(magic: &[u8], bytes: Vec<u8>) -> Duration {
    let source = MemorySource::new([magic, &bytes].concat());
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let _ = std::hint::black_box(probe(&source).await);
        let _ = std::hint::black_box(probe_image(&source).await);
        best = best.min(begun.elapsed());
    }
    best
}

/// What follows a magic: noise, the same bytes over and over, and the magic itself over and over.
fn fillings(magic: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("noise", noise(NOISE_BYTES)),
        ("zeros", vec![0; NOISE_BYTES]),
        ("ones", vec![0xff; NOISE_BYTES]),
        ("itself over and over", magic.repeat(NOISE_BYTES / magic.len())),
        ("words of 1", [0, 0, 0, 1].repeat(NOISE_BYTES / 4)),
    ]
}

/// The generator of Marsaglia, always the same sequence.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..count).map(|_| next()).collect()
}

/// Structures that are well formed as far as they go.
fn built() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |kind: &[u8]| {
        (1..=20_000_u32)
            .rev()
            .flat_map(|level| [&(level * 8).to_be_bytes(), kind].concat())
            .collect::<Vec<u8>>()
    };
    let nested_ebml: Vec<u8> = (1..=20_000_u32)
        .rev()
        .flat_map(|level| [&[0x18, 0x53, 0x80, 0x67, 0x08][..], &(level * 9).to_be_bytes()].concat())
        .collect();
    let ebml = [&b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01"[..], &nested_ebml].concat();
    let table = |kind: &[u8], count: u32, entries: usize| {
        crate::mp4::boxed(kind, &[&[0; 4][..], &count.to_be_bytes(), &[1].repeat(entries)].concat())
    };
    let tables = |count: u32| {
        let tables = [b"stts", b"stsz", b"stco", b"co64"].map(|kind| table(kind, count, 8_000_000)).concat();
        let stbl = crate::mp4::boxed(b"stbl", &tables);
        let minf = crate::mp4::boxed(b"mdia", &crate::mp4::boxed(b"minf", &stbl));
        crate::mp4::boxed(b"moov", &crate::mp4::boxed(b"trak", &minf))
    };
    let moof = crate::mp4::boxed(
        b"moof",
        &crate::mp4::boxed(
            b"traf",
            &[
                crate::mp4::boxed(b"tfhd", &[0, 0, 0, 8, 0, 0, 0, 1, 255, 255, 255, 255]),
                table(b"trun", u32::MAX, 8),
            ]
            .concat(),
        ),
    );
    let item = crate::mp4::boxed(
        b"\xa9nam",
        &crate::mp4::boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], &[0xff; 1500][..]].concat()),
    );
    let list = crate::mp4::boxed(b"ilst", &item.repeat(19_000));
    let items = crate::mp4::boxed(b"udta", &crate::mp4::boxed(b"meta", &[&[0; 4], &list[..]].concat()));
    vec![
        ("19 000 titles that are no text", crate::mp4::boxed(b"moov", &items)),
        ("600 tracks and empty elements, Matroska", matroska(b"\xec\x80")),
        ("600 tracks and empty blocks, Matroska", matroska(b"\xa3\x84\x81\0\0\0")),
        ("clusters in one another, Matroska", matroska(b"\x1f\x43\xb6\x75\xff")),
        ("20 000 boxes in one another, moov", nested(b"moov")),
        ("20 000 boxes in one another, trak", nested(b"trak")),
        ("20 000 boxes in one another, meta", nested(b"meta")),
        ("20 000 elements in one another", ebml),
        ("tables of 2^32 entries", tables(u32::MAX)),
        ("tables of a million entries", tables(1_000_000)),
        ("fragments of 2^32 samples", moof.repeat(10_000)),
        ("a hundred thousand empty boxes", crate::mp4::boxed(b"free", &[]).repeat(100_000)),
        ("a hundred thousand heads of fragments", b"\0\0\0\x10moof\0\0\0\x10mfhd".repeat(100_000)),
    ]
}

/// More tracks than any file has, then a cluster of `element` over and over, as long as a file that is read whole.
fn matroska(element: &[u8]) -> Vec<u8> {
    const CLUSTER_BYTES: usize = 240 * 1024;
    let tracks = (30_000..30_600_u16).flat_map(|number| {
        let [high, low] = number.to_be_bytes();
        [0xae, 0x87, 0xd7, 0x82, high, low, 0x83, 0x81, 2]
    });
    let tracks: Vec<u8> = tracks.collect();
    let size = u16::try_from(tracks.len()).unwrap() | 0x4000;
    [
        &b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska\x18\x53\x80\x67\xff\x15\x49\xa9\x66\x80\x16\x54\xae\x6b"
            [..],
        &size.to_be_bytes(),
        &tracks,
        b"\x1f\x43\xb6\x75\xff\xe7\x81\0",
        &element.repeat(CLUSTER_BYTES / element.len()),
    ]
    .concat()
}
