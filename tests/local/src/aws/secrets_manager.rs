//! Secrets Manager: the template's secrets, and those that requests create. Follows the AWS Secrets Manager API
//! reference: `CreateSecret`, `GetSecretValue`, `PutSecretValue`, `DescribeSecret`, `DeleteSecret`, `RestoreSecret`.
//!
//! A secret is named by its name, its ARN, or its ARN without the random end. The same request under the same
//! `ClientRequestToken` changes nothing the second time; another value under it is refused. The first version of a secret
//! is its current one, whatever its labels. A deleted secret is gone when its recovery window ends, and until then it can
//! only be described and restored.

mod store;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use self::store::{CURRENT, Secret, SecretValue};
use super::clock;
use super::database::Database;
use super::installed::{Installed, Requirement};
use super::protocol::{Fault, parse, refuse_unknown};
use crate::stack;

/// The largest value of a secret.
const MAXIMUM_SECRET_BYTES: usize = 65_536;
/// The longest name of a secret.
const MAXIMUM_NAME_CHARACTERS: usize = 512;
/// The most labels of one version.
const MAXIMUM_STAGES: usize = 20;
const DEFAULT_RECOVERY_DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretId {
    secret_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    name: String,
    description: Option<String>,
    #[serde(flatten)]
    new: NewVersion,
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
    version_stages: Option<Vec<String>>,
    #[serde(flatten)]
    new: NewVersion,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewVersion {
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    recovery_window_in_days: Option<i64>,
    #[serde(default)]
    force_delete_without_recovery: bool,
}

/// Adds the secrets of a stack that are not there yet. They have no value until one is put.
pub(crate) fn install(database: &Database, secrets: &[stack::Secret]) -> Result<(), rusqlite::Error> {
    database.transaction(|transaction| store::declare(transaction, secrets, clock::now_ms()))
}

/// What a request needs permission for: the operation's own action on the secret. Whether it exists is told only to
/// those who may know.
pub(crate) fn requirements(
    database: &Database,
    installed: &Installed,
    operation: &str,
    body: &Value,
) -> Result<Vec<Requirement>, Fault> {
    let known: &[&str] = match operation {
        "CreateSecret" => &["Name", "ClientRequestToken", "Description", "SecretString", "SecretBinary"],
        "GetSecretValue" => &["SecretId", "VersionId", "VersionStage"],
        "PutSecretValue" => {
            &["SecretId", "ClientRequestToken", "SecretString", "SecretBinary", "VersionStages"]
        }
        "DeleteSecret" => &["SecretId", "RecoveryWindowInDays", "ForceDeleteWithoutRecovery"],
        "DescribeSecret" | "RestoreSecret" => &["SecretId"],
        other => return Err(Fault::not_implemented(&format!("Secrets Manager {other}"))),
    };
    refuse_unknown(operation, body, known)?;
    let arn = if operation == "CreateSecret" {
        // The random end is not known yet; policies name it by wildcards.
        arn(installed, &parse::<Create>(body)?.name, "??????")
    } else {
        let id = parse::<SecretId>(body)?.secret_id;
        let secret = database.transaction(|transaction| store::find(transaction, installed, &id))?;
        match secret {
            Some(secret) => secret.arn,
            None if id.starts_with("arn:") => id,
            None => arn(installed, &id, "??????"),
        }
    };
    Ok(vec![Requirement::new(format!("secretsmanager:{operation}"), arn)])
}

/// Carries out a permitted request.
pub(crate) fn run(
    database: &Database,
    installed: &Installed,
    operation: &str,
    body: &Value,
) -> Result<Value, Fault> {
    database.transaction(|transaction| {
        store::remove_due(transaction, clock::now_ms())?;
        if operation == "CreateSecret" {
            return create(transaction, installed, parse(body)?);
        }
        let id = parse::<SecretId>(body)?.secret_id;
        let secret = store::find(transaction, installed, &id)?;
        if operation == "DeleteSecret" {
            return delete(transaction, installed, secret, &id, &parse(body)?);
        }
        let secret = secret.ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))?;
        match operation {
            "DescribeSecret" => describe(transaction, &secret),
            "RestoreSecret" => {
                store::schedule_deletion(transaction, &secret, None)?;
                Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
            }
            "GetSecretValue" => get(transaction, &usable(secret)?, &parse(body)?),
            "PutSecretValue" => {
                let Put { version_stages, new } = parse(body)?;
                let stages = version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
                put(transaction, &usable(secret)?, &new, &stages)
            }
            other => Err(Fault::not_implemented(&format!("Secrets Manager {other}"))),
        }
    })
}

