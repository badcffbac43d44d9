//! Names, ARNs and attributes: what `Ref` and `Fn::GetAtt` of each resource type answer. A resource without a name of
//! its own is called `{stack}-{logical id}`, where AWS would add random characters. CloudFront's resources are known by ids
//! that nobody can choose; theirs are derived from that name.

use serde_json::Value;

use super::Template;
use super::error::{Problem, TemplateError};
use super::evaluate::{Scope, evaluate};
use super::properties::text;
use super::provisioned::Provisioned;

/// Parameters, pseudo parameters and resources, with what custom resources have answered so far.
pub(super) struct Names<'a> {
    pub(super) template: &'a Template,
    pub(super) provisioned: &'a Provisioned,
}

/// What the types of CloudFront's resources begin with.
const CLOUDFRONT: &str = "AWS::CloudFront::";

/// The property that names a resource of this type.
fn name_property(resource_type: &str) -> Option<&'static str> {
    Some(match resource_type {
        "AWS::Serverless::Function" => "FunctionName",
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::IAM::RolePolicy" => "PolicyName",
        "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
        "AWS::SecretsManager::Secret" => "Name",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::CloudWatch::Alarm" => "AlarmName",
        "AWS::CloudWatch::Dashboard" => "DashboardName",
        "AWS::SNS::Topic" => "TopicName",
        _ => return None,
    })
}

impl Names<'_> {
    /// The physical name of a resource; the id of one of CloudFront's.
    pub(super) fn name(&self, logical_id: &str) -> Result<String, TemplateError> {
        let template = self.template;
        let resource = template.resources.get(logical_id);
        let declared = resource.and_then(|resource| {
            let property = name_property(&resource.resource_type)?;
            Some((property, resource.properties.get(property)?))
        });
        if let Some((property, value)) = declared {
            let place = format!("{logical_id}.Properties.{property}");
            if let Some(name) = evaluate(value, self, &place)? {
                return text(&name, &place);
            }
        }
        let name = format!("{}-{logical_id}", template.settings.stack_name);
        Ok(match resource {
            Some(resource) if resource.resource_type == "AWS::S3::Bucket" => name.to_lowercase(),
            Some(resource) if resource.resource_type.starts_with(CLOUDFRONT) => {
                format!("E{}", derived(&name, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 12))
            }
            _ => name,
        })
    }

    /// The ARN of a resource that has one.
    pub(super) fn arn(&self, logical_id: &str) -> Result<Option<String>, TemplateError> {
        let settings = &self.template.settings;
        let Some(resource_type) = self.template.type_of(logical_id) else { return Ok(None) };
        let name = self.name(logical_id)?;
        let regional =
            |service: &str| format!("arn:aws:{service}:{}:{}", settings.region, settings.account_id);
        Ok(Some(match resource_type {
            "AWS::Serverless::Function" => format!("{}:function:{name}", regional("lambda")),
            "AWS::DynamoDB::Table" => format!("{}:table/{name}", regional("dynamodb")),
            "AWS::S3::Bucket" => format!("arn:aws:s3:::{name}"),
            "AWS::SQS::Queue" => format!("{}:{name}", regional("sqs")),
            "AWS::IAM::Role" => format!("arn:aws:iam::{}:role/{name}", settings.account_id),
            "AWS::IAM::ManagedPolicy" => format!("arn:aws:iam::{}:policy/{name}", settings.account_id),
            "AWS::SecretsManager::Secret" => {
                format!("{}:secret:{name}-{}", regional("secretsmanager"), secret_suffix(&name))
            }
            "AWS::Logs::LogGroup" => format!("{}:log-group:{name}:*", regional("logs")),
            "AWS::CloudWatch::Alarm" => format!("{}:alarm:{name}", regional("cloudwatch")),
            "AWS::CloudFront::Distribution" => {
                format!("arn:aws:cloudfront::{}:distribution/{name}", settings.account_id)
            }
            "AWS::SNS::Topic" => format!("{}:{name}", regional("sns")),
            _ => return Ok(None),
        }))
    }

    /// The URL of a queue, as on AWS.
    pub(super) fn queue_url(&self, logical_id: &str) -> Result<String, TemplateError> {
        let settings = &self.template.settings;
        Ok(format!(
            "https://sqs.{}.amazonaws.com/{}/{}",
            settings.region,
            settings.account_id,
            self.name(logical_id)?
        ))
    }

    fn pseudo_parameter(&self, name: &str, place: &str) -> Result<Option<Value>, TemplateError> {
        let settings = &self.template.settings;
        Ok(Some(Value::String(match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::Region" => settings.region.clone(),
            "AWS::AccountId" => settings.account_id.clone(),
            "AWS::StackName" => settings.stack_name.clone(),
            "AWS::StackId" => settings.stack_id(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => return Err(TemplateError::at(place, Problem::UnresolvedReference(name.to_owned()))),
        })))
    }

    fn unresolved(&self, name: &str, place: &str) -> TemplateError {
        let problem = match self.template.absent.get(name) {
            Some(condition) => {
                Problem::ConditionFalse { resource: name.to_owned(), condition: condition.clone() }
            }
            None => Problem::UnresolvedReference(name.to_owned()),
        };
        TemplateError::at(place, problem)
    }

    fn provisioned(&self, name: &str, place: &str) -> Result<&super::ProvisionedResource, TemplateError> {
        self.provisioned
            .get(name)
            .ok_or_else(|| TemplateError::invalid(place, format!("{name} has not been provisioned yet")))
    }
}

