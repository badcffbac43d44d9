//! The codes of problems: one table of all of them, for the code that answers them, for the OpenAPI document, and for the
//! page that explains them.

use http::StatusCode;

macro_rules! codes {
    ($(#[doc = $explanation:literal] $variant:ident = $text:literal, $status:ident, $title:literal, $advice:literal;)+) => {
        /// The stable code of a problem. The one table of all of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $explanation] $variant,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The text that clients compare.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The status that it is answered with; always an error.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The problem's title, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What it means, in a sentence or two.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation.trim_ascii(),)+ }
            }

            /// What a client can do next, in a sentence.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)+ }
            }
        }

        /// Codes, and groups of them that go together, as types: what the description of a route names.
        ///
        /// ```
        /// use api::refusals::{AccessToken, NotFound, Refused};
        ///
        /// #[utoipa::path(get, path = "/media/{media_id}", responses(Refused<(AccessToken, NotFound)>))]
        /// async fn handle() {}
        /// ```
        pub mod refusals {
            use super::Code;
            pub use super::groups::*;

            $(
                #[doc = $explanation]
                #[derive(Debug)]
                pub enum $variant {}

                impl Refusals for $variant {
                    fn codes() -> Vec<Code> {
                        vec![Code::$variant]
                    }
                }
            )+
        }
    };
}

codes! {
    /// The body is no JSON, or is nested deeper than 32 levels.
    MalformedJson = "malformed_json", BAD_REQUEST, "Malformed JSON",
        "Send a JSON object, in UTF-8.";
    /// The body is no form, or not the one that is expected.
    MalformedForm = "malformed_form", BAD_REQUEST, "Malformed form",
        "Send the form again as a whole, each field once, texts in UTF-8.";
    /// There is no token.
    TokenMissing = "token_missing", UNAUTHORIZED, "Not signed in",
        "Log in, and send the access token as `Authorization: Bearer …`.";
    /// The token is not one of ours, not for this, or its account is gone.
    TokenInvalid = "token_invalid", UNAUTHORIZED, "Token not valid",
        "Log in again.";
    /// The token was good once.
    TokenExpired = "token_expired", UNAUTHORIZED, "Token expired",
        "Refresh it, or log in again.";
    /// The token will be good.
    TokenNotYetValid = "token_not_yet_valid", UNAUTHORIZED, "Token not valid yet",
        "Try again when its time has come.";
    /// The session is over: logged out of, expired, or ended by what changed about the account.
    SessionEnded = "session_ended", UNAUTHORIZED, "Session ended",
        "Log in again.";
    /// The refresh token was used before, so somebody may have copied it. Its session has ended.
    TokenReused = "token_reused", UNAUTHORIZED, "Token used before",
        "Log in again.";
    /// E-mail or password is wrong; which of them is not told.
    CredentialsInvalid = "credentials_invalid", UNAUTHORIZED, "Wrong e-mail or password",
        "Try again, or ask an admin for a temporary password.";
    /// The account is shut out.
    AccountDisabled = "account_disabled", FORBIDDEN, "Account disabled",
        "Ask an admin to enable it.";
    /// The role does not suffice, or the thing is somebody else's.
    RoleInsufficient = "role_insufficient", FORBIDDEN, "Not allowed",
        "Ask an admin for another role, or its owner to do it.";
    /// The token is for other addresses.
    AddressNotAllowed = "address_not_allowed", FORBIDDEN, "Address not allowed",
        "Ask for a URL for your address.";
    /// The password was chosen by somebody else, and has to be changed first.
    PasswordChangeRequired = "password_change_required", FORBIDDEN, "Password change required",
        "Change it with `POST /users/me/password`.";
    /// Sign-up is closed.
    SignUpClosed = "sign_up_closed", FORBIDDEN, "Sign-up closed",
        "Ask an admin to make an account.";
    /// There is no such route.
    RouteUnknown = "route_unknown", NOT_FOUND, "No such route",
        "Compare method and path with the list of routes.";
    /// There is no such thing, or not for the caller: the two look the same.
    NotFound = "not_found", NOT_FOUND, "Not found",
        "Check the id, and who is signed in.";
    /// Another user has this e-mail.
    EmailTaken = "email_taken", CONFLICT, "E-mail taken",
        "Log in, or use another e-mail.";
    /// No admin would be left.
    LastAdmin = "last_admin", CONFLICT, "Last admin",
        "Make another user admin first.";
    /// The media is not ready to be played.
    NotReady = "not_ready", CONFLICT, "Not ready",
        "Wait until its `status` is `ready`.";
    /// The caller's files would take more than they may.
    QuotaExceeded = "quota_exceeded", CONFLICT, "Quota exceeded",
        "Delete some, or ask for more room.";
    /// Not all parts are there, or not as they should be; `missing` says which.
    PartsIncomplete = "parts_incomplete", CONFLICT, "Parts incomplete",
        "Send those in `missing`, then complete again.";
    /// The object was not sent.
    ObjectMissing = "object_missing", CONFLICT, "Object missing",
        "Send the file as the upload says, then complete again.";
    /// The upload is not one in parts.
    NotMultipart = "not_multipart", CONFLICT, "Not an upload in parts",
        "Send its file as `POST /media` said.";
    /// The upload has ended, or its time has.
    UploadEnded = "upload_ended", CONFLICT, "Upload ended",
        "Read the media to see what became of it; to send the file again, announce it again.";
    /// Too many changes at the same time.
    ChangedMeanwhile = "changed_meanwhile", CONFLICT, "Changed in the meantime",
        "Read it again, then try again.";
    /// It is not in the version that `If-Match` names.
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, "Precondition failed",
        "Read it again, then try again with its new `ETag`.";
    /// The body is too large.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large",
        "Send less at once: JSON bodies may have 1 MiB.";
    /// The file, whose size was not declared, is larger than files may be.
    FileTooLarge = "file_too_large", PAYLOAD_TOO_LARGE, "File too large",
        "Send a smaller file, or give the upload up.";
    /// The form is larger than forms may be.
    UseDirectUpload = "use_direct_upload", PAYLOAD_TOO_LARGE, "Too large for a form",
        "Announce the file with `POST /media` as JSON, and send it as the answer says.";
    /// The body has a media type that is not taken.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Media type not supported",
        "Send it as one that the route names.";
    /// Another request was sent under the same `Idempotency-Key`.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency key reused",
        "Use a fresh key for each request, and the same one only to send it again.";
    /// The file that came with the request broke a rule.
    MediaRejected = "media_rejected", UNPROCESSABLE_ENTITY, "Media rejected",
        "Send another file.";
    /// Fields are wrong; `errors` has all of them.
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "Not valid",
        "Correct each of them, then send it again.";
    /// There were too many requests of this kind.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests",
        "Try again after as many seconds as `Retry-After` says.";
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error",
        "Quote `request_id` when you report it.";
    /// Something that we depend on throttles or fails.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Temporarily unavailable",
        "Try again after as many seconds as `Retry-After` says.";
}

