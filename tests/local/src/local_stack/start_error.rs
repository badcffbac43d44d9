//! Why the local stack does not start: what is missing or taken, with the option that helps where there is one.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::aws::AwsError;
use crate::custom_resource::ProvisionError;
use crate::mapping::MappingError;
use crate::schedule::UnsupportedSchedule;
use crate::template::TemplateError;

/// Why the local stack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The API's port is in use.
    #[error("port {0} is taken; choose another with --port")]
    ApiPortTaken(u16),
    /// The AWS port is in use.
    #[error("port {0} is taken; choose another with --aws-port")]
    AwsPortTaken(u16),
    /// The CDN's port is in use.
    #[error("port {0} is taken; choose another with --cdn-port")]
    CdnPortTaken(u16),
    /// The template has a distribution, and AWS is another endpoint, whose buckets it cannot read as CloudFront.
    #[error("a CloudFront distribution is only served with the built-in AWS")]
    CdnOfAnotherEndpoint,
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Another process uses the data directory.
    #[error("{} is in use by another local stack; stop that one, or choose another with --data-dir", .0.display())]
    DataDirectoryInUse(PathBuf),
    /// The data directory cannot be used.
    #[error("{}: {source}", path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The template cannot be run.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The built-in AWS does not start.
    #[error(transparent)]
    Aws(AwsError),
    /// A custom resource could not be provisioned.
    #[error(transparent)]
    CustomResource(#[from] ProvisionError),
    /// The template names a crate that there is not.
    #[error("{function} is implemented by {binary}, and there is no such function crate")]
    UnknownBinary {
        /// Logical id of the function.
        function: String,
        /// Its binary.
        binary: String,
    },
    /// A function cannot start with the environment that the template gives it.
    #[error("{function} does not start: {source}")]
    Function {
        /// Logical id of the function.
        function: String,
        /// Why not.
        source: api::StartError,
    },
    /// A schedule that is not interpreted.
    #[error(transparent)]
    Schedule(#[from] UnsupportedSchedule),
    /// An event source mapping cannot be made.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}
