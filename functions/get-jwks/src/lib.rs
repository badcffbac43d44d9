//! `GET /.well-known/jwks.json`: the public keys of access tokens, so that others can verify them too (RFC 7517).
//!
//! They come from the environment: no call is made, and no private key is within reach. The key that will sign after the
//! next rotation is among them already, so a copy that is five minutes old knows every signature.

use std::sync::Arc;
use std::time::Duration;

use api::{Answer, Environment, EnvironmentError, Function, Problem, Request, StartError, http_function};
use auth::PublicKeys;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

/// For how long the keys may be kept. The next one is among them before it signs.
const KEPT: Duration = Duration::from_mins(5);

struct State {
    key_set: Value,
    etag: String,
}

/// Keys, as RFC 7517 writes them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct KeySet {
    /// Those that access tokens are signed with, have been, and will be next.
    keys: Vec<PublicKey>,
}

/// A public key of Ed25519 (RFC 8037).
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
struct PublicKey {
    /// The key type: `OKP`.
    #[schema(example = "OKP")]
    kty: String,
    /// The curve: `Ed25519`.
    #[schema(example = "Ed25519")]
    crv: String,
    /// The public key, in base64url.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
    /// The id that a token's header names it by.
    #[schema(example = "1")]
    kid: String,
    /// The algorithm: `EdDSA`.
    #[schema(example = "EdDSA")]
    alg: String,
    /// What it is for: `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: String,
}

/// What the OpenAPI document says of this function.
#[derive(OpenApi)]
#[openapi(paths(handle))]
pub struct Documentation;

/// The function, with `ACCESS_JWKS`.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    const JWKS: &str = "ACCESS_JWKS";
    // What cannot be verified with, or is private, is not handed out.
    let _: PublicKeys = environment.parsed(JWKS)?;
    let text = environment.required(JWKS)?;
    let key_set = serde_json::from_str(text)
        .map_err(|error| EnvironmentError::Malformed { name: JWKS, reason: error.to_string() })?;
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let etag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(digest));
    Ok(http_function(State { key_set, etag }, handle))
}

/// Answers the public keys of access tokens.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "accounts",
    responses(
        (status = 200, description = "A JSON Web Key Set.", body = KeySet),
        (status = 304, description = "The client has it."),
    ),
)]
async fn handle(state: Arc<State>, request: Request) -> Result<Answer, Problem> {
    Answer::ok(&state.key_set)?.tagged(&state.etag, request.header("if-none-match"))?.public(KEPT)
}
