//! Secrets Manager: the template's secrets, by name or ARN. Follows the AWS Secrets Manager API reference.

use http::StatusCode;
use rusqlite::{OptionalExtension, Transaction, params};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::clock;
use super::database::Database;
use super::installed::{Installed, Requirement};
use super::protocol::Fault;
use super::sqs::{parse, refuse_unknown};
use crate::stack::Secret;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// The largest value of a secret.
const MAXIMUM_SECRET_BYTES: usize = 65_536;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretId {
    secret_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
}

/// What a request needs permission for: the operation's own action on the secret.
pub(crate) fn requirements(
    installed: &Installed,
    operation: &str,
    body: &Value,
) -> Result<Vec<Requirement>, Fault> {
    let known: &[&str] = match operation {
        "GetSecretValue" => &["SecretId", "VersionId", "VersionStage"],
        "PutSecretValue" => {
            &["SecretId", "ClientRequestToken", "SecretString", "SecretBinary", "VersionStages"]
        }
        "DescribeSecret" => &["SecretId"],
        other => return Err(Fault::not_implemented(&format!("Secrets Manager {other}"))),
    };
    refuse_unknown(operation, body, known)?;
    let secret = find(installed, body)?;
    Ok(vec![Requirement::new(format!("secretsmanager:{operation}"), &secret.arn)])
}

/// Carries out a permitted request.
pub(crate) fn run(
    database: &Database,
    installed: &Installed,
    operation: &str,
    body: &Value,
) -> Result<Value, Fault> {
    let secret = find(installed, body)?;
    match operation {
        "GetSecretValue" => {
            let request = parse(body)?;
            database.transaction(|transaction| get(transaction, secret, &request))
        }
        "PutSecretValue" => {
            let request = parse(body)?;
            database.transaction(|transaction| put(transaction, secret, &request))
        }
        "DescribeSecret" => database.transaction(|transaction| describe(transaction, secret)),
        other => Err(Fault::not_implemented(&format!("Secrets Manager {other}"))),
    }
}

fn find<'a>(installed: &'a Installed, body: &Value) -> Result<&'a Secret, Fault> {
    installed
        .secret(&parse::<SecretId>(body)?.secret_id)
        .ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))
}

fn not_found(message: impl Into<String>) -> Fault {
    Fault::bad_request("ResourceNotFoundException", message)
}

fn get(transaction: &Transaction<'_>, secret: &Secret, request: &Get) -> Result<Value, Fault> {
    let stage = request.version_stage.as_deref();
    let version_id = match (&request.version_id, stage) {
        (Some(version_id), None) => version_id.clone(),
        (version_id, stage) => {
            let stage = stage.unwrap_or(CURRENT);
            let staged = version_of_stage(transaction, secret, stage)?.ok_or_else(|| {
                not_found(format!(
                    "Secrets Manager can't find the specified secret value for staging label: {stage}"
                ))
            })?;
            if version_id.as_ref().is_some_and(|version_id| *version_id != staged) {
                return Err(Fault::bad_request(
                    "InvalidRequestException",
                    "You provided a VersionStage that is not associated to the provided VersionId.",
                ));
            }
            staged
        }
    };
    let (string, binary, created_at_ms): (Option<String>, Option<String>, i64) = transaction
        .query_row(
            "SELECT secret_string, secret_binary, created_at_ms FROM secret_version
             WHERE secret_arn = ?1 AND version_id = ?2",
            [&secret.arn, &version_id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?
        .ok_or_else(|| {
            not_found(format!(
                "Secrets Manager can't find the specified secret value for VersionId: {version_id}"
            ))
        })?;
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version_id,
        "VersionStages": stages_of_version(transaction, secret, &version_id)?,
        "CreatedDate": seconds(created_at_ms),
    });
    if let Some(string) = string {
        answer["SecretString"] = Value::String(string);
    }
    if let Some(binary) = binary {
        answer["SecretBinary"] = Value::String(binary);
    }
    Ok(answer)
}

fn put(transaction: &Transaction<'_>, secret: &Secret, request: &Put) -> Result<Value, Fault> {
    let ((Some(value), None) | (None, Some(value))) = (&request.secret_string, &request.secret_binary) else {
        return Err(Fault::bad_request(
            "InvalidParameterException",
            "You must provide either SecretString or SecretBinary, and not both.",
        ));
    };
    if value.len() > MAXIMUM_SECRET_BYTES {
        return Err(Fault::bad_request(
            "ValidationException",
            "The secret value is longer than 65536 bytes.",
        ));
    }
    let version_id = request.client_request_token.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    let existing: Option<(Option<String>, Option<String>)> = transaction
        .query_row(
            "SELECT secret_string, secret_binary FROM secret_version WHERE secret_arn = ?1 AND version_id = ?2",
            [&secret.arn, &version_id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match existing {
        // The same request again changes nothing; another value under the same token is a conflict.
        Some(existing) if existing == (request.secret_string.clone(), request.secret_binary.clone()) => {}
        Some(_) => {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "ResourceExistsException",
                "You can't modify an existing version, you can only create a new version.",
            ));
        }
        None => {
            transaction.execute(
                "INSERT INTO secret_version VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    secret.arn,
                    version_id,
                    request.secret_string,
                    request.secret_binary,
                    clock::now_ms()
                ],
            )?;
            let stages = request.version_stages.clone().unwrap_or_else(|| vec![CURRENT.to_owned()]);
            for stage in &stages {
                move_stage(transaction, secret, stage, &version_id)?;
            }
        }
    }
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version_id,
        "VersionStages": stages_of_version(transaction, secret, &version_id)?,
    }))
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

fn describe(transaction: &Transaction<'_>, secret: &Secret) -> Result<Value, Fault> {
    let mut statement =
        transaction.prepare_cached("SELECT stage, version_id FROM secret_stage WHERE secret_arn = ?1")?;
    let mut versions = Map::new();
    for row in statement.query_map([&secret.arn], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (stage, version_id): (String, String) = row?;
        if let Some(stages) =
            versions.entry(version_id).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
        {
            stages.push(Value::String(stage));
        }
    }
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "VersionIdsToStages": versions }))
}

fn version_of_stage(
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

fn stages_of_version(
    transaction: &Transaction<'_>,
    secret: &Secret,
    version_id: &str,
) -> Result<Vec<String>, rusqlite::Error> {
    transaction
        .prepare_cached(
            "SELECT stage FROM secret_stage WHERE secret_arn = ?1 AND version_id = ?2 ORDER BY stage",
        )?
        .query_map([&secret.arn, version_id], |row| row.get(0))?
        .collect()
}

/// Seconds since 1970 with decimals, as AWS's JSON writes times.
#[allow(clippy::cast_precision_loss)] // Milliseconds fit into 52 bits for the next hundred thousand years.
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
