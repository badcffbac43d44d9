//! What `template.yaml` declares, with every reference resolved: the one description from which the local gateway,
//! the local AWS and the functions are set up. Built by [`crate::template`]; plain data, no behaviour beyond look-ups.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

mod cdn;

pub use self::cdn::{
    AddedHeader, CacheBehavior, Distribution, ForwardedQuery, KeyGroup, ResponseCors, ResponseHeadersPolicy,
};

/// A deployed stack: names and ARNs are final, no intrinsic function is left.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Stack name, `AWS::StackName`.
    pub name: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`, twelve digits.
    pub account_id: String,
    /// Lambda functions by logical id.
    pub functions: BTreeMap<String, Function>,
    /// Routes of the HTTP API, in the template's order.
    pub routes: Vec<Route>,
    /// `CorsConfiguration` of the HTTP API.
    pub api_cors: Option<ApiCors>,
    /// DynamoDB tables.
    pub tables: Vec<Table>,
    /// S3 buckets.
    pub buckets: Vec<Bucket>,
    /// SQS queues.
    pub queues: Vec<Queue>,
    /// Queues polled for functions.
    pub event_source_mappings: Vec<EventSourceMapping>,
    /// Secrets of Secrets Manager.
    pub secrets: Vec<Secret>,
    /// Roles that are assumed through STS (not the functions' own execution roles).
    pub roles: Vec<Role>,
    /// Key groups of CloudFront.
    pub key_groups: Vec<KeyGroup>,
    /// The CloudFront distribution, where there is one.
    pub distribution: Option<Distribution>,
    /// Scheduled invocations.
    pub schedules: Vec<Schedule>,
    /// Custom resources (`Custom::…`), already provisioned.
    pub custom_resources: Vec<CustomResource>,
    /// `Outputs` by name.
    pub outputs: BTreeMap<String, String>,
}

/// An `AWS::Serverless::Function`.
#[derive(Debug, Clone)]
pub struct Function {
    /// Name in the template.
    pub logical_id: String,
    /// `FunctionName`, or `{stack}-{logical id}`.
    pub name: String,
    /// `arn:aws:lambda:…`.
    pub arn: String,
    /// The crate that implements it: `Metadata.BuildProperties.Binary`.
    pub binary: String,
    /// ARN of the execution role: the principal of its AWS calls.
    pub role_arn: String,
    /// Environment variables, globals merged in.
    pub environment: BTreeMap<String, String>,
    /// `Timeout`.
    pub timeout: Duration,
    /// `MemorySize` in MiB.
    pub memory_mib: u32,
    /// Policies of the execution role: inline `Policies`, and `AWS::IAM::RolePolicy` resources attached to it.
    pub policies: Vec<Policy>,
    /// `PermissionsBoundary`: what the execution role can be allowed at most.
    pub permissions_boundary: Option<Policy>,
}

/// One policy document and where the template declares it, so that a statement that nothing used can be named.
#[derive(Debug, Clone)]
pub struct Policy {
    /// e.g. `GetMediaFunction.Policies[0]` or `CreateMediaAssumeUploadRole`.
    pub source: String,
    /// The IAM policy document as JSON.
    pub document: Value,
}

/// One route of the HTTP API.
#[derive(Debug, Clone)]
pub struct Route {
    /// `GET`, `ANY`…; `None` for `$default`.
    pub method: Option<String>,
    /// Path template (`/media/{media_id}`, greedy `{proxy+}`), or `$default`.
    pub path: String,
    /// Logical id of the function that serves it.
    pub function: String,
    /// `TimeoutInMillis` of the integration; 30 s by default.
    pub timeout: Duration,
}

/// `CorsConfiguration` of an `AWS::Serverless::HttpApi`.
#[derive(Debug, Clone, Default)]
pub struct ApiCors {
    /// `AllowOrigins`.
    pub allow_origins: Vec<String>,
    /// `AllowMethods`.
    pub allow_methods: Vec<String>,
    /// `AllowHeaders`.
    pub allow_headers: Vec<String>,
    /// `ExposeHeaders`.
    pub expose_headers: Vec<String>,
    /// `MaxAge` in seconds.
    pub max_age_seconds: Option<u64>,
    /// `AllowCredentials`.
    pub allow_credentials: bool,
}

/// An `AWS::DynamoDB::Table`.
#[derive(Debug, Clone)]
pub struct Table {
    /// Name in the template.
    pub logical_id: String,
    /// Table name.
    pub name: String,
    /// Table ARN.
    pub arn: String,
    /// The body of a DynamoDB `CreateTable` request.
    pub create_request: Value,
    /// `TimeToLiveSpecification.AttributeName`, when enabled.
    pub time_to_live_attribute: Option<String>,
}

/// An `AWS::S3::Bucket`.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Name in the template.
    pub logical_id: String,
    /// Bucket name.
    pub name: String,
    /// `arn:aws:s3:::{name}`.
    pub arn: String,
    /// `VersioningConfiguration.Status` is `Enabled`.
    pub versioned: bool,
    /// `CorsConfiguration.CorsRules`.
    pub cors_rules: Vec<BucketCorsRule>,
    /// `NotificationConfiguration.QueueConfigurations`.
    pub notifications: Vec<BucketNotification>,
    /// Statements of `AWS::S3::BucketPolicy` resources for this bucket.
    pub policies: Vec<Policy>,
}

/// One rule of a bucket's CORS configuration.
#[derive(Debug, Clone, Default)]
pub struct BucketCorsRule {
    /// `AllowedOrigins`; one `*` wildcard each.
    pub allowed_origins: Vec<String>,
    /// `AllowedMethods`.
    pub allowed_methods: Vec<String>,
    /// `AllowedHeaders`; one `*` wildcard each.
    pub allowed_headers: Vec<String>,
    /// `ExposedHeaders`.
    pub exposed_headers: Vec<String>,
    /// `MaxAge` in seconds.
    pub max_age_seconds: Option<u64>,
}

/// One queue that a bucket notifies.
#[derive(Debug, Clone)]
pub struct BucketNotification {
    /// `s3:ObjectCreated:*` or a narrower event name.
    pub event: String,
    /// ARN of the queue.
    pub queue_arn: String,
    /// `prefix` rule of the key filter.
    pub prefix: Option<String>,
    /// `suffix` rule of the key filter.
    pub suffix: Option<String>,
}

/// An `AWS::SQS::Queue`.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Name in the template.
    pub logical_id: String,
    /// Queue name.
    pub name: String,
    /// Queue ARN.
    pub arn: String,
    /// Queue URL: on AWS `https://sqs.{region}.amazonaws.com/{account}/{name}`.
    pub url: String,
    /// `VisibilityTimeout`; 30 s by default.
    pub visibility_timeout: Duration,
    /// `MessageRetentionPeriod`; 4 days by default.
    pub message_retention: Duration,
    /// `MaximumMessageSize`: the longest body in bytes; 1 MiB by default.
    pub maximum_message_bytes: usize,
    /// `RedrivePolicy`.
    pub redrive: Option<Redrive>,
    /// Statements of `AWS::SQS::QueuePolicy` resources for this queue.
    pub policies: Vec<Policy>,
}

