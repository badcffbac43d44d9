//! Secrets, their versions and staging labels, in SQLite.
//!
//! A version that has no label left is kept and still found by its id; AWS may remove it at any time.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::aws::installed::Installed;
use crate::stack;

/// The label of the version that is in use.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// The label of the version that was in use before.
const PREVIOUS: &str = "AWSPREVIOUS";

/// A hyphen and six random characters end each ARN.
const ARN_SUFFIX_CHARACTERS: usize = 7;

/// A secret, without its values.
#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// The template declares it; else a request created it.
    pub(super) is_declared: bool,
    pub(super) created_at_ms: i64,
    /// When it will be gone, once it is scheduled for deletion.
    pub(super) deletion_at_ms: Option<i64>,
}

/// What a version holds: text, or bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretValue {
    String(String),
    Binary(String),
}

impl SecretValue {
    fn columns(&self) -> (Option<&str>, Option<&str>) {
        match self {
            SecretValue::String(text) => (Some(text), None),
            SecretValue::Binary(base64) => (None, Some(base64)),
        }
    }
}

/// Adds the secrets of a stack that are not there yet.
pub(super) fn declare(
    transaction: &Transaction<'_>,
    secrets: &[stack::Secret],
    now_ms: i64,
) -> Result<(), rusqlite::Error> {
    for secret in secrets {
        transaction.execute(
            "INSERT INTO secret (arn, name, is_declared, created_at_ms) VALUES (?1, ?2, 1, ?3)
             ON CONFLICT (arn) DO UPDATE SET is_declared = 1",
            params![secret.arn, secret.name, now_ms],
        )?;
    }
    Ok(())
}

/// Adds a secret that a request creates.
pub(super) fn insert(transaction: &Transaction<'_>, secret: &Secret) -> Result<(), rusqlite::Error> {
    transaction.execute(
        "INSERT INTO secret (arn, name, description, is_declared, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![secret.arn, secret.name, secret.description, secret.is_declared, secret.created_at_ms],
    )?;
    Ok(())
}

/// The secret with this name, this ARN, or this ARN without its random end. One that only an earlier stack declared is
/// not found.
pub(super) fn find(
    transaction: &Transaction<'_>,
    installed: &Installed,
    id: &str,
) -> Result<Option<Secret>, rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "SELECT * FROM secret WHERE arn = ?1 OR name = ?1 OR substr(arn, 1, length(arn) - ?2) = ?1
         ORDER BY arn = ?1 DESC",
    )?;
    let mut rows = statement.query(params![id, ARN_SUFFIX_CHARACTERS])?;
    while let Some(row) = rows.next()? {
        let secret = read(row)?;
        if !secret.is_declared || installed.declares_secret(&secret.arn) {
            return Ok(Some(secret));
        }
    }
    Ok(None)
}

fn read(row: &Row<'_>) -> Result<Secret, rusqlite::Error> {
    Ok(Secret {
        arn: row.get("arn")?,
        name: row.get("name")?,
        description: row.get("description")?,
        is_declared: row.get("is_declared")?,
        created_at_ms: row.get("created_at_ms")?,
        deletion_at_ms: row.get("deletion_at_ms")?,
    })
}

/// Sets, or with `None` takes back, the time at which a secret will be gone.
pub(super) fn schedule_deletion(
    transaction: &Transaction<'_>,
    secret: &Secret,
    deletion_at_ms: Option<i64>,
) -> Result<(), rusqlite::Error> {
    transaction.execute(
        "UPDATE secret SET deletion_at_ms = ?2 WHERE arn = ?1",
        params![secret.arn, deletion_at_ms],
    )?;
    Ok(())
}

/// Removes the secrets whose time has come, with everything in them.
pub(super) fn remove_due(transaction: &Transaction<'_>, now_ms: i64) -> Result<(), rusqlite::Error> {
    let due: Vec<String> = transaction
        .prepare_cached("SELECT arn FROM secret WHERE deletion_at_ms <= ?1")?
        .query_map([now_ms], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    due.iter().try_for_each(|arn| remove(transaction, arn))
}

/// Removes a secret with everything in it.
pub(super) fn remove(transaction: &Transaction<'_>, arn: &str) -> Result<(), rusqlite::Error> {
    transaction.execute("DELETE FROM secret_stage WHERE secret_arn = ?1", [arn])?;
    transaction.execute("DELETE FROM secret_version WHERE secret_arn = ?1", [arn])?;
    transaction.execute("DELETE FROM secret WHERE arn = ?1", [arn])?;
    Ok(())
}

/// A version's value, and when it was stored.
pub(super) fn version(
    transaction: &Transaction<'_>,
    secret: &Secret,
    version_id: &str,
) -> Result<Option<(SecretValue, i64)>, rusqlite::Error> {
    transaction
        .query_row(
            "SELECT secret_string, secret_binary, created_at_ms FROM secret_version
             WHERE secret_arn = ?1 AND version_id = ?2",
            [secret.arn.as_str(), version_id],
            |row| {
                let value = match row.get(0)? {
                    Some(text) => SecretValue::String(text),
                    None => SecretValue::Binary(row.get(1)?),
                };
                Ok((value, row.get(2)?))
            },
        )
        .optional()
}

/// Adds a version and moves the labels to it.
pub(super) fn add_version(
    transaction: &Transaction<'_>,
    secret: &Secret,
    version_id: &str,
    value: &SecretValue,
    stages: &[String],
    now_ms: i64,
) -> Result<(), rusqlite::Error> {
    let (string, binary) = value.columns();
    transaction.execute(
        "INSERT INTO secret_version VALUES (?1, ?2, ?3, ?4, ?5)",
        params![secret.arn, version_id, string, binary, now_ms],
    )?;
    stages.iter().try_for_each(|stage| move_stage(transaction, secret, stage, version_id))
}

/// Moves a label to a version. What loses `AWSCURRENT` becomes `AWSPREVIOUS`.
fn move_stage(
    transaction: &Transaction<'_>,
    secret: &Secret,
    stage: &str,
    version_id: &str,
) -> Result<(), rusqlite::Error> {
    const MOVE: &str = "INSERT OR REPLACE INTO secret_stage VALUES (?1, ?2, ?3)";
    if stage == CURRENT
        && let Some(old) = version_of_stage(transaction, secret, CURRENT)?
    {
        transaction.execute(MOVE, [&secret.arn, PREVIOUS, &old])?;
    }
    transaction.execute(MOVE, [secret.arn.as_str(), stage, version_id])?;
    Ok(())
}

/// The version that a label is on.
pub(super) fn version_of_stage(
    transaction: &Transaction<'_>,
    secret: &Secret,
    stage: &str,
) -> Result<Option<String>, rusqlite::Error> {
    transaction
        .query_row(
            "SELECT version_id FROM secret_stage WHERE secret_arn = ?1 AND stage = ?2",
            [&secret.arn, stage],
            |row| row.get(0),
        )
        .optional()
}

/// The labels of each version that has one.
pub(super) fn stages(
    transaction: &Transaction<'_>,
    secret: &Secret,
) -> Result<BTreeMap<String, Vec<String>>, rusqlite::Error> {
    let mut statement = transaction
        .prepare_cached("SELECT version_id, stage FROM secret_stage WHERE secret_arn = ?1 ORDER BY stage")?;
    let mut stages = BTreeMap::<String, Vec<String>>::new();
    for row in statement.query_map([&secret.arn], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (version_id, stage) = row?;
        stages.entry(version_id).or_default().push(stage);
    }
    Ok(stages)
}
