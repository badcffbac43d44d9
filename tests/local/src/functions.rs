//! The function crates, and how they are invoked: as Lambda does it, in this process.
//!
//! An invocation is bounded by the function's timeout, a panic is a function error, payloads are limited to 6 MB both
//! ways, and the context carries what Lambda's runtime API sends. Instances are shared by concurrent invocations, where
//! Lambda would start more of them. An invocation that runs into its timeout, or is killed, stops at the `await` where it
//! is: what it has done is done, and nobody cleans up.

mod invocation;
mod registry;
mod running;

pub(crate) use self::invocation::PAYLOAD_LIMIT_BYTES;
pub use self::invocation::{Functions, Invocation, InvocationError};
pub use self::registry::{Build, Instance, Registry, documentations};
