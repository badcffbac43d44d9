//! Public keys in SQLite. They belong to the account, not to a stack, and stay until they are deleted.

use http::StatusCode;
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::aws::protocol::Fault;

/// A public key as it was sent, with what CloudFront adds.
#[derive(Debug, Clone)]
pub(super) struct StoredKey {
    pub(super) id: String,
    pub(super) e_tag: String,
    pub(super) caller_reference: String,
    pub(super) name: String,
    /// PEM.
    pub(super) encoded_key: String,
    pub(super) comment: String,
    pub(super) created_at_ms: i64,
}

impl StoredKey {
    fn read(row: &Row<'_>) -> Result<StoredKey, rusqlite::Error> {
        Ok(StoredKey {
            id: row.get("id")?,
            e_tag: row.get("e_tag")?,
            caller_reference: row.get("caller_reference")?,
            name: row.get("name")?,
            encoded_key: row.get("encoded_key")?,
            comment: row.get("comment")?,
            created_at_ms: row.get("created_at_ms")?,
        })
    }
}

/// What of a new key is another one's already: its name, or its caller reference.
pub(super) fn taken(
    transaction: &Transaction<'_>,
    key: &StoredKey,
) -> Result<Option<&'static str>, rusqlite::Error> {
    for (column, value, what) in
        [("caller_reference", &key.caller_reference, "caller reference"), ("name", &key.name, "name")]
    {
        let query = format!("SELECT EXISTS (SELECT 1 FROM public_key WHERE {column} = ?1)");
        if transaction.query_row(&query, [value], |row| row.get(0))? {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

pub(super) fn insert(transaction: &Transaction<'_>, key: &StoredKey) -> Result<(), rusqlite::Error> {
    transaction.execute(
        "INSERT INTO public_key (id, e_tag, caller_reference, name, encoded_key, comment, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            key.id,
            key.e_tag,
            key.caller_reference,
            key.name,
            key.encoded_key,
            key.comment,
            key.created_at_ms
        ],
    )?;
    Ok(())
}

pub(super) fn find(transaction: &Transaction<'_>, id: &str) -> Result<Option<StoredKey>, rusqlite::Error> {
    transaction.query_row("SELECT * FROM public_key WHERE id = ?1", [id], StoredKey::read).optional()
}

/// Keys in the order of their ids, from behind `marker`.
pub(super) fn after(
    transaction: &Transaction<'_>,
    marker: &str,
    limit: usize,
) -> Result<Vec<StoredKey>, rusqlite::Error> {
    let mut query = transaction.prepare("SELECT * FROM public_key WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    query.query_map(params![marker, i64::try_from(limit).unwrap_or(i64::MAX)], StoredKey::read)?.collect()
}

pub(super) fn remove(transaction: &Transaction<'_>, id: &str) -> Result<(), rusqlite::Error> {
    transaction.execute("DELETE FROM public_key WHERE id = ?1", [id])?;
    Ok(())
}

/// Thirteen random letters and digits, as CloudFront's ids have them.
pub(super) fn random_characters() -> Result<String, Fault> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456";
    let mut random = [0; 13];
    SystemRandom::new().fill(&mut random).map_err(|_| {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "The system has no randomness.")
    })?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect())
}
