//! Why a probe gave no metadata. The texts are shown to end users: one plain sentence each.

/// Why a probe gave no metadata.
///
/// The content is at fault in every variant but [`Source`](Self::Source) and [`ShortRead`](Self::ShortRead);
/// [`rejection`](Self::rejection) separates the two.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError<E> {
    /// The content is no media container that this crate reads.
    #[error("The file is not a media file that can be read: {}.", likeness(*.looks_like))]
    Unsupported {
        /// What the content looks like, when that is known, as it reads after "it looks like".
        looks_like: Option<&'static str>,
    },
    /// The content starts like a media container, but is broken or cut off.
    #[error("The file is damaged or incomplete: {reason}.")]
    Malformed {
        /// What is wrong, as it reads after a colon.
        reason: String,
    },
    /// The container was read, and holds neither a video nor an audio track.
    #[error("The file holds no video and no audio.")]
    NoMediaTracks,
    /// A bound on reads, bytes or boxes was met before the answer was complete.
    #[error("The file's description of itself is too large or too scattered to be read: {limit}.")]
    LimitExceeded {
        /// Which bound, as it reads after a colon.
        limit: String,
    },
    /// The source gave another number of bytes than it was asked for.
    #[error("The source gave {got} bytes instead of {wanted}.")]
    ShortRead {
        /// Bytes asked for.
        wanted: u64,
        /// Bytes given.
        got: u64,
    },
    /// The source failed.
    #[error("The file could not be read from its source.")]
    Source(#[source] E),
}

/// A fault of the content, fit to be stored with the media and shown to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Stable: `unsupported_container`, `malformed_container`, `probe_limit_exceeded` or `no_media_tracks`.
    pub code: &'static str,
    /// One plain sentence for the end user.
    pub detail: String,
}

fn likeness(looks_like: Option<&'static str>) -> String {
    looks_like.map_or_else(
        || "its content is of no known kind".to_owned(),
        |likeness| format!("it looks like {likeness}"),
    )
}

impl<E> ProbeError<E> {
    /// The rejection that the content deserves, or `None` when the source failed and the probe should be retried.
    pub fn rejection(&self) -> Option<Rejection>
    where
        E: std::error::Error + 'static,
    {
        let code = match self {
            Self::Unsupported { .. } => "unsupported_container",
            Self::Malformed { .. } => "malformed_container",
            Self::NoMediaTracks => "no_media_tracks",
            Self::LimitExceeded { .. } => "probe_limit_exceeded",
            Self::ShortRead { .. } | Self::Source(_) => return None,
        };
        Some(Rejection { code, detail: self.to_string() })
    }

    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed { reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contents_fault_is_told_from_the_sources() {
        let error: ProbeError<std::io::Error> = ProbeError::Unsupported { looks_like: Some("plain text") };
        assert_eq!(
            error.rejection(),
            Some(Rejection {
                code: "unsupported_container",
                detail: "The file is not a media file that can be read: it looks like plain text.".to_owned(),
            })
        );
        let unknown: ProbeError<std::io::Error> = ProbeError::Unsupported { looks_like: None };
        assert_eq!(
            unknown.to_string(),
            "The file is not a media file that can be read: its content is of no known kind."
        );
        assert_eq!(ProbeError::Source(std::io::Error::other("timeout")).rejection(), None);
        assert_eq!(ProbeError::<std::io::Error>::ShortRead { wanted: 8, got: 4 }.rejection(), None);
    }
}
