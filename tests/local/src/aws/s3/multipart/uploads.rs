//! Which uploads are under way, and their parts, in SQLite.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::aws::s3::checksums::{Algorithm, ChecksumType, Checksums};
use crate::aws::s3::files::Segment;
use crate::aws::s3::index::{StoredHeaders, from_json, json};

/// An upload that is under way.
#[derive(Debug, Clone)]
pub(in crate::aws::s3) struct Upload {
    pub(super) upload_id: String,
    pub(super) key: String,
    /// ARN of who began it.
    pub(super) initiator: String,
    pub(super) initiated_at_ms: i64,
    pub(super) headers: StoredHeaders,
    /// `None` where nothing was declared.
    pub(super) checksum: Option<ChecksumChoice>,
    /// Whether the object of that key was deleted since.
    pub(super) is_key_deleted: bool,
}

/// The algorithm and type that an upload declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws::s3) struct ChecksumChoice {
    pub(super) algorithm: Algorithm,
    pub(super) checksum_type: ChecksumType,
}

impl ChecksumChoice {
    /// S3's own.
    const DEFAULT: ChecksumChoice =
        ChecksumChoice { algorithm: Algorithm::Crc64Nvme, checksum_type: ChecksumType::FullObject };

    /// Whether a part may come with a checksum of this algorithm, or with none: S3 computes those that add up to a
    /// full-object checksum by itself.
    pub(super) fn takes_part_with(self, algorithm: Option<Algorithm>) -> bool {
        match algorithm {
            None => self.checksum_type == ChecksumType::FullObject,
            Some(algorithm) => self.algorithm == algorithm,
        }
    }
}

impl Upload {
    /// The checksum that its object will have.
    pub(super) fn object_checksum(&self) -> ChecksumChoice {
        self.checksum.unwrap_or(ChecksumChoice::DEFAULT)
    }

    /// The checksums of a part that are shown: none unless an algorithm was declared.
    pub(super) fn shown(&self, checksums: Checksums) -> Checksums {
        if self.checksum.is_some() { checksums } else { Checksums::default() }
    }
}

/// A part that has been uploaded.
#[derive(Debug, Clone)]
pub(in crate::aws::s3) struct UploadedPart {
    pub(super) part_number: i32,
    pub(in crate::aws::s3) segments: Vec<Segment>,
    pub(super) size_bytes: u64,
    /// Without quotes: the MD5.
    pub(super) e_tag: String,
    /// That of the object's algorithm.
    pub(super) checksums: Checksums,
    pub(super) last_modified_ms: i64,
}

pub(super) fn create(transaction: &Transaction<'_>, bucket: &str, upload: &Upload) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO upload (upload_id, bucket, key, initiator, initiated_at_ms, headers, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            upload.upload_id,
            bucket,
            upload.key,
            upload.initiator,
            upload.initiated_at_ms,
            json(&upload.headers)?,
            json(&upload.checksum)?,
        ],
    )?;
    Ok(())
}

/// An upload that is neither completed nor aborted.
pub(super) fn find(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> rusqlite::Result<Option<Upload>> {
    transaction
        .prepare_cached("SELECT * FROM upload WHERE upload_id = ?3 AND bucket = ?1 AND key = ?2")?
        .query_row([bucket, key, upload_id], read_upload)
        .optional()
}

/// Calls `visit` with the uploads of a bucket by key and then by age, until it returns `false`. It begins behind the
/// upload `after_upload_id` of the key `after_key`, or without one behind all uploads of that key.
pub(super) fn scan(
    transaction: &Transaction<'_>,
    bucket: &str,
    after_key: &str,
    after_upload_id: Option<&str>,
    mut visit: impl FnMut(Upload) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "SELECT * FROM upload WHERE bucket = ?1 AND (key > ?2 OR key = ?2 AND upload_id > ?3)
         ORDER BY key, upload_id",
    )?;
    let mut rows = statement.query(params![bucket, after_key, after_upload_id])?;
    while let Some(row) = rows.next()? {
        if !visit(read_upload(row)?) {
            break;
        }
    }
    Ok(())
}

/// Ends an upload; returns its parts.
pub(super) fn remove(transaction: &Transaction<'_>, upload_id: &str) -> rusqlite::Result<Vec<UploadedPart>> {
    transaction.execute("DELETE FROM upload WHERE upload_id = ?1", [upload_id])?;
    let parts = parts(transaction, upload_id, 0, usize::MAX)?;
    transaction.execute("DELETE FROM part WHERE upload_id = ?1", [upload_id])?;
    Ok(parts)
}

/// Adds a part, or replaces the one of that number; returns the segments that were replaced.
pub(super) fn put_part(
    transaction: &Transaction<'_>,
    upload_id: &str,
    part: &UploadedPart,
) -> rusqlite::Result<Vec<Segment>> {
    let replaced = transaction
        .query_row(
            "DELETE FROM part WHERE upload_id = ?1 AND part_number = ?2 RETURNING *",
            params![upload_id, part.part_number],
            read_part,
        )
        .optional()?;
    transaction.execute(
        "INSERT INTO part (upload_id, part_number, segments, size_bytes, e_tag, checksums, last_modified_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            upload_id,
            part.part_number,
            json(&part.segments)?,
            part.size_bytes,
            part.e_tag,
            json(&part.checksums)?,
            part.last_modified_ms,
        ],
    )?;
    Ok(replaced.map(|part| part.segments).unwrap_or_default())
}

/// At most `limit` parts behind a part number, in order.
pub(super) fn parts(
    transaction: &Transaction<'_>,
    upload_id: &str,
    after: i32,
    limit: usize,
) -> rusqlite::Result<Vec<UploadedPart>> {
    transaction
        .prepare_cached(
            "SELECT * FROM part WHERE upload_id = ?1 AND part_number > ?2 ORDER BY part_number LIMIT ?3",
        )?
        .query_map(params![upload_id, after, i64::try_from(limit).unwrap_or(i64::MAX)], read_part)?
        .collect()
}

/// Notes in all uploads of a key that its object was deleted: a condition on it can no longer be judged.
pub(in crate::aws::s3) fn note_delete(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
) -> rusqlite::Result<()> {
    transaction
        .execute("UPDATE upload SET is_key_deleted = 1 WHERE bucket = ?1 AND key = ?2", [bucket, key])?;
    Ok(())
}

fn read_upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Ok(Upload {
        upload_id: row.get("upload_id")?,
        key: row.get("key")?,
        initiator: row.get("initiator")?,
        initiated_at_ms: row.get("initiated_at_ms")?,
        headers: from_json(row, "headers")?,
        checksum: from_json(row, "checksum")?,
        is_key_deleted: row.get("is_key_deleted")?,
    })
}

fn read_part(row: &Row<'_>) -> rusqlite::Result<UploadedPart> {
    Ok(UploadedPart {
        part_number: row.get("part_number")?,
        segments: from_json(row, "segments")?,
        size_bytes: row.get("size_bytes")?,
        e_tag: row.get("e_tag")?,
        checksums: from_json(row, "checksums")?,
        last_modified_ms: row.get("last_modified_ms")?,
    })
}
