#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::json;

use super::*;

const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test}
  CorsOrigins: {Type: CommaDelimitedList, Default: "https://a.example,http://localhost:5173"}
  VisibilityTimeout: {Type: Number, Default: 180, MinValue: 1}
Conditions:
  WithCdn: !Equals [!Ref Stage, cdn]
Globals:
  Function:
    Timeout: 10
    MemorySize: 256
    Environment:
      Variables:
        TABLE_NAME: !Ref MediaTable
        STAGE: !Ref Stage
  HttpApi:
    CorsConfiguration:
      AllowOrigins: !Ref CorsOrigins
      AllowMethods: [GET, POST]
      MaxAge: 600
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
  MediaTable:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: PK, AttributeType: S}]
      KeySchema: [{AttributeName: PK, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
  IngestBucket:
    Type: AWS::S3::Bucket
    DependsOn: IngestQueuePolicy
    Properties:
      BucketName: !Sub "${AWS::StackName}-ingest-${AWS::AccountId}-${AWS::Region}"
      VersioningConfiguration: {Status: Enabled}
      CorsConfiguration:
        CorsRules: [{AllowedOrigins: !Ref CorsOrigins, AllowedMethods: [PUT], AllowedHeaders: ["*"], MaxAge: 3000}]
      NotificationConfiguration:
        QueueConfigurations:
          - Event: s3:ObjectCreated:*
            Queue: !GetAtt IngestQueue.Arn
            Filter: {S3Key: {Rules: [{Name: prefix, Value: uploads/}]}}
  IngestQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !Ref VisibilityTimeout
      MaximumMessageSize: 4096
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn, maxReceiveCount: 3}
  DeadLetterQueue: {Type: AWS::SQS::Queue}
  IngestQueuePolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref IngestQueue]
      PolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: sqs:SendMessage, Resource: "*"}]}
  UploadRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub "${AWS::StackName}-upload"
      AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {AWS: !GetAtt CreateMediaFunctionRole.Arn}, Action: sts:AssumeRole}]}
  AssumeUploadRole:
    Type: AWS::IAM::RolePolicy
    Properties:
      RoleName: !Ref CreateMediaFunctionRole
      PolicyName: assume
      PolicyDocument: {Statement: [{Effect: Allow, Action: sts:AssumeRole, Resource: !GetAtt UploadRole.Arn}]}
  UploadRoleReads:
    Type: AWS::IAM::RolePolicy
    Properties:
      RoleName: !Ref UploadRole
      PolicyName: reads
      PolicyDocument: {Statement: [{Effect: Allow, Action: s3:GetObject, Resource: "*"}]}
  SharedRoleFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: ping}}
    Properties: {Role: !GetAtt UploadRole.Arn}
  SigningKeys: {Type: AWS::SecretsManager::Secret, Properties: {Name: !Sub "${AWS::StackName}/keys"}}
  Keys:
    Type: Custom::SigningKeys
    Properties: {ServiceToken: !GetAtt ProvisionKeysFunction.Arn, Bits: 2048, Secrets: [!Ref SigningKeys]}
  ProvisionKeysFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: provision-keys}}
    Properties: {CodeUri: ., Handler: bootstrap, Runtime: provided.al2023}
  CreateMediaFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: create-media}}
    Properties:
      Timeout: 20
      Environment: {Variables: {JWKS: !GetAtt Keys.Jwks, MAX: 5}}
      Policies:
        - AWSLambdaBasicExecutionRole
        - Statement: [{Effect: Allow, Action: dynamodb:PutItem, Resource: !GetAtt MediaTable.Arn}]
      Events:
        Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /media, Method: post}}
        Alias: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: "/u/{token}/s3/{proxy+}", Method: ANY, TimeoutInMillis: 5000}}
        Rest: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
        Queue:
          Type: SQS
          Properties: {Queue: !GetAtt IngestQueue.Arn, BatchSize: 5, FunctionResponseTypes: [ReportBatchItemFailures], ScalingConfig: {MaximumConcurrency: 4}}
        Sweep: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(5 minutes), Input: '{"a":1}'}}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub "/aws/lambda/${CreateMediaFunction}"}}
  EdgeFunction: {Type: AWS::CloudFront::Function, Condition: WithCdn, Properties: {Name: edge}}
