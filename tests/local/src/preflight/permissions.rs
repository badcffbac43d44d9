//! What deploying the template asks of whoever does it.

/// Actions that every deployment needs.
const DEPLOYING: &[&str] = &[
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplateSummary",
    "s3:GetObject",
    "s3:PutObject",
];

/// Those that make a resource of each type, also of what SAM makes of a function and an API.
const CREATING: &[(&str, &[&str])] = &[
    (
        "AWS::Serverless::Function",
        &[
            "events:PutRule",
            "events:PutTargets",
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:GetRole",
            "iam:PassRole",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            // SAM tags what it makes.
            "iam:TagRole",
            "lambda:AddPermission",
            "lambda:CreateEventSourceMapping",
            "lambda:CreateFunction",
            "lambda:GetFunction",
            "lambda:InvokeFunction",
            "lambda:PutFunctionRecursionConfig",
            "lambda:TagResource",
        ],
    ),
    (
        "AWS::Serverless::HttpApi",
        &["apigateway:GET", "apigateway:POST", "apigateway:PUT", "logs:CreateLogDelivery"],
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            "dynamodb:CreateTable",
            "dynamodb:DescribeTable",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateTimeToLive",
        ],
    ),
    (
        "AWS::S3::Bucket",
        &[
            "s3:CreateBucket",
            "s3:PutBucketCORS",
            "s3:PutBucketNotification",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ],
    ),
    ("AWS::S3::BucketPolicy", &["s3:PutBucketPolicy"]),
    ("AWS::SQS::Queue", &["sqs:CreateQueue", "sqs:GetQueueAttributes"]),
    ("AWS::SQS::QueuePolicy", &["sqs:SetQueueAttributes"]),
    ("AWS::IAM::ManagedPolicy", &["iam:CreatePolicy", "iam:GetPolicy"]),
    ("AWS::IAM::Role", &["iam:CreateRole", "iam:GetRole"]),
    ("AWS::SecretsManager::Secret", &["secretsmanager:CreateSecret", "secretsmanager:TagResource"]),
    ("AWS::Logs::LogGroup", &["logs:CreateLogGroup", "logs:PutRetentionPolicy"]),
    ("AWS::CloudWatch::Alarm", &["cloudwatch:PutMetricAlarm"]),
    ("AWS::CloudWatch::Dashboard", &["cloudwatch:PutDashboard"]),
    ("AWS::SNS::Topic", &["sns:CreateTopic", "sns:GetTopicAttributes"]),
    ("AWS::SNS::TopicPolicy", &["sns:SetTopicAttributes"]),
    ("AWS::SNS::Subscription", &["sns:Subscribe"]),
];

/// The same of the resources that only a stack with a CDN has.
const CREATING_CDN: &[(&str, &[&str])] = &[
    (
        "AWS::CloudFront::Distribution",
        &["cloudfront:CreateDistribution", "cloudfront:GetDistribution", "cloudfront:TagResource"],
    ),
    ("AWS::CloudFront::KeyGroup", &["cloudfront:CreateKeyGroup"]),
    ("AWS::CloudFront::OriginAccessControl", &["cloudfront:CreateOriginAccessControl"]),
    ("AWS::CloudFront::ResponseHeadersPolicy", &["cloudfront:CreateResponseHeadersPolicy"]),
    ("AWS::CloudFront::CachePolicy", &["cloudfront:CreateCachePolicy"]),
];

/// Every action that is needed, once.
pub(super) fn needed(with_cdn: bool) -> Vec<&'static str> {
    let cdn = if with_cdn { CREATING_CDN } else { &[] };
    let creating = CREATING.iter().chain(cdn).flat_map(|(_, actions)| actions.iter());
    let mut needed: Vec<_> = DEPLOYING.iter().chain(creating).copied().collect();
    needed.sort_unstable();
    needed.dedup();
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_template_has_its_actions() {
        let template = crate::template::read(&crate::Options::default().template).unwrap();
        let resources = template["Resources"].as_object().unwrap();
        let types = resources.values().map(|resource| resource["Type"].as_str().unwrap());
        for resource_type in types.filter(|name| !name.starts_with("Custom::")) {
            let mut known = CREATING.iter().chain(CREATING_CDN).map(|(name, _)| *name);
            assert!(known.any(|name| name == resource_type), "{resource_type}");
        }
    }

    #[test]
    fn actions_are_named_once_and_cloudfront_only_for_a_cdn() {
        let (without, with) = (needed(false), needed(true));
        assert!(without.iter().all(|action| !action.starts_with("cloudfront:")));
        assert!(with.len() > without.len() && without.contains(&"iam:CreateRole"));
    }
}
