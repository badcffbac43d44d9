//! Stream URLs: they lead through this API, which signs afresh at each use, so they live as long as asked.
//!
//! The stream token in the query tells who plays what; a `<video>` tag can carry it.

use auth::{StreamClaims, TokenSigner};
use aws_types::SdkConfig;
use domain::{MediaId, PlaybackConditions, Timestamp, UserId};

use crate::environment::{Clock, Environment};
use crate::function::StartError;
use crate::problem::Problem;
use crate::request::Request;

/// What a stream URL is for.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// The media.
    pub media_id: MediaId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// From where and from when on it plays.
    pub conditions: PlaybackConditions,
    /// Whether the file is to be saved rather than shown.
    pub is_download: bool,
}

/// Signs stream URLs.
#[derive(Debug)]
pub struct StreamUrlSigner {
    tokens: TokenSigner<StreamClaims>,
    clock: Clock,
}

impl StreamUrlSigner {
    /// With the key `CAPABILITY_SIGNING_KID` of the secret `CAPABILITY_KEYS_SECRET`, as `TOKEN_ISSUER`.
    ///
    /// Needs `secretsmanager:GetSecretValue` on that secret.
    pub async fn of(environment: &Environment, aws: &SdkConfig) -> Result<Self, StartError> {
        let key = environment.signing_key(aws, "CAPABILITY_KEYS_SECRET", "CAPABILITY_SIGNING_KID").await?;
        let tokens = TokenSigner::new(environment.required("TOKEN_ISSUER")?, key);
        Ok(Self { tokens, clock: environment.clock() })
    }

    /// A URL at which the viewer plays the media until `expires_at`, on the API that `request` came to. Whether they may
    /// see it is asked at each use.
    pub fn sign(
        &self,
        request: &Request,
        viewer_id: UserId,
        stream: &Stream,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let Stream { media_id, expires_at, conditions, is_download } = *stream;
        let claims = StreamClaims {
            sub: media_id,
            viewer: viewer_id,
            ip: conditions.ip,
            iat: now.unix_seconds(),
            nbf: conditions.not_before.map(Timestamp::unix_seconds),
            exp: expires_at.unix_seconds(),
            jti: self.clock.new_id(),
        };
        let token = self.tokens.sign(claims).map_err(Problem::internal)?;
        let download = if is_download { "&download=1" } else { "" };
        Ok(format!("{}/media/stream/{media_id}?token={token}{download}", request.api_url()))
    }
}
