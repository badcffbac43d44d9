//! AWS on this machine: S3, DynamoDB, SQS, Secrets Manager, STS and CloudFront's API on one loopback port.
//!
//! It serves what [`Stack`] declares and nothing else, as strictly as AWS: every signature and session token is verified,
//! every call is checked against the caller's policies, and an operation that is not there is refused by name.
//! Everything is kept in one data directory, which one process uses at a time.

mod calls;
mod clock;
mod cloudfront;
mod database;
mod dynamodb;
mod identity;
mod installed;
mod policy;
mod protocol;
mod queues;
mod s3;
mod secrets_manager;
mod server;
mod signature;
mod sqs;
mod sts;

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use calls::{Answer, Attempt, Call, Calls, Interception, Outcome, PermissionUse, Transfer};
pub use dynamodb::{Disturbance, DynamoDbError};
pub use identity::{Credentials, Principal};
pub use policy::PolicyError;
pub use queues::{Message, QueueCounts, QueueError, Queues};

pub(crate) use cloudfront::{HashAlgorithm, PublicKey, Verdict};
pub(crate) use policy::wildcard_match;
pub(crate) use server::{Cut, ResponseBody, boxed};

use self::database::Database;
use self::dynamodb::DynamoDb;
use self::identity::Identities;
use self::installed::{Current, Installed};
use self::s3::S3;
use crate::stack::Stack;

/// Where AWS keeps its state and listens.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// Holds objects and databases; created where it is missing.
    pub data_directory: PathBuf,
    /// The port; 0 takes any free one.
    pub address: SocketAddr,
}

/// Why AWS does not start, or cannot take over a stack.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// Somebody else listens there.
    #[error("port {} is taken; choose another one", .0.port())]
    PortTaken(SocketAddr),
    /// The port cannot be bound for another reason.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        reason: std::io::Error,
    },
    /// Another process uses the data directory.
    #[error("{} is in use by another local stack", .0.display())]
    DataDirectoryInUse(PathBuf),
    /// The data directory cannot be used.
    #[error("the data directory cannot be used: {0}")]
    DataDirectory(#[from] std::io::Error),
    /// Its tables are not those of this version.
    #[error("{} was written by another version of the local stack; remove its directory to start afresh", .0.display())]
    WrittenByAnotherVersion(PathBuf),
    /// The database failed.
    #[error("the AWS database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// DynamoDB failed.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// A policy of the template cannot be used.
    #[error("policy of {0}")]
    Policy(#[from] PolicyError),
    /// A bucket notifies a queue that does not exist.
    #[error("bucket {bucket} notifies {queue_arn}, which the stack does not have")]
    UnknownNotificationQueue {
        /// Name of the bucket.
        bucket: String,
        /// ARN of the queue.
        queue_arn: String,
    },
    /// A bucket notifies a queue that does not let it. S3 refuses such a configuration with "Unable to validate the
    /// following destination configurations".
    #[error(
        "the policy of {queue_arn} does not allow s3.amazonaws.com to send messages for bucket {bucket} \
         (sqs:SendMessage, with aws:SourceArn and aws:SourceAccount)"
    )]
    NotificationDenied {
        /// Name of the bucket.
        bucket: String,
        /// ARN of the queue.
        queue_arn: String,
    },
    /// A dead-letter queue that the stack does not have.
    #[error("queue {queue} redrives to {dead_letter_queue_arn}, which the stack does not have")]
    UnknownDeadLetterQueue {
        /// Name of the queue.
        queue: String,
        /// ARN of the dead-letter queue.
        dead_letter_queue_arn: String,
    },
    /// A key group names a public key that was never created, or is deleted.
    #[error("key group {key_group} names the public key {public_key_id}, which CloudFront does not have")]
    UnknownPublicKey {
        /// Logical id of the key group.
        key_group: String,
        /// What it names.
        public_key_id: String,
    },
}

/// What requests are served from.
struct Services {
    database: Database,
    current: Current,
    identities: Identities,
    calls: Calls,
    queues: Queues,
    dynamodb: DynamoDb,
    s3: S3,
}

struct Running {
    services: Arc<Services>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    /// Until it is shut down: the server, and the data directory's lock.
    server: Mutex<Option<(JoinHandle<()>, File)>>,
}

/// AWS, running. Clones are the same AWS.
#[derive(Clone)]
pub struct Aws {
    running: Arc<Running>,
}

impl Aws {
    /// Binds the port, opens or creates the state, and serves until [`Aws::shut_down`]. Before the first
    /// [`Aws::install`] there is nothing in it, and only the operator can sign.
    pub async fn start(options: AwsOptions) -> Result<Aws, AwsError> {
        std::fs::create_dir_all(&options.data_directory)?;
        let lock = lock_directory(&options.data_directory)?;
        let listener = tokio::net::TcpListener::bind(options.address).await.map_err(|reason| {
            if reason.kind() == std::io::ErrorKind::AddrInUse {
                AwsError::PortTaken(options.address)
            } else {
                AwsError::Listen { address: options.address, reason }
            }
        })?;
        let address = listener.local_addr()?;
        let database = Database::open(&options.data_directory.join("aws.sqlite"))?;
        let current = Current::default();
        let identities = Identities::open(database.clone())?;
        let calls = Calls::default();
        let queues = Queues::open(database.clone(), current.clone())?;
        let dynamodb = DynamoDb::start(&options.data_directory.join("dynamodb.sqlite")).await?;
        let objects = options.data_directory.join("objects");
        let s3 = S3::open(
            objects,
            database.clone(),
            current.clone(),
            queues.clone(),
            calls.clone(),
            identities.clone(),
        )?;
        let services = Arc::new(Services { database, current, identities, calls, queues, dynamodb, s3 });
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(server::serve(listener, Arc::clone(&services), stopped));
        let running = Running { services, address, stop, server: Mutex::new(Some((server, lock))) };
        Ok(Aws { running: Arc::new(running) })
    }

