//! STS: `AssumeRole` and `GetCallerIdentity`, in the query protocol. Follows the AWS STS API reference.
//!
//! A function is a session of its execution role, so the roles that it assumes are chained: at most one hour. What a
//! request says is checked before who says it, as on AWS; only what depends on the role comes after. Managed session
//! policies, session tags and multi-factor authentication are refused by name.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use time::Duration;

use super::clock;
use super::identity::{Caller, Identities, NewSession, role_id, session_arn};
use super::installed::{Installed, Requirement};
use super::policy::{Context, Policy};
use super::protocol::{Fault, escape_xml};

/// The only version of the API.
const API_VERSION: &str = "2011-06-15";
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

/// Reads the form of a request, in which nothing may be there twice: one reading could be checked and the other used.
pub(crate) fn read_form(body: &[u8]) -> Result<Form, Fault> {
    let form = parse_form(body);
    let parameters = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).count();
    if form.len() != parameters {
        return Err(Fault::bad_request("MalformedQueryString", "A parameter is there more than once."));
    }
    Ok(form)
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
    if operation.is_empty() {
        return Err(Fault::bad_request("MissingAction", "The request must contain the parameter Action."));
    }
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
    let version = form.get("Version").map_or("", String::as_str);
    if version != API_VERSION {
        let message = format!("Could not find operation {operation} for version {version}");
        return Err(Fault::bad_request("InvalidAction", message));
    }
    if operation == "GetCallerIdentity" {
        return Ok(Vec::new());
    }
    check_parameters(form)?;
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
    let session_name = required(form, "RoleSessionName")?;
    let role = installed.role(role_arn).ok_or_else(|| validation(format!("there is no role {role_arn}")))?;
    let role_maximum = i64::try_from(role.max_session_duration.as_secs()).unwrap_or(MAXIMUM_DURATION_SECONDS);
    let duration_seconds = duration_seconds(form, caller, role_maximum)?;
    let policy = form.get("Policy");
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

/// What of `AssumeRole` can be judged without knowing the role; every violation is told.
fn check_parameters(form: &Form) -> Result<(), Fault> {
    let mut violations = Vec::new();
    for (name, minimum, maximum, more) in [
        ("RoleArn", 20, 2048, None),
        ("RoleSessionName", 2, 64, Some("_+=,.@-")),
        ("ExternalId", 2, 1224, Some("_+=,.@:/-")),
        ("Policy", 1, MAXIMUM_POLICY_CHARACTERS, None),
    ] {
        let Some(value) = form.get(name) else {
            if matches!(name, "RoleArn" | "RoleSessionName") {
                violations.push(violation("null", name, "Member must not be null"));
            }
            continue;
        };
        let characters = value.chars().count();
        let quoted = format!("'{value}'");
        let mut violated = |constraint: String| violations.push(violation(&quoted, name, &constraint));
        if characters < minimum {
            violated(format!("Member must have length greater than or equal to {minimum}"));
        }
        if characters > maximum {
            violated(format!("Member must have length less than or equal to {maximum}"));
        }
        if let Some(more) = more
            && !value.chars().all(|character| character.is_ascii_alphanumeric() || more.contains(character))
        {
            let pattern = more.strip_prefix('_').unwrap_or(more).replace('/', "\\/");
            violated(format!("Member must satisfy regular expression pattern: [\\w{pattern}]*"));
        }
    }
    violations.extend(duration_violation(form)?);
    match violations.len() {
        0 => {}
        1 => return Err(validation(format!("1 validation error detected: {}", violations[0]))),
        several => {
            return Err(validation(format!(
                "{several} validation errors detected: {}",
                violations.join("; ")
            )));
        }
    }
    let role_arn = required(form, "RoleArn")?;
    if !is_role_arn(role_arn) {
        return Err(validation(format!("{role_arn} is invalid")));
    }
    form.get("Policy").map_or(Ok(()), |policy| check_session_policy(policy))
}

fn violation(value: &str, parameter: &str, constraint: &str) -> String {
    let mut characters = parameter.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    let member: String = first.into_iter().chain(characters).collect();
    format!("Value {value} at '{member}' failed to satisfy constraint: {constraint}")
}

/// `arn:{partition}:iam::{account}:role/{path and name}`.
fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, "iam", "", account, resource]
        if !partition.is_empty()
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty()))
}

fn requested_seconds(form: &Form) -> Result<Option<i64>, Fault> {
    let seconds = form.get("DurationSeconds").map(|text| text.parse()).transpose();
    seconds.map_err(|_| Fault::bad_request("MalformedInput", "DurationSeconds is an integer"))
}

fn duration_violation(form: &Form) -> Result<Option<String>, Fault> {
    let bound = match requested_seconds(form)? {
        Some(..MINIMUM_DURATION_SECONDS) => "greater than or equal to 900",
        Some(seconds) if seconds > MAXIMUM_DURATION_SECONDS => "less than or equal to 43200",
        _ => return Ok(None),
    };
    let text = form.get("DurationSeconds").map_or("", String::as_str);
    let constraint = format!("Member must have value {bound}");
    Ok(Some(violation(&format!("'{text}'"), "DurationSeconds", &constraint)))
}

fn duration_seconds(form: &Form, caller: &Caller, role_maximum: i64) -> Result<i64, Fault> {
    let Some(seconds) = requested_seconds(form)? else { return Ok(DEFAULT_DURATION_SECONDS) };
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
    let malformed = |reason: String| Fault::bad_request("MalformedPolicyDocument", reason);
    let document = serde_json::from_str(policy).map_err(|error| malformed(error.to_string()))?;
    let policy = crate::stack::Policy { source: "session policy".to_owned(), document };
    Policy::identity(&policy).map_err(|error| malformed(error.to_string()))?;
    Ok(())
}

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Fault> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
        let violation = violation("null", name, "Member must not be null");
        validation(format!("1 validation error detected: {violation}"))
    })
}

fn validation(message: impl Into<String>) -> Fault {
    Fault::bad_request("ValidationError", message)
}
