//! Tokens, password hashing and signing keys. No AWS, no HTTP: what is read from and written to a store is plain data
//! here.
//!
//! All of it stands on `ring`, but for Argon2id and the judgement of passwords. Nothing here logs, and no `Debug` shows
//! a secret.

mod crypto;
mod keys;
mod password;
mod refresh_token;
mod token;

pub use keys::{
    CdnKeyRing, CdnPublicKey, CdnSigningKey, Ed25519, KeyError, KeyKind, KeyRing, P256, PublicKeys,
    SigningKey, TokenKeyRing,
};
#[cfg(feature = "password-strength")]
pub use password::NewPassword;
pub use password::{HashError, PasswordCheck, UNKNOWN_USER_HASH, check_password, needs_rehash, rehash};
pub use refresh_token::RefreshToken;
pub use token::{
    ACCESS_TOKEN_LIFE, AccessClaims, Audience, LONGEST_UPLOAD_TOKEN_LIFE, StreamClaims, TokenError,
    TokenSigner, TokenVerifier, UploadClaims,
};