    /// Creates what is missing, keeps what is there, and takes over the policies, CORS rules and notifications. It may be
    /// called again when the stack has changed; what a stack no longer declares is kept and no longer served.
    pub async fn install(&self, stack: &Stack) -> Result<(), AwsError> {
        let services = &self.running.services;
        let installed = Installed::read(stack, &services.identities)?;
        check_queues(stack, &installed)?;
        check_key_groups(stack, &services.database)?;
        for table in &stack.tables {
            services.dynamodb.install(table).await?;
        }
        services.s3.create_buckets(&stack.buckets)?;
        secrets_manager::install(&services.database, &stack.secrets)?;
        services.calls.install(&installed);
        services.current.replace(Arc::new(installed));
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// What a function signs with: the same after every start with this data directory. Its principal is the function's
    /// role, its policies the function's.
    pub fn function_credentials(&self, logical_id: &str) -> Credentials {
        self.running.services.identities.function(logical_id)
    }

    /// What the person at this machine signs with: everything is allowed.
    pub fn operator_credentials() -> Credentials {
        Credentials::operator()
    }

    /// What was called.
    pub fn calls(&self) -> &Calls {
        &self.running.services.calls
    }

    /// Makes DynamoDB refuse calls that it could have carried out; with [`Disturbance::default`], no more.
    pub fn disturb(&self, disturbance: Disturbance) {
        self.running.services.dynamodb.disturb(disturbance);
    }

    /// Puts items into a table past its API, each in DynamoDB's JSON: for tests and benchmarks that begin with a full
    /// table.
    pub fn import_items(&self, table: &str, items: Vec<serde_json::Value>) -> Result<(), DynamoDbError> {
        self.running.services.dynamodb.import(table, items)
    }

    /// The stack's queues.
    pub fn queues(&self) -> &Queues {
        &self.running.services.queues
    }

    /// Carries out a distribution's request to a bucket, with which its path begins. It is recorded as a call of S3's.
    pub(crate) async fn answer_distribution(
        &self,
        request: http::request::Parts,
        distribution_arn: &str,
        request_id: &str,
    ) -> Result<http::Response<ResponseBody>, Cut> {
        self.running.services.s3.answer_distribution(request, distribution_arn, request_id).await
    }

    /// The public key of CloudFront's with this id.
    pub(crate) fn public_key(&self, id: &str) -> Result<Option<PublicKey>, rusqlite::Error> {
        cloudfront::public_key(&self.running.services.database, id)
    }

    /// Stops listening, lets running requests finish, and gives the data directory free. The databases close once the
    /// last clone is gone.
    pub async fn shut_down(self) {
        self.running.stop.send_replace(true);
        let server = self.running.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((server, lock)) = server else { return };
        if let Err(error) = server.await {
            tracing::error!(%error, "the AWS server failed");
        }
        self.running.services.dynamodb.shut_down().await;
        drop(lock);
    }
}

fn lock_directory(directory: &std::path::Path) -> Result<File, AwsError> {
    let file = File::create(directory.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AwsError::DataDirectoryInUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Whether every queue that the stack points at exists and accepts what will be sent to it.
fn check_queues(stack: &Stack, installed: &Installed) -> Result<(), AwsError> {
    for queue in &stack.queues {
        if let Some(redrive) = &queue.redrive
            && stack.queue(&redrive.dead_letter_queue_arn).is_none()
        {
            return Err(AwsError::UnknownDeadLetterQueue {
                queue: queue.name.clone(),
                dead_letter_queue_arn: redrive.dead_letter_queue_arn.clone(),
            });
        }
    }
    for bucket in &stack.buckets {
        for notification in &bucket.notifications {
            let (bucket_name, queue_arn) = (bucket.name.clone(), notification.queue_arn.clone());
            if stack.queue(&queue_arn).is_none() {
                return Err(AwsError::UnknownNotificationQueue { bucket: bucket_name, queue_arn });
            }
            if !installed.allows_notification(&bucket.arn, &queue_arn) {
                return Err(AwsError::NotificationDenied { bucket: bucket_name, queue_arn });
            }
        }
    }
    Ok(())
}

/// Whether every key group has the public keys that it names.
fn check_key_groups(stack: &Stack, database: &Database) -> Result<(), AwsError> {
    for group in &stack.key_groups {
        for id in &group.public_key_ids {
            if cloudfront::public_key(database, id)?.is_none() {
                let (key_group, public_key_id) = (group.logical_id.clone(), id.clone());
                return Err(AwsError::UnknownPublicKey { key_group, public_key_id });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
