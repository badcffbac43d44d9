// Uppy 6 by the platform's own routes, to be copied into a frontend with media-api.js:
//
//     const uppy = new Uppy();
//     uppy.use(AwsS3, viaMediaApi(uppy, new MediaApi(apiUrl, accessToken)));
//
// `@uppy/aws-s3` asks `signRequest` for each request of S3's API that it is about to send. The bytes go to S3, by URLs
// that are signed for exactly them. Whatever else it wants of S3 is asked of the platform, and what S3 would answer is
// given to it as a `data:` URL, which a page's content security policy has to allow (`connect-src data:`).
//
// The file is announced with its size and type: what the platform does not take is refused before a byte is sent, and
// Uppy's `upload-error` says why. `retryAll` goes on where an upload broke off, and begins anew one that has ended. With
// `upload-success`, `response.body.key` is the id of the media.

const MAX_PARTS = 10_000;
const NOTHING_TO_SEND = { url: 'data:,' };

/** Options for `@uppy/aws-s3`; others can be added. `api` is a `MediaApi`. */
export function viaMediaApi(uppy, api, partSizeBytes = 16 * 1024 * 1024) {
  const getChunkSize = ({ size }) => Math.max(partSizeBytes, Math.ceil(size / MAX_PARTS));

  async function signRequest({ method, key, uploadId, partNumber }) {
    const file = uppy.getFile(key);
    if (!uploadId) return method === 'PUT' ? announceWhole(file) : announceParts(file);
    const upload = `/api/v1/${uploadId}`;
    switch (method) {
      case 'PUT':
        return api.get(`${upload}/part/${partNumber}`);
      case 'GET':
        return s3Answer('ListPartsResult', await listParts(file, upload));
      case 'POST': {
        const { media } = await api.post(`${upload}/complete`);
        return s3Answer('CompleteMultipartUploadResult', { Location: `/media/${media.id}`, Key: media.id });
      }
      case 'DELETE':
        await api.delete(upload);
        return NOTHING_TO_SEND;
    }
  }

  async function announceWhole(file) {
    const { media, upload } = await announce(file, { upload_method: 'put' });
    if (!upload && !hasArrived(media)) throw ended(file, media);
    // Without an upload the file has arrived, and only S3's answer got lost.
    return { ...(upload ?? NOTHING_TO_SEND), key: media.id };
  }

  async function announceParts(file) {
    const method = { upload_method: 'multipart', part_size_bytes: getChunkSize(file) };
    const { media, upload } = await announce(file, method);
    // Uppy would send parts, and there is no upload to take them.
    if (!upload) throw hasArrived(media) ? new Error(`It has been uploaded before, as ${media.id}`) : ended(file, media);
    uppy.setFileState(file.id, { mediaId: media.id });
    return s3Answer('InitiateMultipartUploadResult', { UploadId: upload.upload_id });
  }

  function announce({ id, name, type, size, meta, idempotencyKey = crypto.randomUUID() }, method) {
    // By this key, a file that is announced again after a failure is the same media.
    uppy.setFileState(id, { idempotencyKey });
    const body = { title: meta.title ?? name, filename: name, content_type: type, size_bytes: size, ...method };
    return api.post('/media', body, { headers: { 'Idempotency-Key': idempotencyKey } });
  }

  async function listParts(file, upload) {
    try {
      const { parts } = await api.get(`${upload}/parts`);
      return { Part: parts.map(({ part_number, etag }) => ({ PartNumber: part_number, ETag: etag })) };
    } catch (error) {
      if (!['not_found', 'upload_ended'].includes(error.code)) throw error;
      const media = await mediaOf(file);
      if (!hasArrived(media)) throw ended(file, media);
      // It was completed, and only the answer got lost. Completing it again succeeds: let Uppy get there.
      const count = Math.ceil(file.size / getChunkSize(file));
      return { Part: Array.from({ length: count }, (_, index) => ({ PartNumber: index + 1, ETag: '-' })) };
    }
  }

  async function mediaOf({ mediaId }) {
    try {
      return await api.get(`/media/${mediaId}`);
    } catch (error) {
      if (error.code !== 'not_found') throw error;
      return undefined;
    }
  }

  /** What says that an upload has ended without its file. After that, Uppy's next attempt is another upload. */
  function ended({ id }, media) {
    uppy.setFileState(id, { idempotencyKey: undefined, mediaId: undefined, s3Multipart: undefined });
    return new Error(media?.failure?.detail ?? 'The upload has ended without its file: try again to begin it anew');
  }

  return { getChunkSize, generateObjectKey: ({ id }) => id, signRequest };
}

/** Whether a media, if there is one, has its file. */
function hasArrived(media) {
  return ['completing', 'processing', 'ready'].includes(media?.status);
}

/** A place where Uppy reads what S3 would answer. */
function s3Answer(name, content) {
  return { url: `data:application/xml,${encodeURIComponent(element(name, content))}` };
}

/** Ids, numbers and tags have nothing that XML would want escaped. */
function element(name, content) {
  if (Array.isArray(content)) return content.map((item) => element(name, item)).join('');
  if (typeof content !== 'object') return `<${name}>${content}</${name}>`;
  return element(name, Object.entries(content).map((child) => element(...child)).join(''));
}