/// A secret that is not scheduled for deletion.
fn usable(secret: Secret) -> Result<Secret, Fault> {
    match secret.deletion_at_ms {
        None => Ok(secret),
        Some(_) => Err(invalid_request(
            "You can't perform this operation on the secret because it was marked for deletion.",
        )),
    }
}

fn create(transaction: &Transaction<'_>, installed: &Installed, request: Create) -> Result<Value, Fault> {
    let Create { name, description, new } = request;
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "/_+=.@-".contains(character);
    if name.is_empty() || name.len() > MAXIMUM_NAME_CHARACTERS || !name.chars().all(is_allowed) {
        return Err(invalid_parameter(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@",
        ));
    }
    let stages = [CURRENT.to_owned()];
    let has_value = new.secret_string.is_some() || new.secret_binary.is_some();
    if let Some(existing) = store::find(transaction, installed, &name)? {
        if existing.deletion_at_ms.is_some() {
            return Err(invalid_request(
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ));
        }
        // The same request again: its version is there, with the same value.
        let token = new.client_request_token.as_deref().filter(|_| has_value);
        let is_repeated = match token {
            Some(token) => store::version(transaction, &existing, token)?.is_some(),
            None => false,
        };
        if is_repeated {
            return put(transaction, &existing, &new, &stages).map(without_stages);
        }
        let message = format!("The operation failed because the secret {name} already exists.");
        return Err(Fault::bad_request("ResourceExistsException", message));
    }
    let secret = Secret {
        arn: arn(installed, &name, &arn_suffix()?),
        name,
        description,
        is_declared: false,
        created_at_ms: clock::now_ms(),
        deletion_at_ms: None,
    };
    store::insert(transaction, &secret)?;
    if has_value {
        return put(transaction, &secret, &new, &stages).map(without_stages);
    }
    Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
}

/// `CreateSecret` answers as `PutSecretValue`, without the labels.
fn without_stages(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("VersionStages");
    }
    answer
}

fn get(transaction: &Transaction<'_>, secret: &Secret, request: &Get) -> Result<Value, Fault> {
    let stage = request.version_stage.as_deref();
    let version_id = match (&request.version_id, stage) {
        (Some(version_id), None) => version_id.clone(),
        (version_id, stage) => {
            let stage = stage.unwrap_or(CURRENT);
            let staged = store::version_of_stage(transaction, secret, stage)?.ok_or_else(|| {
                not_found(format!(
                    "Secrets Manager can't find the specified secret value for staging label: {stage}"
                ))
            })?;
            if version_id.as_ref().is_some_and(|version_id| *version_id != staged) {
                return Err(invalid_request(
                    "You provided a VersionStage that is not associated to the provided VersionId.",
                ));
            }
            staged
        }
    };
    let (value, created_at_ms) = store::version(transaction, secret, &version_id)?.ok_or_else(|| {
        not_found(format!(
            "Secrets Manager can't find the specified secret value for VersionId: {version_id}"
        ))
    })?;
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version_id,
        "VersionStages": stages_of(transaction, secret, &version_id)?,
        "CreatedDate": seconds(created_at_ms),
    });
    match value {
        SecretValue::String(text) => answer["SecretString"] = Value::String(text),
        SecretValue::Binary(base64) => answer["SecretBinary"] = Value::String(base64),
    }
    Ok(answer)
}

fn put(
    transaction: &Transaction<'_>,
    secret: &Secret,
    request: &NewVersion,
    stages: &[String],
) -> Result<Value, Fault> {
    let value = value_of(request)?;
    if !(1..=MAXIMUM_STAGES).contains(&stages.len()) || stages.iter().any(String::is_empty) {
        return Err(invalid_parameter("A version has between 1 and 20 staging labels, none of them empty."));
    }
    let version_id = match &request.client_request_token {
        Some(token) if !(32..=64).contains(&token.chars().count()) => {
            return Err(invalid_parameter("ClientRequestToken must be 32-64 characters long."));
        }
        Some(token) => token.clone(),
        None => Uuid::now_v7().to_string(),
    };
    match store::version(transaction, secret, &version_id)? {
        None => {
            let mut stages = stages.to_vec();
            let is_first = store::stages(transaction, secret)?.is_empty();
            if is_first && stages.iter().all(|stage| stage != CURRENT) {
                stages.push(CURRENT.to_owned());
            }
            store::add_version(transaction, secret, &version_id, &value, &stages, clock::now_ms())?;
        }
        Some((existing, _)) if existing == value => {}
        Some(_) => {
            return Err(Fault::bad_request(
                "ResourceExistsException",
                "You can't modify an existing version, you can only create a new version.",
            ));
        }
    }
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version_id,
        "VersionStages": stages_of(transaction, secret, &version_id)?,
    }))
}

