//! What a deployment allows to be uploaded.

use std::time::Duration;

use domain::{
    AllowedContentTypes, AllowedImageTypes, DeclaredSize, MAX_OBJECT_SIZE_BYTES, MAX_PUT_SIZE_BYTES,
    PlannedMethod, SizeBytes,
};

use crate::environment::{Environment, EnvironmentError};

/// What a deployment allows.
#[derive(Clone, Debug)]
pub struct UploadLimits {
    /// Types of media.
    pub content_types: AllowedContentTypes,
    /// Size of a media.
    pub max_upload_bytes: SizeBytes,
    /// Types of miniatures.
    pub image_types: AllowedImageTypes,
    /// Size of a miniature.
    pub max_miniature_bytes: SizeBytes,
    /// What one user's files may take in all.
    pub user_quota_bytes: SizeBytes,
    /// How long an upload can be finished after it was begun.
    pub deadline: Duration,
}

impl UploadLimits {
    /// `ALLOWED_CONTENT_TYPES`, `MAX_UPLOAD_BYTES`, `ALLOWED_IMAGE_TYPES`, `MAX_MINIATURE_BYTES`, `USER_QUOTA_BYTES` and
    /// `UPLOAD_DEADLINE_SECONDS`.
    pub fn of(environment: &Environment) -> Result<Self, EnvironmentError> {
        Ok(Self {
            content_types: environment.parsed("ALLOWED_CONTENT_TYPES")?,
            max_upload_bytes: size(environment, "MAX_UPLOAD_BYTES", MAX_OBJECT_SIZE_BYTES)?,
            image_types: environment.parsed("ALLOWED_IMAGE_TYPES")?,
            max_miniature_bytes: size(environment, "MAX_MINIATURE_BYTES", MAX_PUT_SIZE_BYTES)?,
            user_quota_bytes: environment.parsed("USER_QUOTA_BYTES")?,
            deadline: Duration::from_secs(environment.parsed("UPLOAD_DEADLINE_SECONDS")?),
        })
    }

    /// What is declared of a file's size, or how long it may be if nothing is.
    pub(super) fn declared_size(&self, size_bytes: Option<SizeBytes>, method: PlannedMethod) -> DeclaredSize {
        let in_one_piece =
            if method == PlannedMethod::FreeParts { SizeBytes::MAX } else { MAX_PUT_SIZE_BYTES };
        let unknown = DeclaredSize::Unknown { max_size_bytes: self.max_upload_bytes.min(in_one_piece) };
        size_bytes.map_or(unknown, DeclaredSize::exact)
    }
}

/// A size that S3 takes.
fn size(
    environment: &Environment,
    name: &'static str,
    largest: SizeBytes,
) -> Result<SizeBytes, EnvironmentError> {
    let bytes = environment.parsed(name)?;
    if (1..=largest).contains(&bytes) {
        return Ok(bytes);
    }
    let reason = format!("{bytes} is not from 1 to {largest}, what S3 takes");
    Err(EnvironmentError::Malformed { name, reason })
}
