//! `AWS::DynamoDB::Table`, `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`.

use serde_json::{Map, Value, json};

use super::{Evaluated, policy};
use crate::stack::{Bucket, BucketCorsRule, BucketNotification, Table};
use crate::template::error::{Problem, TemplateError};
use crate::template::names::Names;
use crate::template::properties::Properties;

const TABLE: &[&str] = &[
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "TimeToLiveSpecification",
    "DeletionProtectionEnabled",
    "SSESpecification",
];
/// Backups, capacity and cost.
const TABLE_IRRELEVANT: &[&str] = &[
    "ContributorInsightsSpecification",
    "PointInTimeRecoverySpecification",
    "TableClass",
    "Tags",
    "WarmThroughput",
];
const INDEX: &[&str] = &["IndexName", "KeySchema", "Projection", "ProvisionedThroughput"];
const INDEX_IRRELEVANT: &[&str] = &["ContributorInsightsSpecification", "WarmThroughput"];

pub(super) fn tables(names: &Names, evaluated: &Evaluated) -> Result<Vec<Table>, TemplateError> {
    let mut tables = Vec::new();
    for (logical_id, properties) in evaluated.of_type("AWS::DynamoDB::Table") {
        let properties =
            Properties::new(properties, &format!("{logical_id}.Properties"), TABLE, TABLE_IRRELEVANT)?;
        // A key of one's own would have permissions of its own.
        properties.child("SSESpecification", &[], &["SSEEnabled", "SSEType"])?;
        let name = names.name(logical_id)?;
        let ttl = properties.child("TimeToLiveSpecification", &["AttributeName", "Enabled"], &[])?;
        let time_to_live_attribute = if ttl.boolean("Enabled")?.unwrap_or(false) {
            Some(ttl.required_string("AttributeName")?)
        } else {
            None
        };
        tables.push(Table {
            logical_id: logical_id.to_owned(),
            arn: names.arn(logical_id)?.unwrap_or_default(),
            create_request: create_table(&name, &properties)?,
            name,
            time_to_live_attribute,
        });
    }
    Ok(tables)
}

fn create_table(name: &str, properties: &Properties) -> Result<Value, TemplateError> {
    let mut request = Map::new();
    request.insert("TableName".to_owned(), json!(name));
    for key in ["AttributeDefinitions", "KeySchema"] {
        properties.list(key)?;
    }
    request.insert("AttributeDefinitions".to_owned(), properties.required("AttributeDefinitions")?.clone());
    request.insert("KeySchema".to_owned(), properties.required("KeySchema")?.clone());
    // CloudFormation's default, unlike DynamoDB's own, is that of the API: provisioned.
    let billing_mode = properties.string("BillingMode")?.unwrap_or_else(|| "PROVISIONED".to_owned());
    request.insert("BillingMode".to_owned(), json!(billing_mode));
    if let Some(throughput) = throughput(properties)? {
        request.insert("ProvisionedThroughput".to_owned(), throughput);
    }
    if let Some(protected) = properties.boolean("DeletionProtectionEnabled")? {
        request.insert("DeletionProtectionEnabled".to_owned(), json!(protected));
    }
    for key in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        let mut indexes = Vec::new();
        for (position, index) in properties.list(key)?.iter().enumerate() {
            let place = format!("{}[{position}]", properties.place_of(key));
            indexes.push(secondary_index(&Properties::new(index, &place, INDEX, INDEX_IRRELEVANT)?)?);
        }
        if !indexes.is_empty() {
            request.insert(key.to_owned(), Value::Array(indexes));
        }
    }
    Ok(Value::Object(request))
}

fn secondary_index(properties: &Properties) -> Result<Value, TemplateError> {
    let mut index = Map::new();
    for key in ["IndexName", "KeySchema", "Projection"] {
        index.insert(key.to_owned(), properties.required(key)?.clone());
    }
    if let Some(throughput) = throughput(properties)? {
        index.insert("ProvisionedThroughput".to_owned(), throughput);
    }
    Ok(Value::Object(index))
}

fn throughput(properties: &Properties) -> Result<Option<Value>, TemplateError> {
    if properties.get("ProvisionedThroughput").is_none() {
        return Ok(None);
    }
    let units =
        properties.child("ProvisionedThroughput", &["ReadCapacityUnits", "WriteCapacityUnits"], &[])?;
    Ok(Some(json!({
        "ReadCapacityUnits": units.integer("ReadCapacityUnits")?,
        "WriteCapacityUnits": units.integer("WriteCapacityUnits")?,
    })))
}

const BUCKET: &[&str] = &[
    "BucketName",
    "BucketEncryption",
    "VersioningConfiguration",
    "CorsConfiguration",
    "NotificationConfiguration",
];
/// Public access (there is none here without a signature), expiry after days, records and metrics.
const BUCKET_IRRELEVANT: &[&str] = &[
    "AnalyticsConfigurations",
    "IntelligentTieringConfigurations",
    "InventoryConfigurations",
    "LifecycleConfiguration",
    "LoggingConfiguration",
    "MetricsConfigurations",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
];

