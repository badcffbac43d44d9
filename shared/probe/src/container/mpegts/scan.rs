//! What the packets of a stretch of a file tell: programs and streams at the start, last time stamps at the end.

use std::collections::BTreeMap;

use super::packet::{Packets, Sync};
use super::pes::PesHeader;
use super::section::{ProgramMap, SectionBuffer, parse_pat};
use super::stream::{Described, ProgramClock, Stream, Track, guess};
use super::stream_type::{Codec, Registration, codec, language, opus_channels};
use super::timeline::seconds_since;

const PAT_PID: u16 = 0;
const NULL_PID: u16 = 0x1fff;
const M2TS_STRIDE: usize = 192;
const MAX_PROGRAMS: usize = 64;
const MAX_STREAMS: usize = 256;

/// What the start of a file tells.
pub(super) struct Scan {
    pub(super) streams: Vec<Stream>,
    /// The time of each program, by its index.
    pub(super) clocks: Vec<ProgramClock>,
    lacks_tables: bool,
}

#[derive(Default)]
struct Tables {
    has_pat: bool,
    /// Programs by the PID of their map.
    maps: BTreeMap<u16, SectionBuffer>,
    /// Numbers of the programs whose map was read.
    programs: Vec<u16>,
    clocks: Vec<ProgramClock>,
    expected_programs: usize,
    streams: Vec<Stream>,
}

impl Scan {
    /// Reads the tables in `bytes`, then the streams that they list.
    pub(super) fn read(bytes: &[u8], sync: Sync) -> Self {
        let tables = Tables::read(bytes, sync);
        let lacks_tables = !tables.has_pat || tables.programs.len() < tables.expected_programs;
        let mut clocks = tables.clocks;
        let mut streams = tables.streams;
        if streams.is_empty() {
            clocks = vec![ProgramClock::default()];
            streams = undeclared(bytes, sync);
        }
        let index = index_by_pid(&streams);
        for packet in Packets::new(bytes, sync) {
            if let Some(clock) = packet.clock {
                let told = clocks.iter_mut().filter(|program| program.pid == Some(packet.pid));
                told.for_each(|program| program.latest = Some(clock));
            }
            if let Some(stream) = index.get(&packet.pid).and_then(|index| streams.get_mut(*index))
                && let Some(clock) = clocks.get_mut(stream.program)
            {
                stream.add_head(&packet, clock);
            }
        }
        // What stays unknown counts for its times only.
        for stream in streams.iter_mut().filter(|stream| stream.codec == Codec::Data) {
            stream.codec = guess(stream.elementary()).unwrap_or(Codec::Data);
        }
        Self { streams, clocks, lacks_tables }
    }

    /// Whether reading further would tell nothing new of the streams.
    pub(super) fn is_complete(&self) -> bool {
        let is_told = |stream: &Stream| {
            let described = stream.describe();
            let needs_rate = matches!(&described.track, Track::Video(track) if track.frame_rate <= 0.0);
            described.is_complete && !needs_rate && stream.timeline.start.is_some()
                || stream.codec.is_accessory()
        };
        !self.lacks_tables && !self.streams.is_empty() && self.streams.iter().all(is_told)
    }
}

/// Every PID with PES packets, where no table says which there are. What they are is found out later.
fn undeclared(bytes: &[u8], sync: Sync) -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    for packet in Packets::new(bytes, sync).filter(|packet| packet.is_start) {
        let is_new = packet.pid != NULL_PID && streams.iter().all(|stream| stream.pid != packet.pid);
        if is_new && streams.len() < MAX_STREAMS && PesHeader::parse(packet.payload).is_some() {
            streams.push(Stream::new(packet.pid, 0, Codec::Data, None));
        }
    }
    streams
}

impl Tables {
    fn read(bytes: &[u8], sync: Sync) -> Self {
        let mut tables = Self::default();
        let mut pat = SectionBuffer::default();
        for packet in Packets::new(bytes, sync) {
            if packet.pid == PAT_PID {
                pat.add(packet.is_start, packet.payload, |section| tables.add_pat(section));
            } else if let Some(mut buffer) = tables.maps.remove(&packet.pid) {
                buffer.add(packet.is_start, packet.payload, |section| {
                    tables.add_map(section, sync.stride == M2TS_STRIDE);
                });
                tables.maps.insert(packet.pid, buffer);
            }
        }
        tables
    }

    fn add_pat(&mut self, section: &[u8]) {
        let Some(programs) = parse_pat(section) else { return };
        self.has_pat = true;
        self.expected_programs = self.expected_programs.max(programs.len().min(MAX_PROGRAMS));
        for (_, pid) in programs {
            if self.maps.len() < MAX_PROGRAMS {
                self.maps.entry(pid).or_default();
            }
        }
    }

    fn add_map(&mut self, section: &[u8], is_m2ts: bool) {
        let Some(map) = ProgramMap::parse(section) else { return };
        if self.programs.contains(&map.program) || self.programs.len() >= MAX_PROGRAMS {
            return;
        }
        let program = self.programs.len();
        self.programs.push(map.program);
        self.clocks.push(ProgramClock { pid: Some(map.clock_pid), ..ProgramClock::default() });
        let registration = Registration::of_program(map.descriptors, is_m2ts);
        for entry in map.streams() {
            let is_known = self.streams.iter().any(|stream| stream.pid == entry.pid);
            if is_known || self.streams.len() >= MAX_STREAMS {
                continue;
            }
            let language = entry.descriptors().find_map(language);
            let mut codec =
                codec(entry.stream_type, registration, entry.descriptors()).unwrap_or(Codec::Data);
            if let Codec::Opus { channels } = &mut codec {
                *channels = entry.descriptors().find_map(opus_channels);
            }
            self.streams.push(Stream::new(entry.pid, program, codec, language));
        }
    }
}

/// Adds the time stamps near the end of a file. Streams that began too late to be described by its start are described
/// by this.
pub(super) fn read_tail(
    bytes: &[u8],
    sync: Sync,
    clocks: &[ProgramClock],
    streams: &mut [Stream],
    described: &mut [Described],
) {
    let Some(sync) = Sync::find_with(bytes, sync.stride) else { return };
    let index = index_by_pid(streams);
    let is_open: Vec<bool> = described.iter().map(|described| !described.is_complete).collect();
    for (stream, _) in streams.iter_mut().zip(&is_open).filter(|(_, is_open)| **is_open) {
        stream.restart();
    }
    for packet in Packets::new(bytes, sync) {
        let Some(index) = index.get(&packet.pid).copied() else { continue };
        let (Some(stream), Some(is_open)) = (streams.get_mut(index), is_open.get(index)) else { continue };
        if *is_open {
            stream.add_elementary(&packet);
        }
        let header = if packet.is_start { PesHeader::parse(packet.payload) } else { None };
        if let Some(presentation) = header.and_then(|header| header.presentation)
            && let Some(reference) = clocks.get(stream.program).and_then(|clock| clock.reference)
        {
            let frame_seconds = described.get(index).map_or(0.0, |described| described.frame_seconds);
            stream.timeline.add_tail(seconds_since(reference, presentation), frame_seconds);
        }
    }
    for ((stream, described), _) in streams.iter().zip(described).zip(is_open).filter(|(_, is_open)| *is_open)
    {
        *described = stream.describe();
    }
}

/// Where the stream of a PID is; of several the first one.
fn index_by_pid(streams: &[Stream]) -> BTreeMap<u16, usize> {
    streams.iter().enumerate().rev().map(|(index, stream)| (stream.pid, index)).collect()
}
