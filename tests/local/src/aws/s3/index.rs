//! Which objects there are: every version and delete marker, in SQLite.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::types::FromSql;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::checksums::Checksums;
use super::files::Segment;
use crate::aws::clock;

/// The version id of what was written while a bucket was not versioned.
pub(super) const NULL_VERSION: &str = "null";
/// Characters of a version id.
const VERSION_ID_CHARACTERS: usize = 32;

/// The metadata headers that are stored with an object and come back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredHeaders {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    /// `Expires`, seconds since 1970.
    pub(super) expires_seconds: Option<i64>,
    /// `x-amz-meta-*`.
    pub(super) metadata: BTreeMap<String, String>,
}

/// What is to become the latest version of a key.
#[derive(Debug, Clone)]
pub(super) struct NewVersion {
    pub(super) bucket: String,
    pub(super) key: String,
    /// Whether the bucket keeps versions.
    pub(super) versioned: bool,
    pub(super) last_modified_ms: i64,
    /// The multipart upload that it was.
    pub(super) upload_id: Option<String>,
    /// `None` for a delete marker.
    pub(super) content: Option<Content>,
}

/// What an object holds.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) segments: Vec<Segment>,
    /// The parts in which it came, in order; empty where it came in one request.
    pub(super) parts: Vec<ObjectPart>,
    pub(super) size_bytes: u64,
    /// Without quotes.
    pub(super) e_tag: String,
    pub(super) checksums: Checksums,
    pub(super) headers: StoredHeaders,
}

/// A part of an object that came in parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ObjectPart {
    pub(super) size_bytes: u64,
    /// Empty unless its upload declared an algorithm.
    pub(super) checksums: Checksums,
}

/// A version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) key: String,
    pub(super) version_id: String,
    /// Grows with every version of any key.
    pub(super) sequencer: u64,
    pub(super) last_modified_ms: i64,
    /// `None` for a delete marker.
    pub(super) content: Option<Content>,
}

/// What [`insert`] did.
pub(super) struct Inserted {
    pub(super) version: Version,
    /// The segments of the object that was replaced, to be removed once the transaction is through.
    pub(super) replaced: Vec<Segment>,
}

pub(super) fn create_bucket(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT OR IGNORE INTO bucket (name, created_at_ms) VALUES (?1, ?2)",
        params![name, clock::now_ms()],
    )?;
    Ok(())
}

/// Names and creation times, in milliseconds since 1970.
pub(super) fn buckets(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<(String, i64)>> {
    transaction
        .prepare_cached("SELECT name, created_at_ms FROM bucket ORDER BY name")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Every file that an object, or a part of one, refers to.
pub(super) fn files(transaction: &Transaction<'_>) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = transaction.prepare(
        "SELECT segments FROM object WHERE NOT is_delete_marker UNION ALL SELECT segments FROM part",
    )?;
    let mut rows = statement.query([])?;
    let mut files = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let segments: Vec<Segment> = from_json(row, "segments")?;
        files.extend(segments.into_iter().map(|segment| segment.file));
    }
    Ok(files)
}

/// The latest version of a key, which may be a delete marker.
pub(super) fn latest(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
) -> rusqlite::Result<Option<Version>> {
    transaction
        .prepare_cached("SELECT * FROM object WHERE bucket = ?1 AND key = ?2 AND is_latest")?
        .query_row([bucket, key], read_version)
        .optional()
}

/// One version of a key.
pub(super) fn version(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    version_id: &str,
) -> rusqlite::Result<Option<Version>> {
    transaction
        .prepare_cached("SELECT * FROM object WHERE bucket = ?1 AND key = ?2 AND version_id = ?3")?
        .query_row([bucket, key, version_id], read_version)
        .optional()
}

