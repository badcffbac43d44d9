//! From a profile to credentials.
//!
//! Keys, a role with its source profile, a process, and what the AWS CLI signed in to. A profile with `mfa_serial` asks for
//! a code: with a role it goes into AssumeRole, and without one into GetSessionToken, since that is what its keys alone
//! may do. SDKs of AWS have nobody to ask, so they refuse such a profile.

use std::process::Command;

use aws_credential_types::Credentials;
use serde::Deserialize;

use super::Surroundings;
use super::account::{Account, CallError};
use super::profile::Profiles;

/// How many profiles may lead to one another.
const CHAIN: usize = 5;

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    #[error("There is no profile {0}. `aws configure --profile {0}` makes one.")]
    NoProfile(String),
    #[error(
        "There are no credentials: give --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. \
         `aws configure` makes a profile."
    )]
    None,
    #[error("Profile {profile} has no {setting}.")]
    NoSetting { profile: String, setting: &'static str },
    #[error("The profiles lead to one another, {0} again.")]
    Circle(String),
    #[error("`{command}` gave no credentials: {reason}")]
    Process { command: String, reason: String },
    #[error("The code could not be read: {0}")]
    Code(#[from] std::io::Error),
    #[error("{operation} by profile {profile} failed: {error}")]
    Call { operation: &'static str, profile: String, error: CallError },
}

/// What a `credential_process` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Finds credentials.
pub(super) struct Resolver<'a> {
    pub(super) profiles: &'a Profiles,
    pub(super) surroundings: &'a Surroundings,
    pub(super) region: &'a str,
    pub(super) endpoint: Option<String>,
}

impl Resolver<'_> {
    /// Those of a profile; without one those of the environment, or of the default profile.
    pub(super) async fn resolve(&self, profile: Option<&str>) -> Result<Credentials, CredentialsError> {
        match (profile, self.of_environment()) {
            (None, Some(credentials)) => Ok(credentials),
            (None, None) if !self.profiles.has("default") => Err(CredentialsError::None),
            (profile, _) => self.of_profile(profile.unwrap_or("default")).await,
        }
    }

    fn of_environment(&self) -> Option<Credentials> {
        let variable = |name| self.surroundings.variable(name).map(str::to_owned);
        let (id, secret) = (variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?);
        Some(Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment"))
    }

    async fn of_profile(&self, profile: &str) -> Result<Credentials, CredentialsError> {
        // From the last role of the chain back to whatever needs no other profile.
        let mut roles = Vec::new();
        let mut source = profile.to_owned();
        while self.profiles.value(&source, "role_arn").is_some() {
            let next = self.setting(&source, "source_profile")?.to_owned();
            roles.push(source.clone());
            // A profile may be its own source: then its keys are meant.
            if next == source {
                break;
            }
            if roles.len() == CHAIN || roles.contains(&next) {
                return Err(CredentialsError::Circle(next));
            }
            source = next;
        }
        let mut credentials = self.of_source(&source)?;
        if roles.is_empty() && self.profiles.value(profile, "mfa_serial").is_some() {
            credentials = self.temporary(profile, credentials, "GetSessionToken", Vec::new()).await?;
        }
        for role in roles.iter().rev() {
            let mut parameters = vec![
                ("RoleArn", self.setting(role, "role_arn")?),
                ("RoleSessionName", self.profiles.value(role, "role_session_name").unwrap_or("preflight")),
            ];
            let optional = [("ExternalId", "external_id"), ("DurationSeconds", "duration_seconds")];
            let given =
                optional.into_iter().filter_map(|(name, key)| Some((name, self.profiles.value(role, key)?)));
            parameters.extend(given);
            credentials = self.temporary(role, credentials, "AssumeRole", parameters).await?;
        }
        Ok(credentials)
    }

    /// Credentials that need no other profile.
    fn of_source(&self, profile: &str) -> Result<Credentials, CredentialsError> {
        if !self.profiles.has(profile) {
            return Err(CredentialsError::NoProfile(profile.to_owned()));
        }
        let value = |key| self.profiles.value(profile, key);
        if let Some(id) = value("aws_access_key_id") {
            let secret = self.setting(profile, "aws_secret_access_key")?;
            let token = value("aws_session_token").map(str::to_owned);
            return Ok(Credentials::new(id, secret, token, None, "profile"));
        }
        if let Some(command) = value("credential_process") {
            return self.printed_by(Command::new("sh").args(["-c", command]), command);
        }
        if ["sso_session", "sso_start_url", "login_session"].into_iter().any(|key| value(key).is_some()) {
            let arguments = ["configure", "export-credentials", "--format", "process", "--profile", profile];
            let described = format!("aws {}", arguments.join(" "));
            return self.printed_by(Command::new("aws").args(arguments), &described);
        }
        Err(CredentialsError::NoSetting { profile: profile.to_owned(), setting: "aws_access_key_id" })
    }

    fn printed_by(&self, command: &mut Command, described: &str) -> Result<Credentials, CredentialsError> {
        let failed = |reason: String| CredentialsError::Process { command: described.to_owned(), reason };
        let output = command.env_clear().envs(&self.surroundings.variables).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        // What was printed is a secret, so an error does not quote it.
        let printed: Printed = serde_json::from_slice(&output.stdout)
            .map_err(|error| failed(format!("it printed no credentials (line {})", error.line())))?;
        let Printed { access_key_id, secret_access_key, session_token } = printed;
        Ok(Credentials::new(access_key_id, secret_access_key, session_token, None, "process"))
    }

    /// Asks STS for temporary credentials, with a code if the profile has a device.
    async fn temporary(
        &self,
        profile: &str,
        credentials: Credentials,
        operation: &'static str,
        mut parameters: Vec<(&str, &str)>,
    ) -> Result<Credentials, CredentialsError> {
        let code;
        if let Some(serial) = self.profiles.value(profile, "mfa_serial") {
            code = (self.surroundings.ask_code)(serial)?;
            parameters.extend([("SerialNumber", serial), ("TokenCode", code.trim())]);
        }
        let account = Account::new(credentials, self.region, self.endpoint.clone());
        let failed = |error| CredentialsError::Call { operation, profile: profile.to_owned(), error };
        let answer = account.sts(operation, &parameters).await.map_err(failed)?;
        let part = |name| answer.element(name).ok_or(CallError::Unreadable(name));
        let made = || -> Result<Credentials, CallError> {
            let (id, secret) = (part("AccessKeyId")?, part("SecretAccessKey")?);
            Ok(Credentials::new(id, secret, Some(part("SessionToken")?.to_owned()), None, "sts"))
        };
        made().map_err(failed)
    }

    fn setting(&self, profile: &str, setting: &'static str) -> Result<&str, CredentialsError> {
        if !self.profiles.has(profile) {
            return Err(CredentialsError::NoProfile(profile.to_owned()));
        }
        let missing = || CredentialsError::NoSetting { profile: profile.to_owned(), setting };
        self.profiles.value(profile, setting).ok_or_else(missing)
    }
}
