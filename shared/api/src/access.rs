//! Who asks: access tokens, and on routes that change something the account as it is now.

use auth::{AccessClaims, TokenError, TokenVerifier, UploadClaims};
use domain::{Action, Caller, Media, PublishedObject, SessionId, State, Upload, User, UserId, decide};
use table::{Record, Table};

use crate::environment::{Clock, Environment, EnvironmentError};
use crate::invocation::note_caller;
use crate::problem::{Code, Problem};
use crate::request::Request;

/// The path parameter that an upload token comes in.
const UPLOAD_TOKEN: &str = "upload_token";

/// Verifies access tokens with the public keys of the environment; and where they are taken, upload tokens.
#[derive(Debug)]
pub struct Access {
    verifier: TokenVerifier<AccessClaims>,
    upload_tokens: Option<TokenVerifier<UploadClaims>>,
    clock: Clock,
}

impl Access {
    /// With the keys of `ACCESS_JWKS`, for tokens of `TOKEN_ISSUER`.
    pub fn of(environment: &Environment) -> Result<Self, EnvironmentError> {
        let verifier =
            TokenVerifier::new(environment.required("TOKEN_ISSUER")?, environment.parsed("ACCESS_JWKS")?);
        Ok(Self { verifier, upload_tokens: None, clock: environment.clock() })
    }

    /// The same; on routes with an `upload_token` in their path, for that instead of an access token, with the keys of
    /// `CAPABILITY_JWKS`.
    pub fn with_upload_tokens(environment: &Environment) -> Result<Self, EnvironmentError> {
        let verifier =
            TokenVerifier::new(environment.required("TOKEN_ISSUER")?, environment.parsed("CAPABILITY_JWKS")?);
        Ok(Self { upload_tokens: Some(verifier), ..Self::of(environment)? })
    }

    /// Who the token says is asking. A demotion, a disabled account or an ended session shows when the token ends.
    pub fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let claims = self.claims(request)?;
        Ok(Caller { user_id: claims.sub, role: claims.role })
    }

    /// Who is asking, with the role that they have now, if their account and their session allow changes. One read of the
    /// table.
    pub async fn current_caller(&self, request: &Request, table: &Table) -> Result<Caller, Problem> {
        self.signed_in(request, table).await?.caller()
    }

    /// The account that is asking as it is now, if it is not shut out and the session is not over. One read of the table:
    /// no session is read, because the user says which are over. A token of a session that was logged out of, which is
    /// its holder's own doing, lives to its end.
    pub async fn signed_in(&self, request: &Request, table: &Table) -> Result<SignedIn, Problem> {
        let holder = self.holder(request)?;
        let user = table.user(holder.user_id).await?;
        as_of_now(&holder, user)
    }

    /// The upload that the path names, if it is the caller's own and their account and session allow changes. One read of
    /// the table.
    pub async fn own_upload(&self, request: &Request, table: &Table) -> Result<Upload, Problem> {
        let holder = self.holder(request)?;
        let upload_id = request.path_id("upload_id", "upload")?;
        let (upload, user) = table.upload_and_user(upload_id, holder.user_id, self.clock.now()).await?;
        let caller = as_of_now(&holder, user)?.caller()?;
        let upload = upload.ok_or_else(|| Problem::not_found("upload"))?;
        Problem::unless_allowed(decide(&caller, Action::UseUpload(&upload)), "upload")?;
        Ok(upload)
    }

    fn holder(&self, request: &Request) -> Result<Holder, Problem> {
        let upload_token = request.path_parameter(UPLOAD_TOKEN);
        let Some((tokens, token)) = self.upload_tokens.as_ref().zip(upload_token) else {
            let AccessClaims { sub: user_id, sid: session_id, session_generation, .. } =
                self.claims(request)?;
            return Ok(Holder { user_id, session_id, session_generation });
        };
        let claims = tokens.verify(token, self.clock.now()).map_err(upload_token_problem)?;
        let UploadClaims { sub: user_id, sid: session_id, session_generation, .. } = claims;
        note_caller(user_id);
        Ok(Holder { user_id, session_id, session_generation })
    }

    fn claims(&self, request: &Request) -> Result<AccessClaims, Problem> {
        let token = request.bearer_token().ok_or_else(|| {
            Problem::new(Code::TokenMissing, "Log in, and send the access token as Authorization: Bearer ….")
        })?;
        let claims = self.verifier.verify(token, self.clock.now()).map_err(token_problem)?;
        note_caller(claims.sub);
        Ok(claims)
    }
}

/// Whose a token is, and of which session.
struct Holder {
    user_id: UserId,
    session_id: SessionId,
    session_generation: u64,
}

/// The account of a token, if it is not shut out and the token's session goes on.
fn as_of_now(holder: &Holder, user: Option<User>) -> Result<SignedIn, Problem> {
    let user = user.ok_or_else(|| Problem::new(Code::TokenInvalid, "The account of this token is gone."))?;
    if user.disabled {
        return Err(Problem::account_disabled());
    }
    if !user.keeps_session(holder.session_id, holder.session_generation) {
        return Err(Problem::session_ended());
    }
    Ok(SignedIn { user, session_id: holder.session_id })
}

/// An account that is asking, as it is now, and the session that it asks in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The account.
    pub user: User,
    /// The session.
    pub session_id: SessionId,
}

impl SignedIn {
    /// As a caller who may change things: not with a password that somebody else chose.
    pub fn caller(&self) -> Result<Caller, Problem> {
        if self.user.password_change_required {
            return Err(Problem::new(
                Code::PasswordChangeRequired,
                "Your password was set by an admin. Change it first, with POST /users/me/password.",
            ));
        }
        Ok(Caller { user_id: self.user.id, role: self.user.role })
    }
}

/// The media of a record, if it is there and the caller may see it.
pub fn visible_media(record: Record, caller: &Caller) -> Result<Media, Problem> {
    match record {
        Record::Media(media) => {
            Problem::unless_allowed(decide(caller, Action::View(&media)), "media")?;
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
        TokenError::NotYetValid => {
            Problem::new(Code::TokenNotYetValid, "The token is for later. Try again when its time has come.")
        }
        TokenError::Invalid => Problem::new(Code::TokenInvalid, "The token is not valid here. Log in again."),
    }
}

/// What a client is told of an upload token that is not accepted: it is renewed in another way.
fn upload_token_problem(error: TokenError) -> Problem {
    const RENEW: &str = "Ask for another one, with POST /upload-tokens.";
    match error {
        TokenError::Expired => {
            Problem::new(Code::TokenExpired, format!("The upload token has expired. {RENEW}"))
        }
        TokenError::NotYetValid | TokenError::Invalid => {
            Problem::new(Code::TokenInvalid, format!("The upload token is not valid here. {RENEW}"))
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        token_problem(error)
    }
}
