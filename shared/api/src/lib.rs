//! Everything between Lambda and a handler: how a function is built from its environment and runs, how an API Gateway
//! event becomes a typed request, and how a typed answer or a problem goes back.
//!
//! A handler is an asynchronous function of its state and a [`Request`] that returns an [`Answer`] or a [`Problem`].
//! It never sees an event's JSON, and nothing that an SDK says reaches a client: a [`Problem`] has a text for the
//! client and another one for the log.

mod access;
mod answer;
mod aws;
pub mod body;
mod environment;
mod event;
mod fields;
mod form;
mod function;
mod http_function;
mod invocation;
mod log;
pub mod metrics;
mod page;
mod problem;
mod query;
mod queue;
mod rate_limits;
mod request;
mod static_file;
mod stream_url;
mod thumbnail_urls;
mod tokens;
pub mod uploads;
mod users;
mod views;
mod warm_up;

pub use access::{Access, SignedIn, playable, visible_media};
pub use answer::Answer;
pub use environment::{Clock, Environment, EnvironmentError};
pub use event::{IncompleteEvent, ObjectCreated, object_created};
pub use fields::{Fields, UnknownFields, boolean, integer, list, seconds, text};
pub use form::FormFile;
pub use function::{Function, StartError, event_function, long_event_function, run};
pub use http_function::http_function;
pub use invocation::note_caller;
pub use log::json_log;
pub use page::{List, MAX_PAGE_ITEMS, Page, PageParameters, Place};
pub use problem::{Code, FieldError, Problem, ProblemBody, refusals};
pub use query::{QueryParameters, YesOrNo, whole_number, yes_or_no};
pub use queue::{Queue, QueueError};
pub use rate_limits::{LogInAttempt, LogInLimits, SignUpLimits, UserLimit};
pub use request::Request;
pub use static_file::StaticFile;
pub use stream_url::{Stream, StreamUrlSigner};
pub use thumbnail_urls::{ThumbnailBase, ThumbnailUrls};
pub use tokens::{TokenIssuer, TokensBody};
pub use users::change_user;
pub use views::ViewRecorder;
pub use warm_up::warm_up;
