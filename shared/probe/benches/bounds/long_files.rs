//! Requests and bytes that a probe of a long file takes. A container is one row.

use probe::{MAX_BYTES, MAX_READS, probe};

use crate::mp4;
use crate::source::{Long, Part};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

struct Row {
    name: &'static str,
    parts: Vec<Part>,
    /// How long it plays, to a hundredth.
    seconds: f64,
    /// Bytes of its index, which may be read beyond the bound.
    index_bytes: u64,
}

/// A row without an index of its own.
fn row(name: &'static str, seconds: f64, parts: Vec<Part>) -> Row {
    Row { name, parts, seconds, index_bytes: 0 }
}

fn rows() -> Vec<Row> {
    let film = || mp4::fast_start(1440, 4 * GIB);
    let index_bytes =
        film().iter().map(|part| if let Part::Bytes(bytes) = part { bytes.len() as u64 } else { 0 }).sum();
    vec![
        row("MP4, index in front", 5.0, mp4::fast_start(1, 50 * MIB)),
        row("MP4, index at the end", 5.0, mp4::index_at_the_end(1, 5 * GIB)),
        Row { index_bytes, ..row("MP4, two hours, index in front", 7200.0, film()) },
        Row {
            index_bytes,
            ..row("MP4, two hours, index at the end", 7200.0, mp4::index_at_the_end(1440, 4 * GIB))
        },
        row("MP4, in fragments", 7200.0, mp4::fragmented(7200, 600_000)),
        row("MP4, in long fragments", 100.0, mp4::fragmented(100, 9_000_000)),
        row("Matroska", 4.0, matroska(5 * GIB)),
        row("MPEG transport stream", 3_000_000.0 * 1024.0 / 48_000.0, transport_stream(3_000_000)),
        row("Ogg Opus", 80_000.0, ogg(80_000)),
        row(
            "MP3, constant bit rate",
            100_000.0 * 1152.0 / 44_100.0,
            vec![Part::Units(100_000, Box::new(|_| mp3_frame()))],
        ),
        row("WAV", 25_000.0, wav(25_000 * 192_000)),
        row("FLAC", 6000.0, flac(6000, GIB)),
    ]
}

/// Probes them all; whether each kept the bounds.
pub(crate) async fn run() -> bool {
    println!("{:<36}{:>10}{:>8}{:>12}{:>12}", "long files", "GiB", "GETs", "KiB", "seconds");
    let mut all_are_good = true;
    for row in rows() {
        let source = Long::of(row.parts);
        let answer = probe(&source).await;
        let (reads, bytes) = (source.reads(), source.bytes_read());
        let seconds = answer.as_ref().map(|metadata| metadata.duration_seconds);
        let size = probe::ByteSource::len(&source) as f64 / GIB as f64;
        let shown = seconds.as_ref().map_or_else(ToString::to_string, |seconds| format!("{seconds:.1}"));
        println!("{:<36}{size:>10.2}{reads:>8}{:>12.1}{shown:>12}", row.name, bytes as f64 / 1024.0);
        let is_right = seconds.is_ok_and(|seconds| (seconds - row.seconds).abs() <= row.seconds / 100.0);
        if !is_right || reads > MAX_READS as usize || bytes > MAX_BYTES + row.index_bytes {
            println!("  FAILED: {} s in {MAX_READS} GETs and 1 MiB were expected", row.seconds);
            all_are_good = false;
        }
    }
    all_are_good
}

/// The short file with one more element in its segment, which nothing looks into.
fn matroska(size: u64) -> Vec<Part> {
    const SEGMENT: &[u8] = b"\x18\x53\x80\x67";
    const VOID: u8 = 0xec;
    let eight_bytes = |size: u64| (size | 1 << 56).to_be_bytes();
    let mut file = crate::media("v_two_audio_subs.mkv");
    let size_at = file.windows(4).position(|window| window == SEGMENT).unwrap() + 4;
    let segment_bytes = (file.len() - size_at - 8) as u64 + 9 + size;
    file[size_at..size_at + 8].copy_from_slice(&eight_bytes(segment_bytes));
    let void = [&[VOID][..], &eight_bytes(size)].concat();
    vec![Part::Bytes(file), Part::Bytes(void), Part::Zeros(size)]
}

