//! What is found in a file, and whether that is what was announced.

use std::time::Duration;

use domain::{Failure, ImageType, Media, MediaKind};
use probe::{ByteSource, Metadata, ProbeError, probe, probe_image};

/// Reads a file's metadata and compares it with what was announced. The outer error is the source's, the inner one the
/// content's.
pub(crate) async fn read_and_judge<S: ByteSource>(
    source: &S,
    media: &Media,
    max_duration: Duration,
) -> Result<Result<Metadata, Failure>, ProbeError<S::Error>> {
    let metadata = match probe(source).await {
        Ok(metadata) => metadata,
        Err(error) => return fault_of_content(error).map(Err),
    };
    let kind = match metadata.kind() {
        probe::MediaKind::Video => MediaKind::Video,
        probe::MediaKind::Audio => MediaKind::Audio,
    };
    // A recording in fragments that broke off is whole up to there; of another file, a part is missing.
    if metadata.truncated && !metadata.fragmented {
        let detail = "The file is incomplete: it ends before the media data that its index promises.";
        return Ok(Err(Failure::new("truncated", detail)));
    }
    let judgement = media.judge(kind, &metadata.container, metadata.duration_seconds, max_duration);
    Ok(judgement.map(|()| metadata))
}

/// Reads what an image is and compares it with what was announced. The errors are as above.
pub(crate) async fn read_and_judge_image<S: ByteSource>(
    source: &S,
    declared: ImageType,
) -> Result<Result<(), Failure>, ProbeError<S::Error>> {
    match probe_image(source).await {
        Ok(image) => Ok(declared.judge(&image.content_type, image.width, image.height)),
        Err(error) => fault_of_content(error).map(Err),
    }
}

/// Why the content is refused, or the error again if the source is at fault.
fn fault_of_content<E: std::error::Error + 'static>(error: ProbeError<E>) -> Result<Failure, ProbeError<E>> {
    match error.rejection() {
        Some(rejection) => Ok(Failure::new(rejection.code, rejection.detail)),
        None => Err(error),
    }
}