/// `RedrivePolicy` of a queue.
#[derive(Debug, Clone)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub dead_letter_queue_arn: String,
    /// Receives after which a message moves there.
    pub max_receive_count: u32,
}

/// An `SQS` event of a function.
#[derive(Debug, Clone)]
pub struct EventSourceMapping {
    /// Logical id of the function.
    pub function: String,
    /// ARN of the queue.
    pub queue_arn: String,
    /// Messages per invocation, 1–10 here.
    pub batch_size: usize,
    /// `FunctionResponseTypes` holds `ReportBatchItemFailures`.
    pub report_batch_item_failures: bool,
    /// `ScalingConfig.MaximumConcurrency`.
    pub maximum_concurrency: Option<usize>,
}

/// An `AWS::SecretsManager::Secret`.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Name in the template.
    pub logical_id: String,
    /// Secret name.
    pub name: String,
    /// Secret ARN; on AWS it ends in six random characters, here in six derived from the name.
    pub arn: String,
}

/// An `AWS::IAM::Role` that functions assume.
#[derive(Debug, Clone)]
pub struct Role {
    /// Name in the template.
    pub logical_id: String,
    /// Role name.
    pub name: String,
    /// Role ARN.
    pub arn: String,
    /// `AssumeRolePolicyDocument`.
    pub trust: Policy,
    /// Inline policies, and `AWS::IAM::RolePolicy` resources attached to it.
    pub policies: Vec<Policy>,
    /// `MaxSessionDuration`; one hour by default.
    pub max_session_duration: Duration,
}

/// A `ScheduleV2` or `Schedule` event of a function.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Logical id of the function.
    pub function: String,
    /// `rate(5 minutes)`, …
    pub expression: String,
    /// `Input`, if any.
    pub input: Option<Value>,
}

/// A custom resource: its service token is one of the stack's functions.
#[derive(Debug, Clone)]
pub struct CustomResource {
    /// Name in the template.
    pub logical_id: String,
    /// `Custom::…`.
    pub resource_type: String,
    /// Logical id of the function that provisions it.
    pub function: String,
    /// Properties sent to the function, `ServiceToken` included.
    pub properties: Value,
    /// What the function answered under `Data`: the attributes that `!GetAtt` reads.
    pub attributes: BTreeMap<String, String>,
    /// `PhysicalResourceId` that the function answered.
    pub physical_id: String,
}

impl Stack {
    /// The queue with this ARN.
    pub fn queue(&self, arn: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.arn == arn)
    }

    /// The bucket with this name.
    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| bucket.name == name)
    }
}
