//! Signing what a client sends next.

use buckets::{BucketError, UploadSigner};
use domain::{AwaitedPart, PartPlan, Timestamp, Upload, UploadMethod};

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
            UploadBody::post(upload, signer.presign_post(upload, &upload.size.range(), now).await?)
        }
        UploadMethod::Multipart { .. } => {
            let plan = upload.part_rules().and_then(|rules| rules.plan().copied());
            let parts = plan.into_iter().flat_map(PartPlan::parts).take(part_count).map(AwaitedPart::from);
            UploadBody::multipart(upload, signer.presign_parts(upload, parts, now).await?, api_url)
        }
    })
}
