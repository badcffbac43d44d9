//! The function crates, and how they are invoked: as Lambda does it, in this process.
//!
//! An invocation is bounded by the function's timeout, a panic is a function error, payloads are limited to 6 MB both
//! ways, and the context carries what Lambda's runtime API sends. Instances are shared by concurrent invocations, where
//! Lambda would start more of them.

mod invocation;
mod registry;

pub use self::invocation::{Functions, Invocation, InvocationError};
pub use self::registry::{Build, Instance, Registry};
