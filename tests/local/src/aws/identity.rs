//! Who calls: the operator, the stack's functions, and sessions of its roles.
//!
//! - The operator's key is fixed; everything is allowed to it.
//! - A function has credentials of its own, derived from a key kept in the data directory: the same after every start,
//!   and with a session token, as Lambda's are.
//! - A session is made by `AssumeRole` and kept in the database, so that a URL presigned with it outlives a restart.
//!   Ended sessions are kept for a day, so that they are refused as expired rather than as unknown.
//!
//! Session tokens are compared in constant time. They are as long as AWS's, since they end up in URLs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};
use rusqlite::{OptionalExtension, params};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::clock;
use super::database::Database;
use super::installed::Installed;
use super::policy::{Context, Policy};

/// The operator's access key id.
const OPERATOR_ACCESS_KEY_ID: &str = "local";
const OPERATOR_SECRET_ACCESS_KEY: &str = "local-secret";

/// Random bytes of a session token: in base64 about as long as the ones AWS gives out.
const SESSION_TOKEN_BYTES: usize = 384;

/// Milliseconds for which an ended session is remembered.
const ENDED_SESSION_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// What signs a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`; the operator has none.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    pub(crate) fn operator() -> Credentials {
        Credentials {
            access_key_id: OPERATOR_ACCESS_KEY_ID.to_owned(),
            secret_access_key: OPERATOR_SECRET_ACCESS_KEY.to_owned(),
            session_token: None,
        }
    }
}

/// Who made a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// Nobody that could be identified: unsigned, or refused before that.
    Anonymous,
    /// The person at this machine.
    Operator,
    /// A function, by logical id.
    Function(String),
    /// A session of a role.
    Role {
        /// ARN of the role.
        arn: String,
        /// `RoleSessionName`.
        session: String,
    },
    /// A service of AWS, e.g. `cloudfront.amazonaws.com`, for a resource of the stack.
    Service(&'static str),
}

/// An identified caller.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    /// What messages and `GetCallerIdentity` name: for roles the session's ARN.
    pub(crate) arn: String,
    /// The role behind the session; `None` for the operator.
    pub(crate) role_arn: Option<String>,
    /// `aws:userid`: `{role id}:{session name}`.
    pub(crate) user_id: String,
    pub(crate) account_id: String,
    /// Narrows what the role's policies allow.
    pub(crate) session_policy: Option<Policy>,
    pub(crate) secret_access_key: String,
}

impl Caller {
    /// A service. It has no secret here, since its calls do not come through the port, and nothing of an account.
    pub(crate) fn service(name: &'static str) -> Caller {
        Caller {
            principal: Principal::Service(name),
            arn: name.to_owned(),
            role_arn: None,
            user_id: String::new(),
            account_id: String::new(),
            session_policy: None,
            secret_access_key: String::new(),
        }
    }

    /// The condition keys that every call of this caller has.
    pub(crate) fn context(&self) -> Context {
        if let Principal::Service(_) = self.principal {
            return Context::default()
                .with("aws:SecureTransport", "true")
                .with("aws:CurrentTime", clock::iso_8601(clock::now()));
        }
        Context::default()
            .with("aws:SecureTransport", "true")
            .with("aws:PrincipalAccount", &self.account_id)
            .with("aws:PrincipalArn", self.role_arn.as_ref().unwrap_or(&self.arn))
            .with("aws:userid", &self.user_id)
            .with("aws:CurrentTime", clock::iso_8601(clock::now()))
    }
}

/// Why credentials are not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error("The AWS Access Key Id you provided does not exist in our records.")]
    UnknownKey,
    #[error("The provided token is malformed or otherwise invalid.")]
    InvalidToken,
    #[error("The provided token has expired.")]
    Expired,
    #[error("internal error: {0}")]
    Storage(&'static str),
}

/// A session to be made by `AssumeRole`.
#[derive(Debug)]
pub(crate) struct NewSession<'a> {
    pub(crate) role_arn: &'a str,
    pub(crate) session_name: &'a str,
    /// The session policy, as it was sent.
    pub(crate) policy: Option<&'a str>,
    pub(crate) expires_at: OffsetDateTime,
}

