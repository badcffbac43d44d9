//! `ListObjectsV2` and `ListBuckets`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::SHA256;
use s3s::dto::{
    Bucket, CommonPrefix, ETag, EncodingType, ListBucketsInput, ListBucketsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, ObjectStorageClass, Owner,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::State;
use super::access::context_of;
use super::get::{last_modified, refuse_unsupported};
use super::index::{self, Version};
use super::page::{Listing, Page};
use crate::aws::clock;

/// How much of a digest a continuation token begins with.
const TOKEN_DIGEST_BYTES: usize = 8;

/// The longest page.
const MAXIMUM_KEYS: i32 = 1000;

/// What `encoding-type=url` leaves as it is.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b'~');

impl State {
    pub(super) fn list_objects(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<ListObjectsV2Output> {
        let input = request.input;
        let encode = encoder(input.encoding_type.as_ref())?;
        let max_keys = input.max_keys.unwrap_or(MAXIMUM_KEYS).min(MAXIMUM_KEYS);
        let wanted = usize::try_from(max_keys).map_err(|_| {
            S3Error::with_message(
                S3ErrorCode::InvalidArgument,
                "Argument maxKeys must be an integer between 0 and 2147483647",
            )
        })?;
        let after = match &input.continuation_token {
            Some(token) => continued_after(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let listing = Listing { prefix: &prefix, delimiter: &delimiter, after: &after, limit: wanted };
        let page = self.page(&input.bucket, &listing)?;
        let owner = input.fetch_owner.filter(|fetch| *fetch).map(|_| owner());
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode(prefix)),
            max_keys: Some(max_keys),
            key_count: Some(i32::try_from(page.len()).map_err(S3Error::internal_error)?),
            is_truncated: Some(page.is_truncated),
            next_continuation_token: page
                .last
                .filter(|_| page.is_truncated)
                .map(|last| continue_after(&last)),
            contents: Some(
                page.items
                    .into_iter()
                    .filter_map(|version| object(version, &encode, owner.as_ref()))
                    .collect(),
            ),
            common_prefixes: Some(
                page.prefixes
                    .into_iter()
                    .map(|prefix| CommonPrefix { prefix: Some(encode(prefix)) })
                    .collect(),
            ),
            continuation_token: input.continuation_token,
            delimiter: input.delimiter.map(&encode),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(&encode),
            ..ListObjectsV2Output::default()
        })
    }

    fn page(&self, bucket: &str, listing: &Listing<'_>) -> S3Result<Page<Version>> {
        let mut page = Page::default();
        if listing.limit == 0 {
            return Ok(page);
        }
        self.database
            .transaction(|transaction| {
                index::scan(transaction, bucket, listing.start(), |version| {
                    let key = version.key.clone();
                    page.add(listing, &key, version)
                })
            })
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        Ok(page)
    }

    pub(super) fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
        let call = context_of(&request.extensions)?;
        let input = request.input;
        refuse_unsupported(&[
            ("bucket-region", input.bucket_region.is_some()),
            ("continuation-token", input.continuation_token.is_some()),
            ("max-buckets", input.max_buckets.is_some()),
            ("prefix", input.prefix.is_some()),
        ])?;
        let buckets = self
            .database
            .transaction(index::buckets)
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        let buckets = buckets
            .into_iter()
            .filter(|(name, _)| call.installed().bucket(name).is_some())
            .map(|(name, created_at_ms)| Bucket {
                name: Some(name),
                creation_date: Some(clock::from_milliseconds(created_at_ms).into()),
                ..Bucket::default()
            })
            .collect();
        Ok(ListBucketsOutput { buckets: Some(buckets), owner: Some(owner()), ..ListBucketsOutput::default() })
    }
}

/// Who owns every bucket, object and upload.
pub(super) fn owner() -> Owner {
    Owner { id: Some("LOCALOPERATOR".to_owned()), display_name: None }
}

/// What `encoding-type` asks to make of keys.
pub(super) fn encoder(encoding_type: Option<&EncodingType>) -> S3Result<fn(String) -> String> {
    match encoding_type.map(EncodingType::as_str) {
        None => Ok(|key| key),
        Some(EncodingType::URL) => Ok(|key| encode_key(&key)),
        Some(_) => {
            let message = "Invalid Encoding Method specified in Request";
            Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
        }
    }
}

/// What `encoding-type=url` makes of a key.
pub(super) fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}

fn object(version: Version, encode: &impl Fn(String) -> String, owner: Option<&Owner>) -> Option<Object> {
    let last_modified = last_modified(&version);
    let content = version.content?;
    Some(Object {
        key: Some(encode(version.key)),
        last_modified: Some(last_modified),
        e_tag: Some(ETag::Strong(content.e_tag)),
        owner: owner.cloned(),
        size: i64::try_from(content.size_bytes).ok(),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    })
}

/// A token for what follows `last`: a digest in front of it, so that one that was changed is noticed.
fn continue_after(last: &str) -> String {
    STANDARD.encode([&digest_of(last), last.as_bytes()].concat())
}

fn continued_after(token: &str) -> S3Result<String> {
    let read = || {
        let bytes = STANDARD.decode(token).ok()?;
        let (digest, last) = bytes.split_at_checked(TOKEN_DIGEST_BYTES)?;
        let last = String::from_utf8(last.to_vec()).ok()?;
        (digest == digest_of(&last)).then_some(last)
    };
    read().ok_or_else(|| {
        S3Error::with_message(S3ErrorCode::InvalidArgument, "The continuation token provided is incorrect")
    })
}

fn digest_of(last: &str) -> [u8; TOKEN_DIGEST_BYTES] {
    let mut digest = [0; TOKEN_DIGEST_BYTES];
    for (to, from) in digest.iter_mut().zip(ring::digest::digest(&SHA256, last.as_bytes()).as_ref()) {
        *to = *from;
    }
    digest
}
