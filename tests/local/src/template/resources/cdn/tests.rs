#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::*;
use crate::stack::{AddedHeader, ForwardedQuery, Stack};
use crate::template::{Provisioned, ProvisionedResource, Settings, Template, parse};

const TEMPLATE: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  CdnEnabled: {Type: String, Default: "true"}
Conditions:
  WithCdn: !Equals [!Ref CdnEnabled, "true"]
Resources:
  Keys: {Type: Custom::Keys, Properties: {ServiceToken: !GetAtt KeysFunction.Arn}}
  KeysFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: keys}}
    Properties: {Environment: {Variables: {X: y}}}
  SignFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: sign}}
    Properties: {Environment: {Variables: {CDN_DOMAIN: !If [WithCdn, !GetAtt Cdn.DomainName, ""]}}}
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: media}}
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: cloudfront.amazonaws.com}
            Action: s3:GetObject
            Resource: !Sub ${Bucket.Arn}/*
            Condition:
              StringEquals: {AWS:SourceArn: !Sub "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Cdn}"}
  KeyGroup:
    Type: AWS::CloudFront::KeyGroup
    Condition: WithCdn
    Properties: {KeyGroupConfig: {Name: keys, Items: !Split [",", !GetAtt Keys.PublicKeyIds]}}
  Access:
    Type: AWS::CloudFront::OriginAccessControl
    Condition: WithCdn
    Properties:
      OriginAccessControlConfig:
        {Name: media, OriginAccessControlOriginType: s3, SigningBehavior: always, SigningProtocol: sigv4}
  CachePolicy:
    Type: AWS::CloudFront::CachePolicy
    Condition: WithCdn
    Properties:
      CachePolicyConfig:
        Name: media
        MinTTL: 0
        DefaultTTL: 86400
        MaxTTL: 31536000
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: false
          CookiesConfig: {CookieBehavior: none}
          HeadersConfig: {HeaderBehavior: none}
          QueryStringsConfig: {QueryStringBehavior: whitelist, QueryStrings: [response-content-disposition]}
  HeadersPolicy:
    Type: AWS::CloudFront::ResponseHeadersPolicy
    Condition: WithCdn
    Properties:
      ResponseHeadersPolicyConfig:
        Name: media
        CorsConfig:
          AccessControlAllowCredentials: false
          AccessControlAllowOrigins: {Items: ["*"]}
          AccessControlAllowMethods: {Items: [GET, HEAD]}
          AccessControlAllowHeaders: {Items: [Range]}
          AccessControlExposeHeaders: {Items: [ETag]}
          AccessControlMaxAgeSec: 600
          OriginOverride: true
        SecurityHeadersConfig:
          ContentTypeOptions: {Override: true}
          StrictTransportSecurity: {AccessControlMaxAgeSec: 60, IncludeSubdomains: true, Override: false}
        CustomHeadersConfig: {Items: [{Header: X-Robots-Tag, Value: noindex, Override: false}]}
        RemoveHeadersConfig: {Items: [{Header: X-Amz-Version-Id}]}
  Cdn:
    Type: AWS::CloudFront::Distribution
    Condition: WithCdn
    Properties:
      DistributionConfig:
        Enabled: true
        HttpVersion: http2and3
        PriceClass: PriceClass_100
        Origins:
          - Id: media
            DomainName: !GetAtt Bucket.RegionalDomainName
            OriginAccessControlId: !GetAtt Access.Id
            S3OriginConfig: {OriginAccessIdentity: ""}
        CacheBehaviors:
          - PathPattern: media/*/thumbnail/*
            TargetOriginId: media
            ViewerProtocolPolicy: redirect-to-https
            CachePolicyId: !Ref CachePolicy
        DefaultCacheBehavior:
          TargetOriginId: media
          ViewerProtocolPolicy: redirect-to-https
          AllowedMethods: [GET, HEAD, OPTIONS]
          CachePolicyId: !Ref CachePolicy
          OriginRequestPolicyId: 88a5eaf4-2fd4-4709-b370-b4c650ea3fcf
          ResponseHeadersPolicyId: !Ref HeadersPolicy
          TrustedKeyGroups: [!Ref KeyGroup]
Outputs:
  CdnDomain: {Condition: WithCdn, Value: !GetAtt Cdn.DomainName}
"#;

fn keys() -> Provisioned {
    let answer = ProvisionedResource {
        physical_id: "keys-1".to_owned(),
        attributes: [("PublicKeyIds".to_owned(), "K1,K2,K3".to_owned())].into(),
        properties: Value::Null,
    };
    [("Keys".to_owned(), answer)].into()
}

fn resolve(tree: &Value, parameters: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Settings { parameters: parameters.collect(), ..Settings::default() };
    let mut template = Template::new(tree, settings)?;
    assert_eq!(template.has_distribution(), template.resources.contains_key("Cdn"));
    template.set_cdn_domain_name("127.0.0.1:4001".to_owned());
    template.resolve(&keys()).map(|resolution| resolution.stack)
}

#[test]
fn a_distribution_has_everything_that_it_refers_to() {
    let stack = resolve(&parse(TEMPLATE).unwrap(), &[]).unwrap();
    let cdn = stack.distribution.unwrap();
    assert_eq!(cdn.domain_name, "127.0.0.1:4001");
    assert_eq!(stack.outputs["CdnDomain"], cdn.domain_name);
    assert_eq!(stack.functions["SignFunction"].environment["CDN_DOMAIN"], cdn.domain_name);
    assert_eq!(cdn.arn, format!("arn:aws:cloudfront::000000000000:distribution/{}", cdn.id));
    let source = &stack.buckets[0].policies[0].document["Statement"][0]["Condition"]["StringEquals"];
    assert_eq!(source["AWS:SourceArn"], cdn.arn);
    assert_eq!(stack.key_groups[0].public_key_ids, ["K1", "K2", "K3"]);

    let default = &cdn.default_cache_behavior;
    assert_eq!(default.bucket, "media");
    assert_eq!(default.allowed_methods, ["GET", "HEAD", "OPTIONS"]);
    assert_eq!(default.trusted_key_groups, [stack.key_groups[0].id.as_str()]);
    assert_eq!(
        default.forwarded_query,
        ForwardedQuery::Only(vec!["response-content-disposition".to_owned()])
    );
    assert_eq!(default.forwarded_headers, policies_headers());
    let headers = &default.response_headers;
    assert_eq!(headers.removed, ["x-amz-version-id"]);
    let added = |name: &str, value: &str, overrides_origin| AddedHeader {
        name: name.to_owned(),
        value: value.to_owned(),
        overrides_origin,
    };
    assert_eq!(
        headers.added,
        [
            added("x-content-type-options", "nosniff", true),
            added("strict-transport-security", "max-age=60; includeSubDomains", false),
            added("x-robots-tag", "noindex", false),
        ]
    );
    let cors = headers.cors.as_ref().unwrap();
    assert_eq!((cors.allow_origins.as_slice(), cors.max_age_seconds), (&["*".to_owned()][..], Some(600)));
    assert!(cors.overrides_origin && !cors.allow_credentials);

    let [(pattern, thumbnails)] = cdn.cache_behaviors.as_slice() else { panic!() };
    assert_eq!(pattern, "media/*/thumbnail/*");
    assert_eq!(thumbnails.allowed_methods, ["GET", "HEAD"]);
    assert!(thumbnails.trusted_key_groups.is_empty() && thumbnails.response_headers.cors.is_none());
}

fn policies_headers() -> [&'static str; 3] {
    ["access-control-request-headers", "access-control-request-method", "origin"]
}

#[test]
fn without_its_condition_there_is_none() {
    let mut tree = parse(TEMPLATE).unwrap();
    tree["Resources"]["BucketPolicy"]["Condition"] = json!("WithCdn");
    let stack = resolve(&tree, &[("CdnEnabled", "false")]).unwrap();
    assert!(stack.distribution.is_none() && stack.key_groups.is_empty());
    assert_eq!(stack.functions["SignFunction"].environment["CDN_DOMAIN"], "");
    assert!(!stack.outputs.contains_key("CdnDomain"));
}

#[test]
fn what_waits_for_the_keys_comes_with_them() {
    let template = Template::new(&parse(TEMPLATE).unwrap(), Settings::default()).unwrap();
    let first = template.resolve(&Provisioned::new()).unwrap();
    assert_eq!(first.pending.len(), 1);
    assert!(first.stack.distribution.is_none() && first.stack.key_groups.is_empty());
    assert!(!first.stack.functions.contains_key("SignFunction"));
}

#[test]
#[allow(clippy::too_many_lines)]
fn every_mistake_is_named_with_its_place() {
    let cdn = |path: &str| format!("/Resources/Cdn/Properties/DistributionConfig{path}");
    let of =
        |resource: &str, name: &str, path: &str| format!("/Resources/{resource}/Properties/{name}{path}");
    let cases = [
        (cdn("/Aliases"), json!(["a.example"]), "Cdn.Properties.DistributionConfig: Aliases is not known"),
        (cdn("/Enabled"), json!(false), "Cdn.Properties.DistributionConfig.Enabled: Enabled: false"),
        (cdn("/DefaultRootObject"), json!("index.html"), "DefaultRootObject: index.html"),
        (cdn("/HttpVersion"), json!("http4"), "unknown version http4"),
        (cdn("/ViewerCertificate"), json!({"AcmCertificateArn": "a"}), "AcmCertificateArn is not known"),
        (
            cdn("/Restrictions"),
            json!({"GeoRestriction": {"RestrictionType": "whitelist"}}),
            "RestrictionType: whitelist",
        ),
        (
            cdn("/Origins/0/DomainName"),
            json!("example.org"),
            "Origins[0].DomainName: example.org is not the domain",
        ),
        (cdn("/Origins/0/OriginPath"), json!("/media"), "OriginPath: /media"),
        (cdn("/Origins/0/OriginAccessControlId"), json!("E1"), "OriginAccessControlId: E1 refers to nothing"),
        (cdn("/Origins/0/S3OriginConfig"), json!(null), "Origins[0]: S3OriginConfig is required"),
        (cdn("/Origins/0/OriginCustomHeaders"), json!([]), "OriginCustomHeaders is not known"),
        (cdn("/DefaultCacheBehavior"), json!(null), "DefaultCacheBehavior is required"),
        (cdn("/DefaultCacheBehavior/PathPattern"), json!("*"), "PathPattern is not known"),
        (cdn("/DefaultCacheBehavior/TargetOriginId"), json!("x"), "TargetOriginId: x refers to nothing"),
        (cdn("/DefaultCacheBehavior/CachePolicyId"), json!("x"), "CachePolicyId: x refers to nothing"),
        (
            cdn("/DefaultCacheBehavior/OriginRequestPolicyId"),
            json!("x"),
            "OriginRequestPolicyId: x refers to",
        ),
        (
            cdn("/DefaultCacheBehavior/ResponseHeadersPolicyId"),
            json!("x"),
            "ResponseHeadersPolicyId: x refers",
        ),
        (
            cdn("/DefaultCacheBehavior/TrustedKeyGroups"),
            json!(["x"]),
            "TrustedKeyGroups: x refers to nothing",
        ),
        (cdn("/DefaultCacheBehavior/TrustedSigners"), json!(["self"]), "TrustedSigners is not known"),
        (cdn("/DefaultCacheBehavior/FunctionAssociations"), json!([]), "FunctionAssociations is not known"),
        (
            cdn("/DefaultCacheBehavior/AllowedMethods"),
            json!(["GET"]),
            "AllowedMethods: must be GET and HEAD;",
        ),
        (
            cdn("/DefaultCacheBehavior/AllowedMethods"),
            json!(ALLOWED_METHODS),
            "writing through a distribution is not supported",
        ),
        (cdn("/DefaultCacheBehavior/ViewerProtocolPolicy"), json!("x"), "unknown policy x"),
        (cdn("/CacheBehaviors/0/PathPattern"), json!(null), "CacheBehaviors[0]: PathPattern is required"),
        (of("KeyGroup", "KeyGroupConfig", "/Items"), json!([]), "a key group has 1 to 5 public keys"),
        (
            of("KeyGroup", "KeyGroupConfig", ""),
            json!(null),
            "KeyGroup.Properties: KeyGroupConfig is required",
        ),
        (
            of("Access", "OriginAccessControlConfig", "/SigningBehavior"),
            json!("never"),
            "SigningBehavior: never",
        ),
        (
            of("CachePolicy", "CachePolicyConfig", "/ParametersInCacheKeyAndForwardedToOrigin/CookiesConfig"),
            json!({"CookieBehavior": "all"}),
            "CookieBehavior: all",
        ),
        (
            of("CachePolicy", "CachePolicyConfig", "/ParametersInCacheKeyAndForwardedToOrigin/HeadersConfig"),
            json!({"HeaderBehavior": "whitelist", "Headers": ["Authorization"]}),
            "forwarding Authorization is not supported",
        ),
        (
            of("HeadersPolicy", "ResponseHeadersPolicyConfig", "/ServerTimingHeadersConfig"),
            json!({"Enabled": true}),
            "ServerTimingHeadersConfig is not known",
        ),
        (
            of("HeadersPolicy", "ResponseHeadersPolicyConfig", "/CorsConfig/OriginOverride"),
            json!(null),
            "CorsConfig: OriginOverride is required",
        ),
        (
            "/Resources/Second".to_owned(),
            json!({"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {}}}),
            "Second: a second distribution is not supported",
        ),
        (
            "/Outputs/CdnDomain/Value".to_owned(),
            json!({"Fn::GetAtt": ["Cdn", "Arn"]}),
            "Cdn (AWS::CloudFront::Distribution) has no attribute Arn",
        ),
    ];
    for (pointer, value, expected) in cases {
        let mut tree = parse(TEMPLATE).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = tree.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")).as_object_mut().unwrap();
        parent.insert(key.to_owned(), value);
        let error = resolve(&tree, &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{pointer}: {error}");
    }
}
