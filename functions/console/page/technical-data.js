// What the platform has read in the file itself.

import { definitions, element } from './elements.js';
import { duration } from './format.js';

export function technicalData(metadata) {
  if (!metadata) return undefined;
  const { container, duration_seconds, bit_rate, video = [], audio = [], subtitles = [] } = metadata;
  const tracks = [...video.map(picture), ...audio.map(sound), ...subtitles.map(words)];
  return element(
    'details',
    { open: true },
    element('summary', {}, 'Technical data'),
    definitions([
      ['Container', container],
      ['Length', duration(duration_seconds)],
      ['Bit rate', bitRate(bit_rate)],
    ]),
    tracks,
  );
}

function picture(track) {
  const { width, height, rotation, frame_rate, hdr, profile } = track;
  return described('Video', track, [
    ['Size', `${width} × ${height}`],
    ['Turned by', rotation ? `${rotation}°` : undefined],
    ['Frames', frame_rate && `${Number(frame_rate.toFixed(3))} a second`],
    ['Profile', profile],
    ['HDR', hdr],
  ]);
}

function sound(track) {
  const { channels, sample_rate, language } = track;
  return described('Audio', track, [
    ['Channels', channels],
    ['Sample rate', sample_rate && `${sample_rate / 1000} kHz`],
    ['Language', languageOf(language)],
  ]);
}

function words(track) {
  return described('Subtitles', track, [['Language', languageOf(track.language)]]);
}

function described(what, { codec, codec_string, bit_rate }, more) {
  const name = codec_string && codec_string !== codec ? `${codec} (${codec_string})` : codec;
  const all = [['Codec', name], ...more, ['Bit rate', bitRate(bit_rate)]];
  return element('section', { class: 'track', 'aria-label': what }, element('h3', {}, what), definitions(all));
}

/** `und` is how files say that they do not say. */
function languageOf(tag) {
  return tag === 'und' ? undefined : tag;
}

function bitRate(bitsPerSecond) {
  return bitsPerSecond && `${Math.round(bitsPerSecond / 1000)} kbit/s`;
}
