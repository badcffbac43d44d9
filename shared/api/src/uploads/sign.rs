//! Signing what a client sends next.

use buckets::{BucketError, UploadSigner};
use domain::{Timestamp, Upload, UploadMethod};

use crate::body::UploadBody;

/// Signs an upload: its one request, or the first `part_count` of its parts.
pub async fn sign_upload(
    signer: &UploadSigner,
    upload: &Upload,
    part_count: usize,
    api_url: &str,
    now: Timestamp,
) -> Result<UploadBody, BucketError> {
    Ok(match upload.method {
        UploadMethod::Put => UploadBody::put(upload, signer.presign_put(upload, now).await?),
        UploadMethod::Post => {
            let exactly = upload.size_bytes..=upload.size_bytes;
            UploadBody::post(upload, signer.presign_post(upload, &exactly, now).await?)
        }
        UploadMethod::Multipart { .. } => {
            let parts = upload.part_plan().into_iter().flat_map(|plan| plan.parts()).take(part_count);
            UploadBody::multipart(upload, signer.presign_parts(upload, parts, now).await?, api_url)
        }
    })
}
