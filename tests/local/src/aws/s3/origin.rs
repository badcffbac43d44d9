//! What CloudFront asks of a bucket for its viewers: reads, and preflights.
//!
//! With origin access control CloudFront signs its requests as `cloudfront.amazonaws.com`, and the bucket's own policy has
//! to let it, for the distribution that `aws:SourceArn` tells. The signature itself is not made here: these requests do not
//! come through the port, so that nobody else can make them.

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Response, StatusCode};
use s3s::S3ErrorCode;

use super::S3;
use super::access::CallContext;
use super::front::{Head, ignore_malformed_range, preflight};
use crate::aws::identity::Caller;
use crate::aws::policy::Context;
use crate::aws::protocol::Fault;
use crate::aws::server::{Cut, ResponseBody};

const CLOUDFRONT: &str = "cloudfront.amazonaws.com";

impl S3 {
    /// Answers a request of a distribution, whose path begins with the bucket, and records it.
    pub(crate) async fn answer_distribution(
        &self,
        mut parts: Parts,
        distribution_arn: &str,
        request_id: &str,
    ) -> Result<Response<ResponseBody>, Cut> {
        let installed = self.state.current.get();
        let source = Context::default()
            .with("aws:SourceArn", distribution_arn)
            .with("aws:SourceAccount", installed.account_id());
        let caller = Some(Caller::service(CLOUDFRONT));
        let context = CallContext::new(caller, Arc::clone(&installed), request_id, source);
        let head = Head::of(&parts);
        ignore_malformed_range(&mut parts.headers);
        let answered = match (&head.method, key(&head.path)) {
            (&Method::OPTIONS, _) => preflight(&installed, &head),
            (&Method::GET | &Method::HEAD, (_, Some(_))) => {
                self.call_s3s(parts, s3s::Body::empty(), &context).await
            }
            // A list of the bucket, which nobody has reason to allow.
            (&Method::GET | &Method::HEAD, (bucket, None)) => {
                Err(self.state.missing(&context, bucket, S3ErrorCode::NotImplemented).into())
            }
            (method, _) => Err(Fault::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                format!("{method} does not come from a distribution."),
            )),
        };
        self.finish(&head, &context, answered).await
    }
}

/// Bucket and key of a path.
fn key(path: &str) -> (&str, Option<&str>) {
    let path = path.strip_prefix('/').unwrap_or(path);
    match path.split_once('/') {
        Some((bucket, key)) if !key.is_empty() => (bucket, Some(key)),
        Some((bucket, _)) => (bucket, None),
        None => (path, None),
    }
}
