//! Who asks: access tokens, and on routes that change something the account as it is now.

use auth::{AccessClaims, TokenError, TokenVerifier};
use domain::{Caller, Media, PublishedObject, State, Upload, User, may_use_upload, may_view};
use table::{Record, Table};

use crate::environment::{Clock, Environment, EnvironmentError};
use crate::problem::{Code, Problem};
use crate::request::Request;

/// Verifies access tokens with the public keys of the environment.
#[derive(Debug)]
pub struct Access {
    verifier: TokenVerifier<AccessClaims>,
    clock: Clock,
}

impl Access {
    /// With the keys of `ACCESS_JWKS`, for tokens of `TOKEN_ISSUER`.
    pub fn of(environment: &Environment) -> Result<Self, EnvironmentError> {
        let verifier =
            TokenVerifier::new(environment.required("TOKEN_ISSUER")?, environment.parsed("ACCESS_JWKS")?);
        Ok(Self { verifier, clock: environment.clock() })
    }

    /// Who the token says is asking. A demotion or a disabled account shows when the token ends.
    pub fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let token = request.bearer_token().ok_or_else(|| {
            Problem::new(Code::TokenMissing, "Log in, and send the access token as Authorization: Bearer ….")
        })?;
        let claims = self.verifier.verify(token, self.clock.now()).map_err(token_problem)?;
        Ok(Caller { user_id: claims.sub, role: claims.role })
    }

    /// Who is asking, with the role that they have now. One read of the table.
    pub async fn current_caller(&self, request: &Request, table: &Table) -> Result<Caller, Problem> {
        let caller = self.caller(request)?;
        let user = table.user(caller.user_id).await?;
        as_of_now(caller, user)
    }

    /// The upload that the path names, if it is the caller's own and their role, as of now, lets them use it. One read of
    /// the table.
    pub async fn own_upload(&self, request: &Request, table: &Table) -> Result<Upload, Problem> {
        let caller = self.caller(request)?;
        let upload_id = request.path_id("upload_id", "upload")?;
        let (upload, user) = table.upload_and_user(upload_id, caller.user_id, self.clock.now()).await?;
        let caller = as_of_now(caller, user)?;
        let upload = upload.ok_or_else(|| Problem::not_found("upload"))?;
        Problem::unless_allowed(may_use_upload(&caller, &upload), "upload")?;
        Ok(upload)
    }
}

/// The caller with the role that they have now.
fn as_of_now(caller: Caller, user: Option<User>) -> Result<Caller, Problem> {
    match user {
        None => Err(Problem::new(Code::TokenInvalid, "The account of this token is gone.")),
        Some(user) if user.disabled => {
            Err(Problem::new(Code::AccountDisabled, "This account is disabled. Ask an admin to enable it."))
        }
        Some(user) => Ok(Caller { role: user.role, ..caller }),
    }
}

/// The media of a record, if it is there and the caller may see it.
pub fn visible_media(record: Record, caller: &Caller) -> Result<Media, Problem> {
    match record {
        Record::Media(media) => {
            Problem::unless_allowed(may_view(caller, &media), "media")?;
            Ok(*media)
        }
        Record::Tombstone { .. } | Record::Absent => Err(Problem::not_found("media")),
    }
}

/// The published file of a media that can be played.
pub fn playable(media: &Media) -> Result<&PublishedObject, Problem> {
    match &media.state {
        State::Ready { published, .. } => Ok(published),
        _ => Err(Problem::new(
            Code::NotReady,
            "The media cannot be played yet. Wait until its status is ready.",
        )),
    }
}

/// What a client is told of a token that is not accepted.
pub(crate) fn token_problem(error: TokenError) -> Problem {
    match error {
        TokenError::Expired => {
            Problem::new(Code::TokenExpired, "The token has expired. Refresh it or log in again.")
        }
        TokenError::Invalid => Problem::new(Code::TokenInvalid, "The token is not valid here. Log in again."),
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        token_problem(error)
    }
}