/// Gives out and recognises credentials.
#[derive(Clone)]
pub(crate) struct Identities {
    database: Database,
    key: hmac::Key,
}

struct Session {
    secret_access_key: String,
    session_token: String,
    role_arn: String,
    session_name: String,
    policy: Option<String>,
    expires_at_ms: i64,
}

impl Identities {
    /// Reads the key of this data directory, or makes one, and forgets sessions that ended long ago.
    pub(crate) fn open(database: Database) -> Result<Identities, rusqlite::Error> {
        let mut fresh = [0; 32];
        SystemRandom::new().fill(&mut fresh).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let key: Vec<u8> = database.transaction(|transaction| {
            transaction.execute(
                "DELETE FROM session WHERE expires_at_ms < ?1",
                [clock::now_ms() - ENDED_SESSION_KEPT_MS],
            )?;
            transaction.execute(
                "INSERT OR IGNORE INTO setting (name, value) VALUES ('identity_key', ?1)",
                [fresh.as_slice()],
            )?;
            transaction
                .query_row("SELECT value FROM setting WHERE name = 'identity_key'", [], |row| row.get(0))
        })?;
        Ok(Identities { database, key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    /// The credentials of a function.
    pub(crate) fn function(&self, logical_id: &str) -> Credentials {
        let derive = |purpose: &str, bytes: usize| -> Vec<u8> {
            (0_u32..)
                .flat_map(|block| {
                    hmac::sign(&self.key, format!("{purpose}/{block}/{logical_id}").as_bytes())
                        .as_ref()
                        .to_vec()
                })
                .take(bytes)
                .collect()
        };
        Credentials {
            access_key_id: access_key_id(&derive("access key", 16)),
            secret_access_key: STANDARD.encode(derive("secret", 30)),
            session_token: Some(STANDARD.encode(derive("token", SESSION_TOKEN_BYTES))),
        }
    }

    /// Starts a session of a role.
    pub(crate) fn start_session(&self, session: &NewSession<'_>) -> Result<Credentials, rusqlite::Error> {
        let mut random = vec![0; 16 + 30 + SESSION_TOKEN_BYTES];
        SystemRandom::new().fill(&mut random).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let credentials = Credentials {
            access_key_id: access_key_id(&random[..16]),
            secret_access_key: STANDARD.encode(&random[16..46]),
            session_token: Some(STANDARD.encode(&random[46..])),
        };
        self.database.transaction(|transaction| {
            transaction.execute(
                "INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    credentials.access_key_id,
                    credentials.secret_access_key,
                    credentials.session_token,
                    session.role_arn,
                    session.session_name,
                    session.policy,
                    clock::milliseconds(session.expires_at),
                ],
            )?;
            Ok::<_, rusqlite::Error>(())
        })?;
        Ok(credentials)
    }

    /// Recognises the credentials of a request. The signature remains to be checked.
    pub(crate) fn authenticate(
        &self,
        installed: &Installed,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Caller, CredentialError> {
        if access_key_id == OPERATOR_ACCESS_KEY_ID {
            return if session_token.is_some() {
                Err(CredentialError::InvalidToken)
            } else {
                Ok(operator(installed.account_id()))
            };
        }
        if let Some(function) = installed.function_of_access_key(access_key_id) {
            let credentials = self.function(&function.logical_id);
            let token = credentials.session_token.as_deref().unwrap_or_default();
            check_token(token, session_token)?;
            let principal = Principal::Function(function.logical_id.clone());
            return Ok(role_caller(
                principal,
                &function.role_arn,
                &function.name,
                credentials.secret_access_key,
            ));
        }
        let session = self.session(access_key_id)?.ok_or(CredentialError::UnknownKey)?;
        check_token(&session.session_token, session_token)?;
        if session.expires_at_ms <= clock::now_ms() {
            return Err(CredentialError::Expired);
        }
        if installed.role(&session.role_arn).is_none() {
            return Err(CredentialError::UnknownKey);
        }
        let principal =
            Principal::Role { arn: session.role_arn.clone(), session: session.session_name.clone() };
        let mut caller =
            role_caller(principal, &session.role_arn, &session.session_name, session.secret_access_key);
        caller.session_policy = session.policy.as_deref().map(session_policy).transpose()?;
        Ok(caller)
    }

    /// The secret of an access key, whatever its token.
    pub(crate) fn secret(
        &self,
        installed: &Installed,
        access_key_id: &str,
    ) -> Result<Option<String>, CredentialError> {
        if access_key_id == OPERATOR_ACCESS_KEY_ID {
            return Ok(Some(OPERATOR_SECRET_ACCESS_KEY.to_owned()));
        }
        if let Some(function) = installed.function_of_access_key(access_key_id) {
            return Ok(Some(self.function(&function.logical_id).secret_access_key));
        }
        Ok(self.session(access_key_id)?.map(|session| session.secret_access_key))
    }

    fn session(&self, access_key_id: &str) -> Result<Option<Session>, CredentialError> {
        self.database
            .transaction(|transaction| {
                transaction
                    .query_row("SELECT * FROM session WHERE access_key_id = ?1", [access_key_id], |row| {
                        Ok(Session {
                            secret_access_key: row.get("secret_access_key")?,
                            session_token: row.get("session_token")?,
                            role_arn: row.get("role_arn")?,
                            session_name: row.get("session_name")?,
                            policy: row.get("policy")?,
                            expires_at_ms: row.get("expires_at_ms")?,
                        })
                    })
                    .optional()
            })
            .map_err(|_: rusqlite::Error| CredentialError::Storage("the sessions cannot be read"))
    }
}

fn session_policy(text: &str) -> Result<Policy, CredentialError> {
    let unreadable = CredentialError::Storage("a session's policy cannot be read");
    let document = serde_json::from_str(text).map_err(|_| unreadable)?;
    Policy::parse("session policy", &document).map_err(|_| unreadable)
}

fn operator(account_id: &str) -> Caller {
    Caller {
        principal: Principal::Operator,
        arn: format!("arn:aws:iam::{account_id}:user/{OPERATOR_ACCESS_KEY_ID}"),
        role_arn: None,
        user_id: "AIDALOCALOPERATOR000".to_owned(),
        account_id: account_id.to_owned(),
        session_policy: None,
        secret_access_key: OPERATOR_SECRET_ACCESS_KEY.to_owned(),
    }
}

fn role_caller(
    principal: Principal,
    role_arn: &str,
    session_name: &str,
    secret_access_key: String,
) -> Caller {
    Caller {
        principal,
        arn: session_arn(role_arn, session_name),
        role_arn: Some(role_arn.to_owned()),
        user_id: format!("{}:{session_name}", role_id(role_arn)),
        account_id: role_arn.split(':').nth(4).unwrap_or_default().to_owned(),
        session_policy: None,
        secret_access_key,
    }
}

/// `arn:aws:sts::{account}:assumed-role/{role}/{session}`.
pub(crate) fn session_arn(role_arn: &str, session_name: &str) -> String {
    let parts: Vec<&str> = role_arn.split(':').collect();
    let (partition, account) = (parts.get(1).unwrap_or(&"aws"), parts.get(4).unwrap_or(&""));
    let role_name = role_arn.rsplit('/').next().unwrap_or(role_arn);
    format!("arn:{partition}:sts::{account}:assumed-role/{role_name}/{session_name}")
}

/// `AROA…`: stable for a role's ARN.
pub(crate) fn role_id(role_arn: &str) -> String {
    format!("AROA{}", base_32(digest::digest(&digest::SHA256, role_arn.as_bytes()).as_ref(), 17))
}

fn access_key_id(random: &[u8]) -> String {
    format!("ASIA{}", base_32(random, 16))
}

/// The first `length` characters of bytes in RFC 4648's alphabet, five bits of each byte.
fn base_32(bytes: &[u8], length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    bytes.iter().take(length).map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// Temporary credentials work only with their token: without one their key is as good as unknown.
fn check_token(expected: &str, given: Option<&str>) -> Result<(), CredentialError> {
    let given = given.ok_or(CredentialError::UnknownKey)?;
    if expected.as_bytes().ct_eq(given.as_bytes()).into() {
        Ok(())
    } else {
        Err(CredentialError::InvalidToken)
    }
}
