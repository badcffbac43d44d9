//! The body of a write: streamed into a file, hashed on the way, and compared with what was declared about it.
//!
//! Follows "Checking object integrity for data uploads in Amazon S3": one checksum, in a header or behind the body, and
//! `Content-MD5`. Whatever is wrong with a body, its file is gone again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use http::{HeaderMap, StatusCode};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, StdError, TrailingHeaders};

use super::State;
use super::access::not_implemented;
use super::checksums::{Algorithm, Checksums};
use super::files::Unpublished;
use crate::aws::signature::hex;

/// The most bytes of one PUT, of one part, and of one copy: 5 GiB.
pub(super) const MAXIMUM_BODY_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// A body on its way.
pub(super) struct IncomingBody {
    pub(super) stream: StreamingBlob,
    /// `None` where only its end tells, as in a form.
    pub(super) length_bytes: Option<u64>,
    /// What follows the body.
    pub(super) trailers: Option<TrailingHeaders>,
}

impl IncomingBody {
    /// A body of a length that S3 takes.
    pub(super) fn of(
        stream: Option<StreamingBlob>,
        content_length: Option<i64>,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<IncomingBody> {
        let length_bytes = content_length
            .and_then(|length| u64::try_from(length).ok())
            .ok_or(S3ErrorCode::MissingContentLength)?;
        if length_bytes > MAXIMUM_BODY_BYTES {
            let message = "Your proposed upload exceeds the maximum allowed size";
            return Err(S3Error::with_message(S3ErrorCode::EntityTooLarge, message));
        }
        let stream = stream.ok_or(S3ErrorCode::MissingContentLength)?;
        Ok(IncomingBody { stream, length_bytes: Some(length_bytes), trailers })
    }
}

/// A body that has come whole and is right. Nothing refers to its file yet.
pub(super) struct Received {
    pub(super) file: Unpublished,
    pub(super) size_bytes: u64,
    /// Without quotes: the MD5.
    pub(super) e_tag: String,
    pub(super) checksums: Checksums,
}

impl State {
    /// Streams a body into a file. What was declared about it is compared; that and `algorithm` is computed.
    pub(super) async fn receive(
        &self,
        mut body: IncomingBody,
        declared: &Declared,
        algorithm: Option<Algorithm>,
    ) -> S3Result<Received> {
        let mut file = self.files.create().await.map_err(S3Error::internal_error)?;
        let mut digest = Digest::new(declared.algorithms().chain(algorithm));
        while let Some(chunk) = body.stream.next().await {
            let chunk = chunk.map_err(|error| stream_error(&error))?;
            digest.update(&chunk);
            if body.length_bytes.is_some_and(|length_bytes| digest.size_bytes > length_bytes) {
                return Err(S3ErrorCode::IncompleteBody.into());
            }
            file.write(&chunk).await.map_err(S3Error::internal_error)?;
        }
        if body.length_bytes.is_some_and(|length_bytes| digest.size_bytes != length_bytes) {
            let message =
                "You did not provide the number of bytes specified by the Content-Length HTTP header";
            return Err(S3Error::with_message(S3ErrorCode::IncompleteBody, message));
        }
        let digested = digest.finish();
        declared.verify(&digested, body.trailers.as_ref())?;
        let file = file.finish().await.map_err(S3Error::internal_error)?;
        Ok(Received {
            file,
            size_bytes: digested.size_bytes,
            e_tag: digested.e_tag(),
            checksums: digested.checksums,
        })
    }
}

/// What is computed of bytes while they pass.
pub(super) struct Digest {
    md5: Md5,
    hasher: ChecksumHasher,
    size_bytes: u64,
}

/// What was computed of them.
pub(super) struct Digested {
    md5: Vec<u8>,
    pub(super) checksums: Checksums,
    pub(super) size_bytes: u64,
}

impl Digest {
    pub(super) fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Digest {
        let mut hasher = ChecksumHasher::default();
        for algorithm in algorithms {
            algorithm.enable(&mut hasher);
        }
        Digest { md5: Md5::new(), hasher, size_bytes: 0 }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.hasher.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    pub(super) fn finish(self) -> Digested {
        Digested {
            md5: self.md5.finalize().as_ref().to_vec(),
            checksums: Checksums::from(self.hasher.finalize()),
            size_bytes: self.size_bytes,
        }
    }
}

impl Digested {
    /// Without quotes.
    pub(super) fn e_tag(&self) -> String {
        hex(&self.md5)
    }
}

/// What the writer says about the bytes.
pub(super) struct Declared {
    checksums: Checksums,
    /// The algorithm whose value follows the body.
    trailer: Option<Algorithm>,
    md5: Option<Vec<u8>>,
}

impl Declared {
    /// Reads what is declared: a checksum in the headers or in the trailer that they announce, and `Content-MD5`.
    pub(super) fn of(
        checksums: Checksums,
        headers: &HeaderMap,
        content_md5: Option<&str>,
    ) -> S3Result<Declared> {
        let trailer = match headers.get("x-amz-trailer") {
            None => None,
            Some(name) => Some(announced(name.to_str().unwrap_or_default())?),
        };
        if let Some((algorithm, _)) = checksums.iter().find(|(algorithm, value)| !algorithm.is_value(value)) {
            let message = format!("Value for x-amz-checksum-{} header is invalid.", algorithm.name());
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        if checksums.iter().count() + usize::from(trailer.is_some()) > 1 {
            let message =
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let algorithm = checksums.iter().map(|(algorithm, _)| algorithm).chain(trailer).next();
        check_sdk_algorithm(headers, algorithm)?;
        let md5 = match content_md5 {
            None => None,
            Some(text) => match STANDARD.decode(text) {
                Ok(md5) if md5.len() == 16 => Some(md5),
                _ => return Err(S3ErrorCode::InvalidDigest.into()),
            },
        };
        Ok(Declared { checksums, trailer, md5 })
    }

    /// The algorithm of the checksum, if there is one.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.algorithms().next()
    }

    fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.checksums.iter().map(|(algorithm, _)| algorithm).chain(self.trailer)
    }

