//! Files that are part of a function's binary: pages, and what they are made of.
//!
//! Whoever has a file asks each time whether it is still the same, so a page and its scripts are of one deployment. A
//! browser takes them for what they are said to be, and sends nobody the address that they were opened at.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use lambda_http::Body;
use ring::digest::{SHA256, digest};

use crate::answer::Answer;
use crate::problem::Problem;

/// A file as it was when the function was built.
#[derive(Clone, Debug)]
pub struct StaticFile {
    content_type: &'static str,
    content: Content,
    etag: String,
    security_policy: Option<Cow<'static, str>>,
}

#[derive(Clone, Debug)]
enum Content {
    Text(Cow<'static, str>),
    Gzip(&'static [u8]),
}

impl StaticFile {
    /// A text of this media type.
    pub fn text(content_type: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self {
            content_type,
            etag: etag(text.as_bytes()),
            content: Content::Text(text),
            security_policy: None,
        }
    }

    /// What is kept, and sent, compressed. Every browser of the last twenty years reads it.
    pub fn gzip(content_type: &'static str, compressed: &'static [u8]) -> Self {
        let etag = etag(compressed);
        Self { content_type, etag, content: Content::Gzip(compressed), security_policy: None }
    }

    /// A page that may load and reach only what this content security policy says.
    /// <https://www.w3.org/TR/CSP3/>
    #[must_use]
    pub fn secured(self, security_policy: impl Into<Cow<'static, str>>) -> Self {
        Self { security_policy: Some(security_policy.into()), ..self }
    }

    /// The file, or 304 if the client has it.
    pub fn answer(&self, if_none_match: Option<&str>) -> Result<Answer, Problem> {
        let mut answer = Answer::empty(StatusCode::OK);
        let mut header =
            |name: HeaderName, value| answer.headers.insert(name, HeaderValue::from_static(value));
        header(CONTENT_TYPE, self.content_type);
        if let Content::Gzip(_) = self.content {
            header(CONTENT_ENCODING, "gzip");
        }
        answer.body = Some(match &self.content {
            Content::Text(text) => Body::Text(text.clone().into_owned()),
            Content::Gzip(compressed) => Body::Binary(compressed.to_vec()),
        });
        if let Some(policy) = &self.security_policy {
            answer = answer.header(CONTENT_SECURITY_POLICY, policy)?;
        }
        answer
            .tagged(&self.etag, if_none_match)?
            .header(CACHE_CONTROL, "public, no-cache")?
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff")?
            .header(REFERRER_POLICY, "no-referrer")
    }
}

fn etag(content: &[u8]) -> String {
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "default-src 'none'";

    #[test]
    fn a_page_comes_with_its_policy() {
        let page = StaticFile::text("text/html; charset=utf-8", "<p>").secured(POLICY);
        let answer = page.answer(None).unwrap();
        assert_eq!(answer.headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(answer.headers[CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(answer.headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.body, Some(Body::Text("<p>".to_owned())));
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let file = StaticFile::text("text/css", "p {}");
        let etag = file.answer(None).unwrap().headers["etag"].clone();
        let known = file.answer(etag.to_str().ok()).unwrap();
        assert_eq!((known.status, known.body), (StatusCode::NOT_MODIFIED, None));
        let other = StaticFile::text("text/css", "q {}");
        assert_eq!(other.answer(etag.to_str().ok()).unwrap().status, StatusCode::OK);
    }

    #[test]
    fn what_is_compressed_says_so() {
        let answer = StaticFile::gzip("text/javascript", &[0x1f, 0x8b]).answer(None).unwrap();
        assert_eq!(answer.headers[CONTENT_ENCODING], "gzip");
        assert_eq!(answer.body, Some(Body::Binary(vec![0x1f, 0x8b])));
    }
}
