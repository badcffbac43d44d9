//! Where thumbnails are shown from: the CDN, at an address that needs no signature, or without one `get-thumbnail`.
//!
//! Either way the address ends with a key that nobody can guess, so it may stand in lists and records, and no secret is
//! needed to write it there.

use domain::{MediaId, ThumbnailKey};

use crate::environment::Environment;
use crate::request::Request;

/// The addresses of thumbnails.
#[derive(Clone, Debug)]
pub struct ThumbnailUrls {
    cdn_url: Option<String>,
}

impl ThumbnailUrls {
    /// On the distribution at `CDN_DOMAIN`, if there is one.
    pub fn of(environment: &Environment) -> Self {
        Self { cdn_url: environment.cdn_url() }
    }

    /// Under which URL the thumbnails are that this request's answer tells of.
    pub fn base(&self, request: &Request) -> ThumbnailBase {
        ThumbnailBase(self.cdn_url.clone().unwrap_or_else(|| request.api_url()))
    }

    /// Where a thumbnail is on the CDN, if there is one.
    pub fn on_cdn(&self, media_id: MediaId, key: &ThumbnailKey) -> Option<String> {
        self.cdn_url.clone().map(|url| ThumbnailBase(url).of(media_id, key))
    }
}

/// The URL that thumbnails are under, without a slash at the end.
#[derive(Clone, Debug)]
pub struct ThumbnailBase(String);

impl ThumbnailBase {
    /// Where a thumbnail is. The route of `get-thumbnail` and the key in the media bucket are the same.
    pub(crate) fn of(&self, media_id: MediaId, key: &ThumbnailKey) -> String {
        format!("{}/{}", self.0, buckets::thumbnail_object_key(media_id, key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::environment::Clock;

    #[test]
    fn a_thumbnail_is_on_the_cdn_if_there_is_one() {
        let media_id: MediaId = "019a9f3e-7c00-7abc-8def-0123456789ab".parse().unwrap();
        let on_cdn = |domain_name: &str| {
            let variables = BTreeMap::from([("CDN_DOMAIN".to_owned(), domain_name.to_owned())]);
            ThumbnailUrls::of(&Environment::new(variables, Clock::system()))
                .on_cdn(media_id, &ThumbnailKey::new(7))
        };
        let path = "media/019a9f3e-7c00-7abc-8def-0123456789ab/thumbnail/00000000000000000000000000000007";
        assert_eq!(on_cdn("d1.cloudfront.net"), Some(format!("https://d1.cloudfront.net/{path}")));
        assert_eq!(on_cdn("127.0.0.1:3001"), Some(format!("http://127.0.0.1:3001/{path}")));
        assert_eq!(on_cdn(""), None);
    }
}