/// AAC of 48 kHz, a frame in each packet.
fn transport_stream(packets: u64) -> Vec<Part> {
    let packet = |start: &[u8]| [start, &vec![0xff; 188 - start.len()]].concat();
    let tables = [
        // Programme 1 is described in packets 0x100.
        packet(b"\x47\x40\0\x10\0\0\xb0\x0d\0\x01\xc1\0\0\0\x01\xe1\0\xe8\xf9\x5e\x7d"),
        // It has one stream, ADTS in packets 0x101.
        packet(b"\x47\x41\0\x10\0\x02\xb0\x12\0\x01\xc1\0\0\xe1\x01\xf0\0\x0f\xe1\x01\xf0\0\xb6\x9b\x97\xe1"),
    ];
    let frame = |number: u64| {
        let counter = 0x10 | u8::try_from(number % 16).unwrap();
        let time = (number * 1920) & ((1 << 33) - 1);
        let low = |value: u64| u8::try_from(value & 0xff).unwrap();
        let time = [
            0x21 | low(time >> 29 & 0x0e),
            low(time >> 22),
            low(time >> 14) | 1,
            low(time >> 7),
            low(time << 1) | 1,
        ];
        let head = [&[0x47, 0x41, 0x01, counter, 0, 0, 1, 0xc0, 0, 178, 0x80, 0x80, 5][..], &time].concat();
        // A frame of 170 bytes.
        let adts = [0xff, 0xf1, 0x4c, 0x80, 0x15, 0x5f, 0xfc];
        let rest = 188 - head.len() - adts.len();
        [&head[..], &adts, &vec![0; rest]].concat()
    };
    vec![Part::Bytes(tables.concat()), Part::Units(packets, Box::new(frame))]
}

/// Opus, a second in each page.
fn ogg(pages: u64) -> Vec<Part> {
    fn page(kind: u8, granule: u64, number: u64, packet: &[u8]) -> Vec<u8> {
        let mut lacing = vec![255; packet.len() / 255];
        lacing.push(u8::try_from(packet.len() % 255).unwrap());
        let number = u32::try_from(number).unwrap().to_le_bytes();
        let lacing_count = u8::try_from(lacing.len()).unwrap();
        let mut page = [&b"OggS\0"[..], &[kind], &granule.to_le_bytes(), &[7, 0, 0, 0], &number].concat();
        page.extend([0; 4]);
        page.push(lacing_count);
        page.extend(lacing);
        page.extend(packet);
        let checksum = page.iter().fold(0_u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
                sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
            })
        });
        page[22..26].copy_from_slice(&checksum.to_le_bytes());
        page
    }
    let head = page(2, 0, 0, b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0");
    let tags = page(0, 0, 1, b"OpusTags\x04\0\0\0test\0\0\0\0");
    let second = move |number| page(0, (number + 1) * 48_000, number + 2, &[0xfc; 16_000]);
    vec![Part::Bytes([head, tags].concat()), Part::Units(pages, Box::new(second))]
}

/// 128 kbit/s at 44.1 kHz.
fn mp3_frame() -> Vec<u8> {
    let mut frame = vec![0; 417];
    frame[..4].copy_from_slice(b"\xff\xfb\x90\x64");
    frame
}

/// Two channels of 16 bits at 48 kHz, with the 64-bit sizes of RF64.
fn wav(data_bytes: u64) -> Vec<Part> {
    let format = b"fmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0";
    let sizes = [data_bytes + 72, data_bytes, data_bytes / 4].map(u64::to_le_bytes).concat();
    let ds64 = [&b"ds64\x1c\0\0\0"[..], &sizes, &[0; 4]].concat();
    let head = [b"RF64\xff\xff\xff\xffWAVE", &ds64[..], format, b"data\xff\xff\xff\xff"].concat();
    vec![Part::Bytes(head), Part::Zeros(data_bytes)]
}

/// Two channels of 16 bits at 48 kHz.
fn flac(seconds: u64, data_bytes: u64) -> Vec<Part> {
    let packed = 48_000 << 44 | 1 << 41 | 15 << 36 | (seconds * 48_000);
    let info = [&[0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0][..], &u64::to_be_bytes(packed), &[0; 16]].concat();
    let head = [b"fLaC\x80\0\0\x22", &info[..], b"\xff\xf8\xca\x18"].concat();
    vec![Part::Bytes(head), Part::Zeros(data_bytes)]
}
