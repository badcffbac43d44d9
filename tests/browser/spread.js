// The sample videos, made so large that nobody reads them through: half of the media data lies behind a gap, which both
// formats have an element for that players skip. What is in the gap is never needed, so whoever seeks asks for a range.

import { readFile } from 'node:fs/promises';

/** Larger than what Chromium reads ahead, and less than what is uploaded in parts by itself. */
const GAP_BYTES = 60_000_000;

/** Video and audio in MP4 (H.264, AAC; ISO/IEC 14496-12). */
export async function spreadMp4() {
  const file = await sample('v_h264_aac_faststart.mp4');
  const boxes = [...boxesIn(file, 0, file.length)];
  const data = boxes.find(({ type }) => type === 'mdat');
  const tables = boxes.filter(({ type }) => type === 'stco');
  const offsets = tables.flatMap(({ start }) => [...chunkOffsets(file, start)]);
  const middle = offsets.map(({ offset }) => offset).sort((one, other) => one - other)[offsets.length / 2];
  const gap = box('free', Buffer.alloc(GAP_BYTES));
  // Behind the gap the data has a header of its own.
  const moved = gap.length + 8;
  for (const { place, offset } of offsets) if (offset >= middle) file.writeUInt32BE(offset + moved, place);
  return Buffer.concat([
    file.subarray(0, data.start),
    box('mdat', file.subarray(data.start + 8, middle)),
    gap,
    box('mdat', file.subarray(middle, data.end)),
    file.subarray(data.end),
  ]);
}

/** Video and audio in WebM (VP9, Opus; RFC 8794, RFC 9559). */
export async function spreadWebm() {
  const file = await sample('v_vp9_opus.webm');
  const [header, segment] = [...elementsIn(file, 0, file.length)];
  const parts = new Map([...elementsIn(file, segment.body, segment.end)].map((element) => [element.id, element]));
  const blocks = [...elementsIn(file, parts.get(CLUSTER).body, parts.get(CLUSTER).end)];
  const bytes = ({ start, end }) => file.subarray(start, end);
  const cluster = (some) => element(CLUSTER, element(TIMESTAMP, Buffer.from([0])), ...some.map(bytes));
  const simple = blocks.filter(({ id }) => id !== TIMESTAMP);
  const half = Math.floor(simple.length / 2);
  const described = [bytes(parts.get(INFO)), bytes(parts.get(TRACKS))];
  const before = described.reduce((sum, { length }) => sum + length, cues(0).length);
  return Buffer.concat([
    bytes(header),
    element(
      SEGMENT,
      ...described,
      cues(before),
      cluster(simple.slice(0, half)),
      element(VOID, Buffer.alloc(GAP_BYTES)),
      cluster(simple.slice(half)),
    ),
  ]);
}

function sample(name) {
  return readFile(new URL(`../media/${name}`, import.meta.url));
}

const CONTAINERS = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);

function* boxesIn(file, from, to) {
  for (let start = from; start < to; ) {
    const end = start + file.readUInt32BE(start);
    const type = file.toString('latin1', start + 4, start + 8);
    yield { type, start, end };
    if (CONTAINERS.has(type)) yield* boxesIn(file, start + 8, end);
    start = end;
  }
}

/** Where in the file each offset of a chunk offset box is written. */
function* chunkOffsets(file, start) {
  const count = file.readUInt32BE(start + 12);
  for (let number = 0; number < count; number += 1) {
    const place = start + 16 + 4 * number;
    yield { place, offset: file.readUInt32BE(place) };
  }
}

function box(type, body) {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(8 + body.length);
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, body]);
}

const [SEGMENT, INFO, TRACKS, CLUSTER, CUES] = [0x18538067, 0x1549a966, 0x1654ae6b, 0x1f43b675, 0x1c53bb6b];
const [VOID, TIMESTAMP] = [0xec, 0xe7];
const [CUE_POINT, CUE_TIME, CUE_TRACK_POSITIONS, CUE_TRACK, CUE_CLUSTER_POSITION] = [0xbb, 0xb3, 0xb7, 0xf7, 0xf1];

function* elementsIn(file, from, to) {
  for (let start = from; start < to; ) {
    const idLength = Math.clz32(file[start]) - 23;
    const sizeAt = start + idLength;
    const sizeLength = Math.clz32(file[sizeAt]) - 23;
    const body = sizeAt + sizeLength;
    // What is longer than six bytes says no more than six do.
    const size = sizeLength > 6 ? file.readUIntBE(body - 6, 6) : file.readUIntBE(sizeAt, sizeLength) % 2 ** (7 * sizeLength);
    yield { id: file.readUIntBE(start, idLength), start, body, end: body + size };
    start = body + size;
  }
}

function element(id, ...bodies) {
  const body = Buffer.concat(bodies);
  const idBytes = Buffer.from(id.toString(16), 'hex');
  const size = Buffer.alloc(8);
  size.writeUIntBE(body.length, 2, 6);
  size[0] = 0x01;
  return Buffer.concat([idBytes, size, body]);
}

/** An index that says where the first cluster is, which has the only key frame. */
function cues(clusterPosition) {
  const position = Buffer.alloc(6);
  position.writeUIntBE(clusterPosition, 0, 6);
  const places = [element(CUE_TRACK, Buffer.from([1])), element(CUE_CLUSTER_POSITION, position)];
  const point = [element(CUE_TIME, Buffer.from([0])), element(CUE_TRACK_POSITIONS, ...places)];
  return element(CUES, element(CUE_POINT, ...point));
}