    /// Compares with what has been received.
    fn verify(&self, received: &Digested, trailers: Option<&TrailingHeaders>) -> S3Result<()> {
        let differs =
            |algorithm: Algorithm, declared: &str| received.checksums.get(algorithm) != Some(declared);
        if let Some((algorithm, _)) =
            self.checksums.iter().find(|(algorithm, value)| differs(*algorithm, value))
        {
            return Err(bad_digest(algorithm));
        }
        if let Some(algorithm) = self.trailer {
            let header = format!("x-amz-checksum-{}", algorithm.name());
            let declared = trailers
                .and_then(|trailers| trailers.read(|headers| headers.get(&header).cloned()))
                .flatten()
                .ok_or_else(|| {
                    bad_request(
                        "MalformedTrailerError",
                        "The request contained trailing data that was not well-formed",
                    )
                })?;
            if declared.to_str().map_or(true, |declared| differs(algorithm, declared)) {
                return Err(bad_digest(algorithm));
            }
        }
        if self.md5.as_ref().is_some_and(|declared| *declared != received.md5) {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
        }
        Ok(())
    }
}

/// What `x-amz-sdk-checksum-algorithm` names has to come, in a header or in the trailer.
fn check_sdk_algorithm(headers: &HeaderMap, declared: Option<Algorithm>) -> S3Result<()> {
    let Some(name) = headers.get("x-amz-sdk-checksum-algorithm") else { return Ok(()) };
    let named = name.to_str().ok().and_then(Algorithm::parse);
    let message = match declared {
        Some(declared) if named == Some(declared) => return Ok(()),
        Some(_) => "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        None => {
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
             were found."
        }
    };
    Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
}

/// The algorithm that `x-amz-trailer` announces.
fn announced(trailer: &str) -> S3Result<Algorithm> {
    let name = trailer.trim().to_ascii_lowercase();
    name.strip_prefix("x-amz-checksum-")
        .and_then(Algorithm::parse)
        .ok_or_else(|| not_implemented(&format!("The trailer {name}")))
}

/// A code that s3s does not know.
fn bad_request(code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

pub(super) fn bad_digest(algorithm: Algorithm) -> S3Error {
    let name = algorithm.name().to_uppercase();
    let message = format!("The {name} you specified did not match the calculated checksum.");
    S3Error::with_message(S3ErrorCode::BadDigest, message)
}

/// s3s verifies payload hashes and chunk signatures while the body is read; its error types are its own.
fn stream_error(error: &StdError) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return bad_request("XAmzContentSHA256Mismatch", message);
    }
    if text.contains("SignatureMismatch") {
        return S3ErrorCode::SignatureDoesNotMatch.into();
    }
    S3Error::with_message(S3ErrorCode::IncompleteBody, text)
}

#[cfg(test)]
mod tests {
    use s3s::S3ErrorCode;
    use s3s::dto::StreamingBlob;

    use super::{IncomingBody, MAXIMUM_BODY_BYTES};

    #[test]
    fn a_body_has_a_length_of_at_most_5_gib() {
        let of = |length: Option<i64>| {
            let body = StreamingBlob::from(s3s::Body::empty());
            IncomingBody::of(Some(body), length, None).map(|body| body.length_bytes)
        };
        let maximum = i64::try_from(MAXIMUM_BODY_BYTES).unwrap();
        assert_eq!(of(Some(maximum)).unwrap(), Some(MAXIMUM_BODY_BYTES));
        assert_eq!(*of(Some(maximum + 1)).unwrap_err().code(), S3ErrorCode::EntityTooLarge);
        assert_eq!(*of(None).unwrap_err().code(), S3ErrorCode::MissingContentLength);
        assert_eq!(*of(Some(-1)).unwrap_err().code(), S3ErrorCode::MissingContentLength);
    }
}
