//! `AWS::CloudFront::Distribution` and `AWS::CloudFront::KeyGroup`, and the policies that a distribution refers to.
//!
//! One distribution is served, because it has one port. Its viewers speak plain HTTP, which counts as HTTPS here: any
//! `ViewerProtocolPolicy` is met. Nothing is cached, so that what is said of lifetimes makes no difference.

mod policies;

use serde_json::Value;

use self::policies::Policies;
use super::Evaluated;
use crate::stack::{Bucket, CacheBehavior, Distribution, KeyGroup};
use crate::template::error::{Problem, TemplateError};
use crate::template::names::Names;
use crate::template::properties::Properties;

/// The most public keys of a key group, by CloudFront's quota.
const MAXIMUM_KEYS_OF_GROUP: usize = 5;

const DISTRIBUTION: &[&str] = &[
    "Enabled",
    "Origins",
    "CacheBehaviors",
    "DefaultCacheBehavior",
    "DefaultRootObject",
    "HttpVersion",
    "Restrictions",
    "ViewerCertificate",
];
/// Where viewers are served from, and records.
const DISTRIBUTION_IRRELEVANT: &[&str] = &["Comment", "IPV6Enabled", "Logging", "PriceClass"];
const ORIGIN: &[&str] = &["Id", "DomainName", "S3OriginConfig", "OriginAccessControlId", "OriginPath"];
/// How the origin is reached.
const ORIGIN_IRRELEVANT: &[&str] =
    &["ConnectionAttempts", "ConnectionTimeout", "OriginShield", "ResponseCompletionTimeout"];
const BEHAVIOR: &[&str] = &[
    "AllowedMethods",
    "CachePolicyId",
    "OriginRequestPolicyId",
    "PathPattern",
    "ResponseHeadersPolicyId",
    "SmoothStreaming",
    "TargetOriginId",
    "TrustedKeyGroups",
    "ViewerProtocolPolicy",
];
/// What is cached, and in which encoding it is sent.
const BEHAVIOR_IRRELEVANT: &[&str] = &["CachedMethods", "Compress"];

const ALLOWED_METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// What the edge of the local stack serves.
const SERVED_METHODS: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// The configuration of a resource, which CloudFormation keeps in one property of its own.
fn configuration<'a>(
    logical_id: &str,
    properties: &'a Value,
    name: &'static str,
    honoured: &[&str],
    irrelevant: &[&str],
) -> Result<Properties<'a>, TemplateError> {
    let place = format!("{logical_id}.Properties");
    let properties = Properties::new(properties, &place, &[name], &["Tags"])?;
    properties.required(name)?;
    properties.child(name, honoured, irrelevant)
}

pub(super) fn key_groups(names: &Names, evaluated: &Evaluated) -> Result<Vec<KeyGroup>, TemplateError> {
    let mut groups = Vec::new();
    for (logical_id, properties) in evaluated.of_type("AWS::CloudFront::KeyGroup") {
        let group =
            configuration(logical_id, properties, "KeyGroupConfig", &["Name", "Items"], &["Comment"])?;
        group.required_string("Name")?;
        let public_key_ids = group.strings("Items")?;
        if !(1..=MAXIMUM_KEYS_OF_GROUP).contains(&public_key_ids.len()) {
            return Err(TemplateError::invalid(
                group.place_of("Items"),
                format!("a key group has 1 to {MAXIMUM_KEYS_OF_GROUP} public keys"),
            ));
        }
        let (logical_id, id) = (logical_id.to_owned(), names.name(logical_id)?);
        groups.push(KeyGroup { logical_id, id, public_key_ids });
    }
    Ok(groups)
}

pub(super) fn distribution(
    names: &Names,
    evaluated: &Evaluated,
    buckets: &[Bucket],
    key_groups: &[KeyGroup],
) -> Result<Option<Distribution>, TemplateError> {
    let policies = Policies::read(names, evaluated)?;
    let mut distributions = evaluated.of_type("AWS::CloudFront::Distribution");
    let Some((logical_id, properties)) = distributions.next() else { return Ok(None) };
    if let Some((second, _)) = distributions.next() {
        let problem = Problem::Unsupported("a second distribution".to_owned());
        return Err(TemplateError::at(second, problem));
    }
    let distribution =
        configuration(logical_id, properties, "DistributionConfig", DISTRIBUTION, DISTRIBUTION_IRRELEVANT)?;
    distribution.required("Enabled")?;
    distribution.only("Enabled", "true")?;
    distribution.only("DefaultRootObject", "")?;
    check_http_version(&distribution)?;
    check_access(&distribution)?;
    let origins = origins(names, &distribution, buckets, &policies)?;
    let context = Context { origins: &origins, policies: &policies, key_groups };
    let mut cache_behaviors = Vec::new();
    for (index, behavior) in distribution.list("CacheBehaviors")?.iter().enumerate() {
        let place = format!("{}[{index}]", distribution.place_of("CacheBehaviors"));
        let behavior = Properties::new(behavior, &place, BEHAVIOR, BEHAVIOR_IRRELEVANT)?;
        cache_behaviors.push((behavior.required_string("PathPattern")?, context.cache_behavior(&behavior)?));
    }
    distribution.required("DefaultCacheBehavior")?;
    let default = distribution.child("DefaultCacheBehavior", BEHAVIOR, BEHAVIOR_IRRELEVANT)?;
    if default.get("PathPattern").is_some() {
        let problem = Problem::Unknown("PathPattern".to_owned());
        return Err(TemplateError::at(default.place(), problem));
    }
    Ok(Some(Distribution {
        logical_id: logical_id.to_owned(),
        id: names.name(logical_id)?,
        arn: names.arn(logical_id)?.unwrap_or_default(),
        domain_name: names.template.settings.cdn_domain_name.clone(),
        cache_behaviors,
        default_cache_behavior: context.cache_behavior(&default)?,
    }))
}

