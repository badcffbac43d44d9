//! STS: `AssumeRole` and `GetCallerIdentity`, in the query protocol. Follows the AWS STS API reference.
//!
//! A function is a session of its execution role, so the roles that it assumes are chained: at most one hour.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use time::Duration;

use super::clock;
use super::identity::{Caller, Identities, NewSession, role_id, session_arn};
use super::installed::{Installed, Requirement};
use super::policy::{Context, Policy};
use super::protocol::{Fault, escape_xml};

const DEFAULT_DURATION_SECONDS: i64 = 3600;
const MINIMUM_DURATION_SECONDS: i64 = 900;
const MAXIMUM_DURATION_SECONDS: i64 = 43_200;
const CHAINED_DURATION_SECONDS: i64 = 3600;
const MAXIMUM_POLICY_CHARACTERS: usize = 2048;

/// The parameters of a request: `application/x-www-form-urlencoded`.
pub(crate) type Form = BTreeMap<String, String>;

/// Reads a form.
pub(crate) fn parse_form(body: &[u8]) -> Form {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    String::from_utf8_lossy(body)
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Refuses by name the operations that STS takes without a signature, so that a missing one is not what they lack.
pub(crate) fn refuse_unsigned(operation: &str) -> Result<(), Fault> {
    match operation {
        "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity" => {
            Err(Fault::not_implemented(&format!("STS {operation}")))
        }
        _ => Ok(()),
    }
}

/// What a request needs permission for. `GetCallerIdentity` needs none.
pub(crate) fn requirements(operation: &str, form: &Form) -> Result<Vec<Requirement>, Fault> {
    let known: &[&str] = match operation {
        "GetCallerIdentity" => &[],
        "AssumeRole" => &["RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId"],
        other => return Err(Fault::not_implemented(&format!("STS {other}"))),
    };
    let unknown = form
        .keys()
        .find(|name| !["Action", "Version"].contains(&name.as_str()) && !known.contains(&name.as_str()));
    if let Some(name) = unknown {
        return Err(Fault::not_implemented(&format!("{name} of {operation}")));
    }
    if operation == "GetCallerIdentity" {
        return Ok(Vec::new());
    }
    let mut requirement = Requirement::new("sts:AssumeRole", required(form, "RoleArn")?);
    requirement.context = Context::default().with("sts:RoleSessionName", required(form, "RoleSessionName")?);
    if let Some(external_id) = form.get("ExternalId") {
        requirement.context.add("sts:ExternalId", external_id);
    }
    Ok(vec![requirement])
}

/// Carries out a permitted request; the answer is XML.
pub(crate) fn run(
    identities: &Identities,
    installed: &Installed,
    caller: &Caller,
    operation: &str,
    form: &Form,
    request_id: &str,
) -> Result<String, Fault> {
    let result = match operation {
        "GetCallerIdentity" => format!(
            "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
            escape_xml(&caller.arn),
            escape_xml(&caller.user_id),
            caller.account_id
        ),
        "AssumeRole" => assume_role(identities, installed, caller, form)?,
        other => return Err(Fault::not_implemented(&format!("STS {other}"))),
    };
    Ok(format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>{result}\
         </{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </{operation}Response>"
    ))
}

fn assume_role(
    identities: &Identities,
    installed: &Installed,
    caller: &Caller,
    form: &Form,
) -> Result<String, Fault> {
    let role_arn = required(form, "RoleArn")?;
    let session_name = session_name(form)?;
    let role = installed.role(role_arn).ok_or_else(|| validation(format!("there is no role {role_arn}")))?;
    let role_maximum = i64::try_from(role.max_session_duration.as_secs()).unwrap_or(MAXIMUM_DURATION_SECONDS);
    let duration_seconds = duration_seconds(form, caller, role_maximum)?;
    let policy = form.get("Policy").filter(|policy| !policy.is_empty());
    if let Some(policy) = policy {
        check_session_policy(policy)?;
    }
    let expires_at = clock::now() + Duration::seconds(duration_seconds);
    let session = NewSession { role_arn, session_name, policy: policy.map(String::as_str), expires_at };
    let credentials = identities.start_session(&session)?;
    let packed = policy.map_or(String::new(), |policy| {
        let percent = (policy.len() * 100).div_ceil(MAXIMUM_POLICY_CHARACTERS);
        format!("<PackedPolicySize>{percent}</PackedPolicySize>")
    });
    Ok(format!(
        "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>{}:{session_name}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>{packed}",
        credentials.access_key_id,
        escape_xml(&credentials.secret_access_key),
        escape_xml(credentials.session_token.as_deref().unwrap_or_default()),
        clock::iso_8601(expires_at),
        role_id(role_arn),
        escape_xml(&session_arn(role_arn, session_name)),
    ))
}

fn session_name(form: &Form) -> Result<&str, Fault> {
    let name = required(form, "RoleSessionName")?;
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character);
    if (2..=64).contains(&name.chars().count()) && name.chars().all(is_allowed) {
        return Ok(name);
    }
    Err(validation(format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: \
         Member must have 2 to 64 characters and satisfy regular expression pattern: [\\w+=,.@-]*"
    )))
}

fn duration_seconds(form: &Form, caller: &Caller, role_maximum: i64) -> Result<i64, Fault> {
    let Some(text) = form.get("DurationSeconds") else { return Ok(DEFAULT_DURATION_SECONDS) };
    let outside = |bound: &str| {
        validation(format!(
            "1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: \
             Member must have value {bound}"
        ))
    };
    let seconds: i64 =
        text.parse().map_err(|_| Fault::bad_request("MalformedInput", "DurationSeconds is a number"))?;
    if seconds < MINIMUM_DURATION_SECONDS {
        return Err(outside("greater than or equal to 900"));
    }
    if seconds > MAXIMUM_DURATION_SECONDS {
        return Err(outside("less than or equal to 43200"));
    }
    if caller.role_arn.is_some() && seconds > CHAINED_DURATION_SECONDS {
        return Err(validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if seconds > role_maximum {
        return Err(validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(seconds)
}

fn check_session_policy(policy: &str) -> Result<(), Fault> {
    if policy.chars().count() > MAXIMUM_POLICY_CHARACTERS {
        return Err(validation(
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: \
             Member must have length less than or equal to 2048",
        ));
    }
    let malformed = |reason: String| Fault::bad_request("MalformedPolicyDocument", reason);
    let document = serde_json::from_str(policy).map_err(|error| malformed(error.to_string()))?;
    let policy = crate::stack::Policy { source: "session policy".to_owned(), document };
    Policy::identity(&policy).map_err(|error| malformed(error.to_string()))?;
    Ok(())
}

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Fault> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
        validation(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

fn validation(message: impl Into<String>) -> Fault {
    Fault::bad_request("ValidationError", message)
}
