// Where the picture of a media is, if it is one of the platform's own.

/**
 * The address of a thumbnail that the platform serves. One that an uploader has put on another host is not shown: it would
 * tell that host who looks, and the page's policy keeps it from being loaded.
 */
export function ownThumbnail({ id, thumbnail_url }) {
  const isOwn = URL.canParse(thumbnail_url) && new URL(thumbnail_url).pathname.includes(`/media/${id}/thumbnail/`);
  return isOwn ? thumbnail_url : undefined;
}
