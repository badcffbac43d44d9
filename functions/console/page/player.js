// Plays a media from its stream URL. The URL signs afresh at each use, and tells the platform of the view.

import { element, failure } from './elements.js';
import { ownThumbnail } from './thumbnail.js';

/** Longer than most sit in front of a page; after that, the page has to be opened again. */
const LIFE_SECONDS = 4 * 60 * 60;

/** A player, and where the file can be saved from. It asks for its URL at once, and shows why there is none. */
export function player({ api, signal }, media) {
  const tag = media.kind === 'audio' ? 'audio' : 'video';
  // Nothing is loaded until somebody plays it, as that is when the platform counts a view.
  const poster = media.kind === 'video' ? ownThumbnail(media) : undefined;
  const options = { controls: true, preload: 'none', playsinline: true, poster };
  const made = element(tag, { ...options, 'aria-label': media.title });
  const place = element('div', { class: `player ${tag}` }, made);
  const load = async () => {
    const query = { expires_in: LIFE_SECONDS };
    const { stream_url } = await api.get(`/media/${media.id}/stream-url`, { query, signal });
    made.src = stream_url;
    const download = element('a', { href: `${stream_url}&download=1` }, 'Download the file');
    place.append(element('p', { class: 'hint' }, download));
  };
  made.addEventListener('error', () => place.append(failure(new Error('Your browser cannot play this file.'))));
  // Left for another view, it stops at once, and does not go on loading.
  signal.addEventListener('abort', () => {
    made.pause();
    made.removeAttribute('src');
    made.load();
  });
  load().catch((error) => signal.aborted || place.append(failure(error)));
  return place;
}
