//! What a client still sends after its request was refused.
//!
//! S3 answers a refused upload before its body has come, and a client learns the reason only if somebody takes the
//! rest off the connection; else it sees a connection that breaks. So a refused request is read to its end, within
//! bounds, before it is answered.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// What is read of a refused request at most.
const MAXIMUM_BYTES: usize = 16 * 1024 * 1024;
/// How long a client may take for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A request's body, for the operation and for whoever reads what it left.
#[derive(Clone)]
pub(super) struct SharedBody(Arc<Mutex<Incoming>>);

impl SharedBody {
    pub(super) fn new(body: Incoming) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Reads on until the end, as far as the bounds allow.
    pub(super) async fn read_to_end(mut self) {
        let rest = async {
            let mut left = MAXIMUM_BYTES;
            while let Some(Ok(frame)) = self.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    break;
                }
            }
        };
        // A client that is slower sees its connection close.
        let _ = tokio::time::timeout(TIMEOUT, rest).await;
    }
}

impl Body for SharedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
