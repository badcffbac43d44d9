// Audio of any size without an encoder: noise in a WAV file, the same at every run.

const HEADER_BYTES = 44;
const SAMPLE_RATE = 48_000;
const CHANNELS = 2;
const BYTES_PER_SAMPLE = 2;
export const BYTES_PER_SECOND = SAMPLE_RATE * CHANNELS * BYTES_PER_SAMPLE;

/** A WAV file (16 bits, stereo) that is `sizeBytes` long, a multiple of four. */
export function wav(sizeBytes) {
  const file = Buffer.alloc(sizeBytes);
  file.write('RIFF', 0);
  file.writeUInt32LE(sizeBytes - 8, 4);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20); // PCM
  file.writeUInt16LE(CHANNELS, 22);
  file.writeUInt32LE(SAMPLE_RATE, 24);
  file.writeUInt32LE(BYTES_PER_SECOND, 28);
  file.writeUInt16LE(CHANNELS * BYTES_PER_SAMPLE, 32);
  file.writeUInt16LE(8 * BYTES_PER_SAMPLE, 34);
  file.write('data', 36);
  file.writeUInt32LE(sizeBytes - HEADER_BYTES, 40);
  // Marsaglia's xorshift: no two stretches are alike, so parts in the wrong order would show.
  let state = 2_463_534_242;
  for (let offset = HEADER_BYTES; offset < sizeBytes; offset += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    file.writeInt32LE(state, offset);
  }
  return file;
}