Outputs:
  Url: {Value: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
  Cdn: {Condition: WithCdn, Value: !Ref EdgeFunction}
"#;

fn tree() -> Value {
    parse(TEMPLATE).unwrap()
}

fn keys() -> Provisioned {
    let answer = ProvisionedResource {
        physical_id: "keys-1".to_owned(),
        attributes: [("Jwks".to_owned(), "{}".to_owned())].into(),
        properties: Value::Null,
    };
    [("Keys".to_owned(), answer)].into()
}

fn stack() -> Stack {
    let resolution = Template::new(&tree(), Settings::default()).unwrap().resolve(&keys()).unwrap();
    assert!(resolution.pending.is_empty());
    resolution.stack
}

/// The template with one value replaced, resolved as far as it goes.
fn error_with(pointer: &str, value: Value) -> String {
    let mut tree = tree();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = tree.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")).as_object_mut().unwrap();
    parent.insert(key.to_owned(), value);
    Template::new(&tree, Settings::default())
        .and_then(|template| template.resolve(&keys()))
        .unwrap_err()
        .to_string()
}

#[test]
fn functions_carry_globals_names_environment_and_policies() {
    let stack = stack();
    let function = &stack.functions["CreateMediaFunction"];

    assert_eq!(function.name, "media-platform-CreateMediaFunction");
    assert_eq!(
        function.arn,
        "arn:aws:lambda:us-east-1:000000000000:function:media-platform-CreateMediaFunction"
    );
    assert_eq!(function.role_arn, "arn:aws:iam::000000000000:role/media-platform-CreateMediaFunctionRole");
    assert_eq!(function.binary, "create-media");
    assert_eq!(function.timeout, Duration::from_secs(20));
    assert_eq!(function.memory_mib, 256);
    let environment =
        [("JWKS", "{}"), ("MAX", "5"), ("STAGE", "test"), ("TABLE_NAME", "media-platform-MediaTable")];
    assert_eq!(
        function.environment,
        environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    );
    let sources: Vec<&str> = function.policies.iter().map(|policy| policy.source.as_str()).collect();
    assert_eq!(sources, ["CreateMediaFunction.Policies[1]", "AssumeUploadRole"]);
    assert_eq!(
        function.policies[0].document["Statement"][0]["Resource"],
        "arn:aws:dynamodb:us-east-1:000000000000:table/media-platform-MediaTable"
    );
    assert_eq!(stack.functions["ProvisionKeysFunction"].timeout, Duration::from_secs(10));
}

#[test]
fn routes_cors_mappings_and_schedules() {
    let stack = stack();
    let mut routes: Vec<_> = stack
        .routes
        .iter()
        .map(|route| (route.method.as_deref(), route.path.as_str(), route.timeout.as_millis()))
        .collect();
    routes.sort_unstable();
    assert_eq!(
        routes,
        [
            (None, "$default", 30_000),
            (Some("ANY"), "/u/{token}/s3/{proxy+}", 5_000),
            (Some("POST"), "/media", 30_000)
        ]
    );
    let cors = stack.api_cors.unwrap();
    assert_eq!(cors.allow_origins, ["https://a.example", "http://localhost:5173"]);
    assert_eq!(cors.max_age_seconds, Some(600));
    let mapping = &stack.event_source_mappings[0];
    assert_eq!(mapping.queue_arn, "arn:aws:sqs:us-east-1:000000000000:media-platform-IngestQueue");
    assert_eq!((mapping.batch_size, mapping.report_batch_item_failures), (5, true));
    assert_eq!(mapping.maximum_concurrency, Some(4));
    assert_eq!(stack.schedules[0].expression, "rate(5 minutes)");
    assert_eq!(stack.schedules[0].input, Some(json!({"a": 1})));
    assert_eq!(stack.outputs["Url"], "https://local.execute-api.us-east-1.amazonaws.com");
    assert!(!stack.outputs.contains_key("Cdn"));
}

#[test]
fn tables_buckets_queues_roles_and_secrets() {
    let stack = stack();
    let table = &stack.tables[0];
    assert_eq!(table.create_request["TableName"], "media-platform-MediaTable");
    assert_eq!(table.create_request["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table.time_to_live_attribute.as_deref(), Some("expires_at"));
    let bucket = &stack.buckets[0];
    assert_eq!(bucket.name, "media-platform-ingest-000000000000-us-east-1");
    assert!(bucket.versioned);
    assert_eq!(bucket.cors_rules[0].allowed_origins.len(), 2);
    assert_eq!(bucket.notifications[0].prefix.as_deref(), Some("uploads/"));
    let queue = stack.queue(&bucket.notifications[0].queue_arn).unwrap();
    assert_eq!(queue.url, "https://sqs.us-east-1.amazonaws.com/000000000000/media-platform-IngestQueue");
    assert_eq!(queue.visibility_timeout, Duration::from_mins(3));
    assert_eq!(queue.maximum_message_bytes, 4096);
    let dead = stack.queue(&queue.redrive.as_ref().unwrap().dead_letter_queue_arn).unwrap();
    assert_eq!(dead.maximum_message_bytes, 1_048_576);
    assert_eq!(queue.redrive.as_ref().unwrap().max_receive_count, 3);
    assert_eq!(queue.policies[0].source, "IngestQueuePolicy");
    let role = &stack.roles[0];
    assert_eq!(role.name, "media-platform-upload");
    assert_eq!(
        role.trust.document["Statement"][0]["Principal"]["AWS"],
        stack.functions["CreateMediaFunction"].role_arn.as_str()
    );
    assert_eq!(role.policies[0].source, "UploadRoleReads");
    let function = &stack.functions["SharedRoleFunction"];
    assert_eq!((&function.role_arn, function.policies[0].source.as_str()), (&role.arn, "UploadRoleReads"));
    assert!(
        stack.secrets[0]
            .arn
            .starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:media-platform/keys-")
    );
    assert_eq!(stack.custom_resources[0].properties["Bits"], "2048");
    assert_eq!(stack.custom_resources[0].properties["Secrets"][0], stack.secrets[0].arn.as_str());
}

#[test]
fn what_depends_on_a_custom_resource_waits_for_it() {
    let template = Template::new(&tree(), Settings::default()).unwrap();
    let first = template.resolve(&Provisioned::new()).unwrap();

    assert!(first.stack.functions.contains_key("ProvisionKeysFunction"));
    assert!(!first.stack.functions.contains_key("CreateMediaFunction"));
    assert_eq!(first.stack.tables.len(), 1);
    assert!(first.stack.outputs.is_empty());
    let [pending] = first.pending.as_slice() else { panic!("{:?}", first.pending) };
    assert_eq!((pending.logical_id.as_str(), pending.function.as_str()), ("Keys", "ProvisionKeysFunction"));
    assert_eq!(pending.resource_type, "Custom::SigningKeys");
    assert_eq!(
        pending.properties["ServiceToken"],
        first.stack.functions["ProvisionKeysFunction"].arn.as_str()
    );
}

#[test]
fn parameters_reach_the_stack_and_conditions_decide() {
    let parameters = [("VisibilityTimeout".to_owned(), "20".to_owned())].into();
    let settings = Settings { parameters, ..Settings::default() };
    let stack = Template::new(&tree(), settings).unwrap().resolve(&keys()).unwrap().stack;
    assert_eq!(
        stack
            .queues
            .iter()
            .find(|queue| queue.logical_id == "IngestQueue")
            .unwrap()
            .visibility_timeout
            .as_secs(),
        20
    );

    let parameters = [("Stage".to_owned(), "cdn".to_owned())].into();
    let settings = Settings { parameters, ..Settings::default() };
    let error = Template::new(&tree(), settings).unwrap().resolve(&keys()).unwrap_err().to_string();
    assert_eq!(
        error,
        "EdgeFunction: resource type AWS::CloudFront::Function is not supported by the local stack"
    );
}

#[test]
#[allow(clippy::too_many_lines)]
fn every_mistake_is_named_with_its_place() {
    let function = "/Resources/CreateMediaFunction";
    let event = "/Resources/CreateMediaFunction/Properties/Events";
    let route = |path: &str| json!({"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, "Path": path, "Method": "GET"}});
    let cases = [
        ("/Mappings".to_owned(), json!({}), "template: Mappings is not known"),
        ("/Transform".to_owned(), json!("Other"), "template.Transform: Transform: Other"),
        ("/Resources/Logs/Type".to_owned(), json!("AWS::EC2::Instance"), "resource type AWS::EC2::Instance"),
        (format!("{function}/CreationPolicy"), json!({}), "CreateMediaFunction: CreationPolicy"),
        (
            format!("{function}/DependsOn"),
            json!("Nope"),
            "CreateMediaFunction.DependsOn: Nope refers to nothing",
        ),
        (format!("{function}/Condition"), json!("Nope"), "condition Nope is not declared"),
        (format!("{function}/Metadata"), json!({}), "CreateMediaFunction.Metadata.BuildProperties.Binary"),
        (format!("{function}/Properties/Layers"), json!([]), "CreateMediaFunction.Properties: Layers"),
        (format!("{function}/Properties/Timeout"), json!(901), "CreateMediaFunction.Properties.Timeout"),
        (
            format!("{function}/Properties/Timeout"),
            json!("soon"),
            "expected a non-negative integer, found \"soon\"",
        ),
        (
            format!("{function}/Properties/Policies"),
            json!([{"SQSPollerPolicy": {}}]),
            "Policies[0]: policy template SQSPollerPolicy",
        ),
        (
            format!("{function}/Properties/Policies"),
            json!(["AdministratorAccess"]),
            "managed policy AdministratorAccess",
        ),
        (
            format!("{function}/Properties/Environment/Variables/AWS_REGION"),
            json!("x"),
            "Variables.AWS_REGION: is reserved",
        ),
        (format!("{function}/Properties/Environment/Variables/BIG"), json!("x".repeat(4096)), "at most 4096"),
        (
            format!("{function}/Properties/Environment/Variables/X"),
            json!({"Fn::GetAtt": ["MediaTable", "StreamArn"]}),
            "no attribute StreamArn",
        ),
        (
            format!("{function}/Properties/Environment/Variables/X"),
            json!({"Fn::GetAtt": ["Keys", "Nope"]}),
            "no attribute Nope",
        ),
        (
            format!("{function}/Properties/Environment/Variables/X"),
            json!({"Ref": "EdgeFunction"}),
            "its condition WithCdn is false",
        ),
        (
            format!("{function}/Properties/Environment/Variables/X"),
            json!({"Fn::ImportValue": "y"}),
            "CreateMediaFunction.Properties.Environment.Variables.X.Fn::ImportValue",
        ),
        (
            format!("{function}/Properties/Environment/Variables/X"),
            json!({"Ref": "Api"}),
            "circular dependency: Api → CreateMediaFunction → Api",
        ),
        (
            format!("{event}/Slash"),
            route("/media/"),
            "Events.Slash.Properties.Path: /media/: API Gateway has no route that ends in /",
        ),
        (format!("{event}/Double"), route("/a//b"), "segment is empty"),
        (format!("{event}/Greedy"), route("/{a+}/b"), "must be the last segment"),
        (format!("{event}/Part"), route("/a-{b}"), "whole segment"),
        (
            format!("{event}/Twice"),
            json!({"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, "Path": "/u/{x}/s3/{y+}", "Method": "any"}}),
            "declared twice",
        ),
        (format!("{event}/Bucket"), json!({"Type": "S3", "Properties": {}}), "event type S3"),
        (
            format!("{event}/V1"),
            json!({"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, "PayloadFormatVersion": "1.0"}}),
            "PayloadFormatVersion: 1.0",
        ),
        (format!("{event}/Queue/Properties/FilterCriteria"), json!({}), "FilterCriteria is not known"),
        (format!("{event}/Queue/Properties/BatchSize"), json!(100), "BatchSize 100"),
        (
            format!("{event}/Queue/Properties/MaximumBatchingWindowInSeconds"),
            json!(5),
            "MaximumBatchingWindowInSeconds: 5",
        ),
        (
            "/Resources/IngestQueue/Properties/VisibilityTimeout".to_owned(),
            json!(19),
            "CreateMediaFunction.Properties.Events.Queue.Properties.Queue: Queue visibility timeout: 19 seconds is \
             less than Function timeout: 20 seconds",
        ),
        (format!("{event}/Sweep/Properties/RetryPolicy"), json!({}), "RetryPolicy is not known"),
        (
            format!("{event}/Sweep/Properties/FlexibleTimeWindow"),
            json!({"Mode": "FLEXIBLE"}),
            "FlexibleTimeWindow.Mode",
        ),
        (format!("{event}/Post/Properties/RouteSettings"), json!({}), "RouteSettings is not known"),
        (
            format!("{function}/Properties/ReservedConcurrentExecutions"),
            json!(1),
            "CreateMediaFunction.Properties: ReservedConcurrentExecutions",
        ),
        (
            "/Resources/Api/Properties".to_owned(),
            json!({"DefaultRouteSettings": {"LoggingLevel": "INFO"}}),
            "Api.Properties.DefaultRouteSettings: LoggingLevel",
        ),
        (
            "/Resources/IngestBucket/Properties/WebsiteConfiguration".to_owned(),
            json!({}),
            "IngestBucket.Properties: WebsiteConfiguration",
        ),
        ("/Resources/IngestBucket/Properties/BucketName".to_owned(), json!("Upper"), "not a bucket name"),
        (
            "/Resources/MediaTable/Properties/StreamSpecification".to_owned(),
            json!({}),
            "MediaTable.Properties: StreamSpecification",
        ),
        (
            "/Resources/IngestBucket/Properties/BucketEncryption".to_owned(),
            json!({"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}),
            "SSEAlgorithm: aws:kms (only AES256)",
        ),
        (
            "/Resources/MediaTable/Properties/SSESpecification".to_owned(),
            json!({"KMSMasterKeyId": "key"}),
            "MediaTable.Properties.SSESpecification: KMSMasterKeyId",
        ),
        (
            "/Resources/MediaTable/Properties/OnDemandThroughput".to_owned(),
            json!({}),
            "MediaTable.Properties: OnDemandThroughput",
        ),
        ("/Resources/IngestQueue/Properties/FifoQueue".to_owned(), json!(true), "FifoQueue: true"),
        (
            "/Resources/IngestQueue/Properties/RedriveAllowPolicy".to_owned(),
            json!({}),
            "IngestQueue.Properties: RedriveAllowPolicy",
        ),
        (
            "/Resources/IngestQueue/Properties/ReceiveMessageWaitTimeSeconds".to_owned(),
            json!(20),
            "ReceiveMessageWaitTimeSeconds: 20 (only 0)",
        ),
        (
            "/Resources/IngestQueue/Properties/MaximumMessageSize".to_owned(),
            json!(1023),
            "must be 1024–1048576 bytes",
        ),
        (
            "/Resources/IngestQueue/Properties/KmsMasterKeyId".to_owned(),
            json!("alias/aws/sqs"),
            "IngestQueue.Properties: KmsMasterKeyId",
        ),
        (
            "/Resources/SigningKeys/Properties/GenerateSecretString".to_owned(),
            json!({}),
            "GenerateSecretString",
        ),
        (
            "/Resources/Keys/Properties/ServiceToken".to_owned(),
            json!("arn:other"),
            "Keys.Properties.ServiceToken",
        ),
        (
            "/Resources/AssumeUploadRole/Properties/RoleName".to_owned(),
            json!("other"),
            "other refers to nothing",
        ),
        ("/Resources/Second".to_owned(), json!({"Type": "AWS::Serverless::HttpApi"}), "a second HTTP API"),
    ];
    for (pointer, value, message) in cases {
        let error = error_with(&pointer, value);
        assert!(error.contains(message), "{pointer}: {error}");
    }
}

#[test]
fn a_provider_that_needs_its_own_answer_is_a_circle() {
    let mut tree = tree();
    tree["Globals"]["Function"]["Environment"]["Variables"]["JWKS"] = json!({"Fn::GetAtt": ["Keys", "Jwks"]});
    let error = Template::new(&tree, Settings::default()).unwrap_err().to_string();
    assert!(error.contains("Keys → ProvisionKeysFunction → Keys"), "{error}");
}