/// Every version has the same meaning; the edge of the local stack speaks HTTP/1.1.
fn check_http_version(distribution: &Properties) -> Result<(), TemplateError> {
    match distribution.string("HttpVersion")?.as_deref() {
        None | Some("http1.1" | "http2" | "http3" | "http2and3") => Ok(()),
        Some(other) => {
            let reason = format!("unknown version {other}");
            Err(TemplateError::invalid(distribution.place_of("HttpVersion"), reason))
        }
    }
}

/// Only CloudFront's own certificate and the whole world are like one port of this machine.
fn check_access(distribution: &Properties) -> Result<(), TemplateError> {
    let certificate = distribution.child(
        "ViewerCertificate",
        &["CloudFrontDefaultCertificate"],
        // Only in force with a certificate of one's own.
        &["MinimumProtocolVersion"],
    )?;
    certificate.only("CloudFrontDefaultCertificate", "true")?;
    let restrictions = distribution.child("Restrictions", &["GeoRestriction"], &[])?;
    restrictions.child("GeoRestriction", &["RestrictionType"], &[])?.only("RestrictionType", "none")
}

/// The origins by their ids: each is a bucket of the template, which CloudFront asks with signed requests.
fn origins(
    names: &Names,
    distribution: &Properties,
    buckets: &[Bucket],
    policies: &Policies,
) -> Result<Vec<(String, String)>, TemplateError> {
    let region = &names.template.settings.region;
    let mut origins = Vec::new();
    for (index, origin) in distribution.list("Origins")?.iter().enumerate() {
        let place = format!("{}[{index}]", distribution.place_of("Origins"));
        let origin = Properties::new(origin, &place, ORIGIN, ORIGIN_IRRELEVANT)?;
        origin.only("OriginPath", "")?;
        // Marks the origin as a bucket; an identity in it is what origin access control has replaced.
        origin.required("S3OriginConfig")?;
        origin.child("S3OriginConfig", &["OriginAccessIdentity"], &[])?.only("OriginAccessIdentity", "")?;
        policies.check_origin_access_control(&origin)?;
        let domain_name = origin.required_string("DomainName")?;
        let is_of = |bucket: &&Bucket| {
            let host = domain_name.strip_prefix(bucket.name.as_str());
            host == Some(".s3.amazonaws.com") || host == Some(&format!(".s3.{region}.amazonaws.com"))
        };
        let bucket = buckets.iter().find(is_of).ok_or_else(|| {
            let reason = format!("{domain_name} is not the domain name of a bucket of this template");
            TemplateError::invalid(origin.place_of("DomainName"), reason)
        })?;
        origins.push((origin.required_string("Id")?, bucket.name.clone()));
    }
    Ok(origins)
}

/// What cache behaviours refer to.
struct Context<'a> {
    origins: &'a [(String, String)],
    policies: &'a Policies,
    key_groups: &'a [KeyGroup],
}

impl Context<'_> {
    fn cache_behavior(&self, behavior: &Properties) -> Result<CacheBehavior, TemplateError> {
        behavior.only("SmoothStreaming", "false")?;
        check_protocol(behavior)?;
        let target = behavior.required_string("TargetOriginId")?;
        let unresolved = |name: &str, text: &str| {
            TemplateError::at(behavior.place_of(name), Problem::UnresolvedReference(text.to_owned()))
        };
        let bucket = self.origins.iter().find(|(id, _)| *id == target).map(|(_, bucket)| bucket.clone());
        let trusted_key_groups = behavior.strings("TrustedKeyGroups")?;
        for id in &trusted_key_groups {
            if !self.key_groups.iter().any(|group| group.id == *id) {
                return Err(unresolved("TrustedKeyGroups", id));
            }
        }
        let (forwarded_query, forwarded_headers) = self.policies.forwarded(behavior)?;
        Ok(CacheBehavior {
            allowed_methods: allowed_methods(behavior)?,
            bucket: bucket.ok_or_else(|| unresolved("TargetOriginId", &target))?,
            trusted_key_groups,
            forwarded_query,
            forwarded_headers,
            response_headers: self.policies.response_headers(behavior)?,
        })
    }
}

fn check_protocol(behavior: &Properties) -> Result<(), TemplateError> {
    match behavior.required_string("ViewerProtocolPolicy")?.as_str() {
        "allow-all" | "https-only" | "redirect-to-https" => Ok(()),
        other => {
            let reason = format!("unknown policy {other}");
            Err(TemplateError::invalid(behavior.place_of("ViewerProtocolPolicy"), reason))
        }
    }
}

/// CloudFront takes one of three sets; that with writes in it is not served here.
fn allowed_methods(behavior: &Properties) -> Result<Vec<String>, TemplateError> {
    let mut methods = behavior.strings("AllowedMethods")?;
    if methods.is_empty() {
        methods = vec!["GET".to_owned(), "HEAD".to_owned()];
    }
    let place = behavior.place_of("AllowedMethods");
    methods.sort();
    let methods_or = |methods: &[&str]| methods.iter().map(|method| (*method).to_owned()).collect::<Vec<_>>();
    if methods == methods_or(ALLOWED_METHODS) {
        return Err(TemplateError::at(
            place,
            Problem::Unsupported("writing through a distribution".to_owned()),
        ));
    }
    if methods != methods_or(&SERVED_METHODS[..2]) && methods != methods_or(SERVED_METHODS) {
        let reason = "must be GET and HEAD; GET, HEAD and OPTIONS; or all seven methods";
        return Err(TemplateError::invalid(place, reason));
    }
    Ok(methods)
}

#[cfg(test)]
mod tests;