pub(super) fn buckets(names: &Names, evaluated: &Evaluated) -> Result<Vec<Bucket>, TemplateError> {
    let mut buckets = Vec::new();
    for (logical_id, properties) in evaluated.of_type("AWS::S3::Bucket") {
        let properties =
            Properties::new(properties, &format!("{logical_id}.Properties"), BUCKET, BUCKET_IRRELEVANT)?;
        check_encryption(&properties)?;
        let versioning = properties.child("VersioningConfiguration", &["Status"], &[])?;
        let name = names.name(logical_id)?;
        if !is_bucket_name(&name) {
            return Err(TemplateError::invalid(
                properties.place_of("BucketName"),
                format!("{name} is not a bucket name (3–63 of a–z, 0–9, - and .)"),
            ));
        }
        buckets.push(Bucket {
            logical_id: logical_id.to_owned(),
            arn: format!("arn:aws:s3:::{name}"),
            name,
            versioned: versioning.string("Status")?.as_deref() == Some("Enabled"),
            cors_rules: cors_rules(&properties)?,
            notifications: notifications(&properties)?,
            policies: Vec::new(),
        });
    }
    attach_policies(evaluated, &mut buckets)?;
    Ok(buckets)
}

/// Only encryption with S3's own keys makes no difference: with a key of KMS, callers need its permissions, and an `ETag` is
/// no longer the MD5 of the object.
fn check_encryption(bucket: &Properties) -> Result<(), TemplateError> {
    let encryption = bucket.child("BucketEncryption", &["ServerSideEncryptionConfiguration"], &[])?;
    for (index, rule) in encryption.list("ServerSideEncryptionConfiguration")?.iter().enumerate() {
        let place = format!("{}[{index}]", encryption.place_of("ServerSideEncryptionConfiguration"));
        let rule = Properties::new(rule, &place, &["ServerSideEncryptionByDefault"], &["BucketKeyEnabled"])?;
        let default = rule.child("ServerSideEncryptionByDefault", &["SSEAlgorithm"], &[])?;
        default.only("SSEAlgorithm", "AES256")?;
    }
    Ok(())
}

fn is_bucket_name(name: &str) -> bool {
    let inside =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let ends =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(inside)
        && ends(bytes.first())
        && ends(bytes.last())
}

fn cors_rules(bucket: &Properties) -> Result<Vec<BucketCorsRule>, TemplateError> {
    let cors = bucket.child("CorsConfiguration", &["CorsRules"], &[])?;
    let mut rules = Vec::new();
    for (index, rule) in cors.list("CorsRules")?.iter().enumerate() {
        let rule = Properties::new(
            rule,
            &format!("{}[{index}]", cors.place_of("CorsRules")),
            &["AllowedOrigins", "AllowedMethods", "AllowedHeaders", "ExposedHeaders", "MaxAge"],
            &["Id"],
        )?;
        rules.push(BucketCorsRule {
            allowed_origins: rule.strings("AllowedOrigins")?,
            allowed_methods: rule.strings("AllowedMethods")?,
            allowed_headers: rule.strings("AllowedHeaders")?,
            exposed_headers: rule.strings("ExposedHeaders")?,
            max_age_seconds: rule.integer("MaxAge")?,
        });
    }
    Ok(rules)
}

fn notifications(bucket: &Properties) -> Result<Vec<BucketNotification>, TemplateError> {
    let configuration = bucket.child("NotificationConfiguration", &["QueueConfigurations"], &[])?;
    let mut notifications = Vec::new();
    for (index, item) in configuration.list("QueueConfigurations")?.iter().enumerate() {
        let place = format!("{}[{index}]", configuration.place_of("QueueConfigurations"));
        let item = Properties::new(item, &place, &["Event", "Queue", "Filter"], &[])?;
        let key = item.child("Filter", &["S3Key"], &[])?.child("S3Key", &["Rules"], &[])?;
        let (mut prefix, mut suffix) = (None, None);
        for (index, rule) in key.list("Rules")?.iter().enumerate() {
            let place = format!("{}[{index}]", key.place_of("Rules"));
            let rule = Properties::new(rule, &place, &["Name", "Value"], &[])?;
            let value = Some(rule.required_string("Value")?);
            match rule.required_string("Name")?.to_ascii_lowercase().as_str() {
                "prefix" => prefix = value,
                "suffix" => suffix = value,
                other => return Err(TemplateError::at(place, Problem::Unknown(format!("filter {other}")))),
            }
        }
        notifications.push(BucketNotification {
            event: item.required_string("Event")?,
            queue_arn: item.required_string("Queue")?,
            prefix,
            suffix,
        });
    }
    Ok(notifications)
}

fn attach_policies(evaluated: &Evaluated, buckets: &mut [Bucket]) -> Result<(), TemplateError> {
    for (logical_id, properties) in evaluated.of_type("AWS::S3::BucketPolicy") {
        let properties = Properties::new(
            properties,
            &format!("{logical_id}.Properties"),
            &["Bucket", "PolicyDocument"],
            &[],
        )?;
        let name = properties.required_string("Bucket")?;
        let bucket = buckets.iter_mut().find(|bucket| bucket.name == name).ok_or_else(|| {
            TemplateError::at(properties.place_of("Bucket"), Problem::UnresolvedReference(name.clone()))
        })?;
        bucket.policies.push(policy(logical_id.to_owned(), properties.required("PolicyDocument")?)?);
    }
    Ok(())
}
