//! Temporary credentials of a role, by STS `AssumeRole`.
//!
//! A function's own credentials are a role's already, so this is role chaining, and STS gives at most one hour:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>.
//! A signed URL ends with the credentials that signed it, so they are renewed while there is time left for a useful
//! URL. Between renewals no call is made. Where STS does not answer, the present ones serve on as long as what they sign
//! is of use, which is for the signer to say: an upload needs longer than a player that asks again.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use aws_types::SdkConfig;
use domain::Timestamp;
use tokio::sync::Mutex;

use crate::error::BucketError;

/// What role chaining allows.
const SESSION_SECONDS: i32 = 3_600;

/// Credentials with less left than this are renewed.
const RENEWED_BELOW: Duration = Duration::from_mins(20);

const OPERATION: &str = "AssumeRole";

/// A role to be assumed, and its present credentials.
#[derive(Debug)]
pub struct AssumedRole {
    client: Client,
    role_arn: String,
    session_name: String,
    present: Mutex<Option<Session>>,
}

/// Credentials and their end.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) credentials: Credentials,
    pub(crate) ends_at: SystemTime,
}

impl Session {
    /// How long it lives at `now`.
    pub(crate) fn life_left(&self, now: Timestamp) -> Duration {
        now.until(Timestamp::from(self.ends_at))
    }
}

impl AssumedRole {
    /// The role with this ARN. `session_name` says in the audit log who assumed it.
    pub fn new(
        configuration: &SdkConfig,
        role_arn: impl Into<String>,
        session_name: impl Into<String>,
    ) -> Self {
        Self {
            client: Client::new(configuration),
            role_arn: role_arn.into(),
            session_name: session_name.into(),
            present: Mutex::new(None),
        }
    }

    /// A role that has been assumed already.
    #[cfg(test)]
    pub(crate) fn assumed(configuration: &SdkConfig, session: Session) -> Self {
        Self { present: Mutex::new(Some(session)), ..Self::new(configuration, "", "") }
    }

    /// Credentials that live at least `shortest_life` more. Callers who come while they are being renewed wait for the one
    /// renewal.
    pub(crate) async fn session(
        &self,
        shortest_life: Duration,
        now: Timestamp,
    ) -> Result<Session, BucketError> {
        let mut present = self.present.lock().await;
        match present.as_ref() {
            Some(session) if session.life_left(now) >= RENEWED_BELOW => return Ok(session.clone()),
            _ => {}
        }
        match self.renew().await {
            Ok(session) => {
                *present = Some(session.clone());
                Ok(session)
            }
            Err(error) => match present.as_ref() {
                Some(session) if session.life_left(now) >= shortest_life => {
                    tracing::warn!(%error, "the role's credentials could not be renewed; the present ones serve on");
                    Ok(session.clone())
                }
                _ => Err(error),
            },
        }
    }

    async fn renew(&self) -> Result<Session, BucketError> {
        let answer = self
            .client
            .assume_role()
            .role_arn(&self.role_arn)
            .role_session_name(&self.session_name)
            .duration_seconds(SESSION_SECONDS)
            .send()
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        let incomplete = || BucketError::Refused {
            operation: OPERATION,
            reason: "the answer has no credentials".to_owned(),
        };
        let issued = answer.credentials.ok_or_else(incomplete)?;
        let ends_at = SystemTime::try_from(issued.expiration).map_err(|_| incomplete())?;
        let credentials = Credentials::new(
            issued.access_key_id,
            issued.secret_access_key,
            Some(issued.session_token),
            Some(ends_at),
            OPERATION,
        );
        Ok(Session { credentials, ends_at })
    }
}
