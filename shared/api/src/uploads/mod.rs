//! Uploads, as the functions that begin and continue them have them in common: what a deployment allows, what a client may
//! ask for, and how it is announced and signed.
//!
//! # What is guaranteed
//!
//! - A file is announced whole or not at all: media, uploads, digest, idempotency key, quota and work in one transaction.
//! - A request that is sent again under its idempotency key, and a file that its owner has already, get the media that is
//!   there; its upload is signed afresh as long as it is awaited.
//! - What comes with its request, in a form, is announced like the rest and then stored; who is interrupted sends it again.
//! - S3's multipart uploads are begun before they are recorded. One whose record is not made is aborted. Where that fails
//!   too, or the table does not say whether the record is made, the bucket's lifecycle rule ends it.

mod abort;
mod announce;
mod begin;
mod complete;
mod file_form;
mod file_request;
mod limits;
mod named_parts;
mod sign;
mod store;

pub use abort::Aborter;
pub use announce::{Announcer, thumbnail_key};
pub use begin::{Begun, Uploads};
pub use complete::{CompletedUpload, Completer};
pub use file_form::{FileForm, MediaForm, VideoForm};
pub use file_request::{FileRequest, MiniatureRequest, allowed_content_type, distinct_tags, visibility};
pub use limits::UploadLimits;
pub use named_parts::{CompleteRequest, named_parts};
pub use sign::sign_upload;
pub use store::Stored;