impl Scope for Names<'_> {
    fn reference(&self, name: &str, place: &str) -> Result<Option<Value>, TemplateError> {
        if name.starts_with("AWS::") {
            return self.pseudo_parameter(name, place);
        }
        if let Some(value) = self.template.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        let resource_type = self.template.type_of(name).ok_or_else(|| self.unresolved(name, place))?;
        Ok(Some(Value::String(match resource_type {
            "AWS::SQS::Queue" => self.queue_url(name)?,
            "AWS::Serverless::HttpApi" => self.template.settings.api_id.clone(),
            "AWS::SecretsManager::Secret" | "AWS::IAM::ManagedPolicy" | "AWS::SNS::Topic" => {
                self.arn(name)?.unwrap_or_default()
            }
            custom if is_custom(custom) => self.provisioned(name, place)?.physical_id.clone(),
            _ => self.name(name)?,
        })))
    }

    fn attribute(&self, resource: &str, attribute: &str, place: &str) -> Result<Value, TemplateError> {
        let resource_type =
            self.template.type_of(resource).ok_or_else(|| self.unresolved(resource, place))?;
        let settings = &self.template.settings;
        let value = match (resource_type, attribute) {
            (custom, _) if is_custom(custom) => {
                self.provisioned(resource, place)?.attributes.get(attribute).cloned()
            }
            ("AWS::Serverless::HttpApi", "ApiId") => Some(settings.api_id.clone()),
            ("AWS::Serverless::HttpApi", "ApiEndpoint") => Some(settings.api_url.clone()),
            ("AWS::S3::Bucket", "DomainName") => Some(format!("{}.s3.amazonaws.com", self.name(resource)?)),
            ("AWS::S3::Bucket", "RegionalDomainName") => {
                Some(format!("{}.s3.{}.amazonaws.com", self.name(resource)?, settings.region))
            }
            ("AWS::SQS::Queue", "QueueName") => Some(self.name(resource)?),
            ("AWS::SQS::Queue", "QueueUrl") => Some(self.queue_url(resource)?),
            ("AWS::CloudFront::Distribution", "DomainName") => Some(settings.cdn_domain_name.clone()),
            // Of a distribution, CloudFormation tells no ARN.
            ("AWS::CloudFront::Distribution", "Arn") => None,
            (cloudfront, "Id") if cloudfront.starts_with(CLOUDFRONT) => Some(self.name(resource)?),
            ("AWS::SecretsManager::Secret", "Id") | (_, "Arn") => self.arn(resource)?,
            _ => None,
        };
        value.map(Value::String).ok_or_else(|| {
            TemplateError::at(
                place,
                Problem::UnknownAttribute {
                    resource: resource.to_owned(),
                    resource_type: resource_type.to_owned(),
                    attribute: attribute.to_owned(),
                },
            )
        })
    }

    fn condition(&self, name: &str, place: &str) -> Result<bool, TemplateError> {
        self.template
            .conditions
            .get(name)
            .copied()
            .ok_or_else(|| TemplateError::at(place, Problem::UnknownCondition(name.to_owned())))
    }
}

/// Custom resources are provisioned by a function.
pub(super) fn is_custom(resource_type: &str) -> bool {
    resource_type.starts_with("Custom::") || resource_type == "AWS::CloudFormation::CustomResource"
}

/// Six characters that stand for the random ones at the end of a secret's ARN.
fn secret_suffix(name: &str) -> String {
    derived(name, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 6)
}

/// Characters that stand for random ones; the same for the same name (FNV-1a).
fn derived(name: &str, alphabet: &[u8], length: usize) -> String {
    let mut hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let base = alphabet.len() as u64;
    (0..length)
        .map(|_| {
            let index = usize::try_from(hash % base).unwrap_or_default();
            hash /= base;
            char::from(alphabet[index])
        })
        .collect()
}