mod groups {
    use std::collections::BTreeMap;
    use std::marker::PhantomData;

    use utoipa::IntoResponses;
    use utoipa::openapi::extensions::ExtensionsBuilder;
    use utoipa::openapi::{RefOr, Response, ResponseBuilder};

    use super::{Code, refusals};

    /// Codes that a route can be refused with.
    pub trait Refusals {
        /// The codes.
        fn codes() -> Vec<Code>;
    }

    /// Groups of codes by what leads to them.
    macro_rules! groups {
        ($($(#[$doc:meta])+ $name:ident = $($refusal:ident),+;)+) => {$(
            $(#[$doc])+
            #[derive(Debug)]
            pub enum $name {}

            impl Refusals for $name {
                fn codes() -> Vec<Code> {
                    <($(refusals::$refusal,)+) as Refusals>::codes()
                }
            }
        )+};
    }

    groups! {
        /// What an access token is refused for.
        AccessToken = TokenMissing, TokenInvalid, TokenExpired;
        /// The same, and what is known only by reading the account.
        CurrentAccount = AccessToken, SessionEnded, AccountDisabled;
        /// The same, of routes that an account with a temporary password may not use.
        CurrentCaller = CurrentAccount, PasswordChangeRequired;
        /// What a JSON body is refused for.
        JsonBody = MalformedJson, BodyTooLarge, UnsupportedMediaType, Invalid;
        /// What a form with a file is refused for.
        FormBody = MalformedForm, UseDirectUpload, UnsupportedMediaType, Invalid;
        /// What parameters are refused for.
        Parameters = Invalid;
        /// What a route may answer that calls AWS.
        Aws = Internal, Unavailable;
    }

    macro_rules! tuples {
        ($($first:ident $($name:ident)*;)+) => {$(
            impl<$first: Refusals, $($name: Refusals),*> Refusals for ($first, $($name,)*) {
                fn codes() -> Vec<Code> {
                    [$first::codes(), $($name::codes()),*].concat()
                }
            }
        )+};
    }

    tuples! {
        A;
        A B;
        A B C;
        A B C D;
        A B C D E;
        A B C D E F;
        A B C D E F G;
        A B C D E F G H;
        A B C D E F G H I;
        A B C D E F G H I J;
        A B C D E F G H I J K;
        A B C D E F G H I J K L;
    }

    /// The responses with these problems. Each names its codes as `x-problem-codes`; how a problem looks, the document says
    /// once for all routes.
    #[derive(Debug)]
    pub struct Refused<T>(PhantomData<T>);

    impl<T: Refusals> IntoResponses for Refused<T> {
        fn responses() -> BTreeMap<String, RefOr<Response>> {
            let mut codes = T::codes();
            codes.sort_unstable();
            codes.dedup();
            let mut by_status: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for code in codes {
                by_status.entry(code.status().as_str().to_owned()).or_default().push(code.as_str());
            }
            let response = |codes| {
                let codes = ExtensionsBuilder::new().add("x-problem-codes", codes).build();
                ResponseBuilder::new().extensions(Some(codes)).build().into()
            };
            by_status.into_iter().map(|(status, codes)| (status, response(codes))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use utoipa::IntoResponses as _;

    use super::Code;
    use super::refusals::{AccessToken, CurrentCaller, NotFound, Refused};

    #[test]
    fn every_code_is_an_error_and_spelled_once() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(
            Code::ALL.iter().all(|code| code.status().is_client_error() || code.status().is_server_error())
        );
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn refusals_are_told_by_status_each_once() {
        let responses = Refused::<(AccessToken, CurrentCaller, NotFound)>::responses();
        let codes = serde_json::to_value(&responses).unwrap();
        assert_eq!(responses.keys().collect::<Vec<_>>(), ["401", "403", "404"]);
        assert_eq!(
            codes["401"]["x-problem-codes"],
            serde_json::json!(["token_missing", "token_invalid", "token_expired", "session_ended"])
        );
    }
}