/// The version that a multipart upload became.
pub(super) fn uploaded_as(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> rusqlite::Result<Option<Version>> {
    transaction
        .prepare_cached("SELECT * FROM object WHERE bucket = ?1 AND key = ?2 AND upload_id = ?3")?
        .query_row([bucket, key, upload_id], read_version)
        .optional()
}

/// Adds a version, which becomes the latest. Without versioning it replaces what was there.
pub(super) fn insert(transaction: &Transaction<'_>, new: &NewVersion) -> rusqlite::Result<Inserted> {
    let key = [new.bucket.as_str(), new.key.as_str()];
    transaction
        .execute("UPDATE object SET is_latest = 0 WHERE bucket = ?1 AND key = ?2 AND is_latest", key)?;
    let replaced =
        if new.versioned { None } else { delete(transaction, &new.bucket, &new.key, NULL_VERSION)? };
    let content = new.content.as_ref();
    let version = transaction.query_row(
        "INSERT INTO object (bucket, key, version_id, is_latest, is_delete_marker, segments, parts, size_bytes, e_tag,
             checksums, headers, upload_id, last_modified_ms)
         VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) RETURNING *",
        params![
            new.bucket,
            new.key,
            if new.versioned { new_version_id()? } else { NULL_VERSION.to_owned() },
            content.is_none(),
            json(&content.map(|content| &content.segments))?,
            json(&content.map(|content| &content.parts))?,
            content.map_or(0, |content| content.size_bytes),
            content.map_or("", |content| &content.e_tag),
            json(&content.map(|content| &content.checksums))?,
            json(&content.map(|content| &content.headers))?,
            new.upload_id,
            new.last_modified_ms,
        ],
        read_version,
    )?;
    let replaced = replaced.and_then(|version| version.content).map(|content| content.segments);
    Ok(Inserted { version, replaced: replaced.unwrap_or_default() })
}

/// Hides a key of a bucket that keeps versions behind a delete marker.
pub(super) fn insert_delete_marker(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
) -> rusqlite::Result<Version> {
    let marker = NewVersion {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        versioned: true,
        last_modified_ms: clock::now_ms(),
        upload_id: None,
        content: None,
    };
    Ok(insert(transaction, &marker)?.version)
}

/// Removes one version for good; the newest one left becomes the latest.
pub(super) fn remove_version(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    version_id: &str,
) -> rusqlite::Result<Option<Version>> {
    let removed = delete(transaction, bucket, key, version_id)?;
    transaction.execute(
        "UPDATE object SET is_latest = 1 WHERE sequencer =
             (SELECT MAX(sequencer) FROM object WHERE bucket = ?1 AND key = ?2)",
        [bucket, key],
    )?;
    Ok(removed)
}

fn delete(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    version_id: &str,
) -> rusqlite::Result<Option<Version>> {
    transaction
        .query_row(
            "DELETE FROM object WHERE bucket = ?1 AND key = ?2 AND version_id = ?3 RETURNING *",
            [bucket, key, version_id],
            read_version,
        )
        .optional()
}

/// Calls `visit` with the objects of a bucket in key order, from behind `after`, until it returns `false`.
pub(super) fn scan(
    transaction: &Transaction<'_>,
    bucket: &str,
    after: &str,
    mut visit: impl FnMut(Version) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "SELECT * FROM object WHERE bucket = ?1 AND key > ?2 AND is_latest AND NOT is_delete_marker ORDER BY key",
    )?;
    let mut rows = statement.query([bucket, after])?;
    while let Some(row) = rows.next()? {
        if !visit(read_version(row)?) {
            break;
        }
    }
    Ok(())
}

/// Whether a text has the form of a version id.
pub(super) fn is_version_id(text: &str) -> bool {
    text == NULL_VERSION
        || text.len() == VERSION_ID_CHARACTERS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
}

fn new_version_id() -> rusqlite::Result<String> {
    let mut random = [0; VERSION_ID_CHARACTERS / 4 * 3];
    SystemRandom::new().fill(&mut random).map_err(|_| rusqlite::Error::InvalidQuery)?;
    Ok(URL_SAFE_NO_PAD.encode(random).replace('-', "."))
}

fn read_version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let content = if row.get("is_delete_marker")? {
        None
    } else {
        Some(Content {
            segments: from_json(row, "segments")?,
            parts: from_json(row, "parts")?,
            size_bytes: row.get("size_bytes")?,
            e_tag: row.get("e_tag")?,
            checksums: from_json(row, "checksums")?,
            headers: from_json(row, "headers")?,
        })
    };
    Ok(Version {
        key: row.get("key")?,
        version_id: row.get("version_id")?,
        sequencer: row.get("sequencer")?,
        last_modified_ms: row.get("last_modified_ms")?,
        content,
    })
}

pub(super) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn from_json<T: for<'de> Deserialize<'de>>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?;
    let text = String::column_result(text)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}