fn value_of(request: &NewVersion) -> Result<SecretValue, Fault> {
    let (value, size_bytes) = match (&request.secret_string, &request.secret_binary) {
        (Some(text), None) => (SecretValue::String(text.clone()), text.len()),
        (None, Some(base64)) => {
            let bytes = STANDARD
                .decode(base64)
                .map_err(|_| Fault::bad_request("SerializationException", "SecretBinary is not base64."))?;
            (SecretValue::Binary(base64.clone()), bytes.len())
        }
        _ => {
            return Err(invalid_parameter(
                "You must provide either SecretString or SecretBinary, and not both.",
            ));
        }
    };
    if !(1..=MAXIMUM_SECRET_BYTES).contains(&size_bytes) {
        return Err(Fault::bad_request("ValidationException", "A secret value has 1 to 65536 bytes."));
    }
    Ok(value)
}

fn describe(transaction: &Transaction<'_>, secret: &Secret) -> Result<Value, Fault> {
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": seconds(secret.created_at_ms),
        "VersionIdsToStages": store::stages(transaction, secret)?,
    });
    if let Some(description) = &secret.description {
        answer["Description"] = Value::String(description.clone());
    }
    if let Some(deletion_at_ms) = secret.deletion_at_ms {
        answer["DeletedDate"] = json!(seconds(deletion_at_ms));
    }
    Ok(answer)
}

fn delete(
    transaction: &Transaction<'_>,
    installed: &Installed,
    secret: Option<Secret>,
    id: &str,
    request: &Delete,
) -> Result<Value, Fault> {
    let window_days = request.recovery_window_in_days;
    if request.force_delete_without_recovery && window_days.is_some() {
        return Err(invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let window_days = window_days.unwrap_or(DEFAULT_RECOVERY_DAYS);
    if !(7..=30).contains(&window_days) {
        return Err(invalid_parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    let now_ms = clock::now_ms();
    if request.force_delete_without_recovery {
        // A secret that is not there is as good as deleted.
        let (arn, name) = match secret {
            Some(secret) => (secret.arn, secret.name),
            None => (arn(installed, id, &arn_suffix()?), id.to_owned()),
        };
        store::remove(transaction, &arn)?;
        return Ok(json!({ "ARN": arn, "Name": name, "DeletionDate": seconds(now_ms) }));
    }
    let secret =
        usable(secret.ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))?)?;
    let deletion_at_ms = now_ms + window_days * DAY_MS;
    store::schedule_deletion(transaction, &secret, Some(deletion_at_ms))?;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(deletion_at_ms) }))
}

fn stages_of(transaction: &Transaction<'_>, secret: &Secret, version_id: &str) -> Result<Vec<String>, Fault> {
    Ok(store::stages(transaction, secret)?.remove(version_id).unwrap_or_default())
}

fn arn(installed: &Installed, name: &str, suffix: &str) -> String {
    let region = installed.region().unwrap_or("us-east-1");
    format!("arn:aws:secretsmanager:{region}:{}:secret:{name}-{suffix}", installed.account_id())
}

/// Six random letters and digits.
fn arn_suffix() -> Result<String, Fault> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789Aa";
    let mut random = [0; 6];
    SystemRandom::new().fill(&mut random).map_err(|_| no_randomness())?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect())
}

fn no_randomness() -> Fault {
    Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceError", "no random numbers can be made")
}

fn not_found(message: impl Into<String>) -> Fault {
    Fault::bad_request("ResourceNotFoundException", message)
}

fn invalid_parameter(message: &str) -> Fault {
    Fault::bad_request("InvalidParameterException", message)
}

fn invalid_request(message: &str) -> Fault {
    Fault::bad_request("InvalidRequestException", message)
}

/// Seconds since 1970 with decimals, as AWS's JSON writes times.
#[allow(clippy::cast_precision_loss)] // Milliseconds fit into 52 bits for the next hundred thousand years.
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
