//! The local stack: everything `template.yaml` declares, on this machine.
//!
//! [`template`] reads the template into a [`stack::Stack`]; [`aws`] serves its tables, buckets, queues, secrets and roles
//! on one port, and [`cdn`] its distribution on another; [`functions`] runs the function crates in this process,
//! [`bootstrap`] their binaries; [`gateway`] puts them behind HTTP as API Gateway does, [`mapping`] behind queues as Lambda
//! does. [`LocalStack`] is all of it, started and stopped as one; [`command`] is what `cargo local` understands, [`demo`]
//! what a client does with it, [`openapi`] how it is told of it, and [`preflight`] what is asked of a real account.

pub mod aws;
pub mod bootstrap;
pub mod cdn;
pub mod command;
mod connections;
mod control;
pub mod custom_resource;
mod data_directory;
pub mod demo;
pub mod functions;
pub mod gateway;
mod local_stack;
pub mod mapping;
pub mod openapi;
pub mod preflight;
pub mod schedule;
pub mod stack;
pub mod template;

pub use data_directory::DataDirectory;
pub use local_stack::{AwsEndpoint, LocalStack, NotIdle, Options, StartError, TemplateEdit};
