//! What logging in and refreshing answer. Only the functions that hold a [`TokenIssuer`] can read the private key.

use auth::{ACCESS_TOKEN_LIFE, AccessClaims, RefreshToken, TokenSigner};
use aws_types::SdkConfig;
use domain::{Session, Timestamp, User};
use serde::Serialize;
use utoipa::ToSchema;

use crate::environment::{Clock, Environment};
use crate::function::StartError;
use crate::problem::Problem;

/// Makes access tokens.
#[derive(Debug)]
pub struct TokenIssuer {
    signer: TokenSigner<AccessClaims>,
    clock: Clock,
}

/// Tokens (RFC 6749, section 5.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tokens)]
pub struct TokensBody {
    /// A JWT, to be sent as `Authorization: Bearer …`.
    #[schema(
        example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6IjEifQ.eyJzdWIiOiIwMWExZjdmOCJ9.c2lnbmF0dXJl"
    )]
    access_token: String,
    /// How to send it: `bearer`.
    #[schema(pattern = "^bearer$", example = "bearer")]
    token_type: &'static str,
    /// How long the access token lives, in seconds.
    #[schema(minimum = 1, example = 1800)]
    expires_in: u64,
    /// Opaque; good for one refresh, until 30 days after the log-in.
    #[schema(example = "AaH3-DAAfDqbUW8tTI4KFwGh9_gwAH0howT3Yc1n9rQ")]
    refresh_token: String,
    /// `true` where the password was chosen by an admin: until it is changed, whatever else changes something is refused.
    /// Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    password_change_required: bool,
}

impl TokenIssuer {
    /// With `TOKEN_ISSUER`, and the key `ACCESS_SIGNING_KID` of the secret `ACCESS_KEYS_SECRET`.
    pub async fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, StartError> {
        let key = environment.signing_key(aws, "ACCESS_KEYS_SECRET", "ACCESS_SIGNING_KID").await?;
        let signer = TokenSigner::new(environment.required("TOKEN_ISSUER")?, key);
        Ok(Self { signer, clock: environment.clock() })
    }

    /// An access token for a user in a session, beside the session's refresh token.
    pub fn issue(
        &self,
        user: &User,
        session: &Session,
        refresh_token: &RefreshToken,
        now: Timestamp,
    ) -> Result<TokensBody, Problem> {
        let claims = AccessClaims {
            sub: user.id,
            role: user.role,
            sid: session.id,
            session_generation: session.generation,
            iat: now.unix_seconds(),
            exp: now.plus(ACCESS_TOKEN_LIFE).unix_seconds(),
            jti: self.clock.new_id(),
        };
        Ok(TokensBody {
            access_token: self.signer.sign(claims).map_err(Problem::internal)?,
            token_type: "bearer",
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token: refresh_token.to_text(),
            password_change_required: user.password_change_required,
        })
    }
}
