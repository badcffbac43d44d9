//! What distributions refer to by its id: `AWS::CloudFront::CachePolicy`, `OriginRequestPolicy`, `ResponseHeadersPolicy`
//! and `OriginAccessControl`.
//!
//! The origin gets what the cache policy and the origin request policy let through together. A header counts only if a
//! bucket would read it: those of CORS. Cookies mean nothing to a bucket, and a policy that forwards them is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::configuration;
use crate::stack::{AddedHeader, ForwardedQuery, ResponseCors, ResponseHeadersPolicy};
use crate::template::error::{Problem, TemplateError};
use crate::template::names::Names;
use crate::template::properties::Properties;
use crate::template::resources::Evaluated;

/// What a viewer may ask a bucket's CORS rules about.
const CORS_REQUEST_HEADERS: &[&str] =
    &["access-control-request-headers", "access-control-request-method", "origin"];
/// The id of CloudFront's own origin request policy `CORS-S3Origin`, which forwards them.
const MANAGED_CORS_S3_ORIGIN: &str = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf";

/// What a cache policy or an origin request policy lets through to the origin.
#[derive(Debug, Clone)]
struct Forwarded {
    query: ForwardedQuery,
    headers: BTreeSet<String>,
}

/// All policies by their ids.
pub(super) struct Policies {
    cache: BTreeMap<String, Forwarded>,
    origin_request: BTreeMap<String, Forwarded>,
    response_headers: BTreeMap<String, ResponseHeadersPolicy>,
    origin_access_controls: BTreeSet<String>,
}

impl Policies {
    pub(super) fn read(names: &Names, evaluated: &Evaluated) -> Result<Self, TemplateError> {
        let mut policies = Self {
            cache: BTreeMap::new(),
            origin_request: BTreeMap::new(),
            response_headers: BTreeMap::new(),
            origin_access_controls: BTreeSet::new(),
        };
        for (logical_id, properties) in evaluated.of_type("AWS::CloudFront::CachePolicy") {
            const PARAMETERS: &str = "ParametersInCacheKeyAndForwardedToOrigin";
            // How long something is cached.
            let irrelevant = &["Comment", "DefaultTTL", "MaxTTL", "MinTTL", "Name"];
            let policy =
                configuration(logical_id, properties, "CachePolicyConfig", &[PARAMETERS], irrelevant)?;
            let parts = ["CookiesConfig", "HeadersConfig", "QueryStringsConfig"];
            let encodings = ["EnableAcceptEncodingBrotli", "EnableAcceptEncodingGzip"];
            let forwarded = forwarded(&policy.child(PARAMETERS, &parts, &encodings)?)?;
            policies.cache.insert(names.name(logical_id)?, forwarded);
        }
        let headers = CORS_REQUEST_HEADERS.iter().map(|name| (*name).to_owned()).collect();
        let managed = Forwarded { query: ForwardedQuery::Only(Vec::new()), headers };
        policies.origin_request.insert(MANAGED_CORS_S3_ORIGIN.to_owned(), managed);
        for (logical_id, properties) in evaluated.of_type("AWS::CloudFront::OriginRequestPolicy") {
            let name = "OriginRequestPolicyConfig";
            let parts = ["CookiesConfig", "HeadersConfig", "QueryStringsConfig"];
            let policy = configuration(logical_id, properties, name, &parts, &["Comment", "Name"])?;
            policies.origin_request.insert(names.name(logical_id)?, forwarded(&policy)?);
        }
        for (logical_id, properties) in evaluated.of_type("AWS::CloudFront::ResponseHeadersPolicy") {
            let name = "ResponseHeadersPolicyConfig";
            let parts = ["CorsConfig", "CustomHeadersConfig", "RemoveHeadersConfig", "SecurityHeadersConfig"];
            let policy = configuration(logical_id, properties, name, &parts, &["Comment", "Name"])?;
            policies.response_headers.insert(names.name(logical_id)?, response_headers(&policy)?);
        }
        for (logical_id, properties) in evaluated.of_type("AWS::CloudFront::OriginAccessControl") {
            let parts = ["OriginAccessControlOriginType", "SigningBehavior", "SigningProtocol"];
            let name = "OriginAccessControlConfig";
            let control = configuration(logical_id, properties, name, &parts, &["Description", "Name"])?;
            for (name, value) in parts.into_iter().zip(["s3", "always", "sigv4"]) {
                control.only(name, value)?;
            }
            policies.origin_access_controls.insert(names.name(logical_id)?);
        }
        Ok(policies)
    }

    /// Without origin access control a bucket is asked without a signature, and none here answers that.
    pub(super) fn check_origin_access_control(&self, origin: &Properties) -> Result<(), TemplateError> {
        let id = origin.required_string("OriginAccessControlId")?;
        if self.origin_access_controls.contains(&id) {
            return Ok(());
        }
        Err(unresolved(origin, "OriginAccessControlId", &id))
    }

    /// What a cache behaviour forwards: query parameters, and headers.
    pub(super) fn forwarded(
        &self,
        behavior: &Properties,
    ) -> Result<(ForwardedQuery, Vec<String>), TemplateError> {
        let id = behavior.required_string("CachePolicyId")?;
        let cache = self.cache.get(&id).ok_or_else(|| unresolved(behavior, "CachePolicyId", &id))?;
        let mut headers = cache.headers.clone();
        let mut query = cache.query.clone();
        if let Some(id) = behavior.string("OriginRequestPolicyId")? {
            let policy = self.origin_request.get(&id);
            let more = policy.ok_or_else(|| unresolved(behavior, "OriginRequestPolicyId", &id))?;
            headers.extend(more.headers.iter().cloned());
            query = either(query, more.query.clone());
        }
        Ok((query, headers.into_iter().collect()))
    }

    /// What a cache behaviour does with the headers of answers.
    pub(super) fn response_headers(
        &self,
        behavior: &Properties,
    ) -> Result<ResponseHeadersPolicy, TemplateError> {
        let Some(id) = behavior.string("ResponseHeadersPolicyId")? else {
            return Ok(ResponseHeadersPolicy::default());
        };
        let policy = self.response_headers.get(&id).cloned();
        policy.ok_or_else(|| unresolved(behavior, "ResponseHeadersPolicyId", &id))
    }
}

fn unresolved(properties: &Properties, name: &str, id: &str) -> TemplateError {
    TemplateError::at(properties.place_of(name), Problem::UnresolvedReference(id.to_owned()))
}

/// What either of two policies lets through.
fn either(one: ForwardedQuery, other: ForwardedQuery) -> ForwardedQuery {
    use ForwardedQuery::{AllExcept, Only};
    match (one, other) {
        (Only(mut names), Only(more)) => {
            names.extend(more);
            Only(names)
        }
        (Only(names), AllExcept(mut excluded)) | (AllExcept(mut excluded), Only(names)) => {
            excluded.retain(|name| !names.contains(name));
            AllExcept(excluded)
        }
        (AllExcept(mut excluded), AllExcept(others)) => {
            excluded.retain(|name| others.contains(name));
            AllExcept(excluded)
        }
    }
}

fn forwarded(policy: &Properties) -> Result<Forwarded, TemplateError> {
    let cookies = policy.child("CookiesConfig", &["CookieBehavior"], &[])?;
    cookies.required("CookieBehavior")?;
    cookies.only("CookieBehavior", "none")?;
    let headers = policy.child("HeadersConfig", &["HeaderBehavior", "Headers"], &[])?;
    let headers = match headers.required_string("HeaderBehavior")?.as_str() {
        "none" => BTreeSet::new(),
        "whitelist" => {
            let mut names = BTreeSet::new();
            for name in headers.strings("Headers")? {
                let lower = name.to_ascii_lowercase();
                if !CORS_REQUEST_HEADERS.contains(&lower.as_str()) {
                    let problem = Problem::Unsupported(format!("forwarding {name}"));
                    return Err(TemplateError::at(headers.place_of("Headers"), problem));
                }
                names.insert(lower);
            }
            names
        }
        other => {
            let problem = Problem::Unsupported(format!("HeaderBehavior {other}"));
            return Err(TemplateError::at(headers.place_of("HeaderBehavior"), problem));
        }
    };
    let query = policy.child("QueryStringsConfig", &["QueryStringBehavior", "QueryStrings"], &[])?;
    let names = query.strings("QueryStrings")?;
    let query = match query.required_string("QueryStringBehavior")?.as_str() {
        "none" => ForwardedQuery::Only(Vec::new()),
        "whitelist" => ForwardedQuery::Only(names),
        "allExcept" => ForwardedQuery::AllExcept(names),
        "all" => ForwardedQuery::AllExcept(Vec::new()),
        other => {
            let reason = format!("unknown behaviour {other}");
            return Err(TemplateError::invalid(query.place_of("QueryStringBehavior"), reason));
        }
    };
    Ok(Forwarded { query, headers })
}

fn response_headers(policy: &Properties) -> Result<ResponseHeadersPolicy, TemplateError> {
    let removed = policy.child("RemoveHeadersConfig", &["Items"], &[])?;
    let mut names = Vec::new();
    for (index, item) in removed.list("Items")?.iter().enumerate() {
        let place = format!("{}[{index}]", removed.place_of("Items"));
        let item = Properties::new(item, &place, &["Header"], &[])?;
        names.push(item.required_string("Header")?.to_ascii_lowercase());
    }
    let mut added = security_headers(policy)?;
    let custom = policy.child("CustomHeadersConfig", &["Items"], &[])?;
    for (index, item) in custom.list("Items")?.iter().enumerate() {
        let place = format!("{}[{index}]", custom.place_of("Items"));
        let item = Properties::new(item, &place, &["Header", "Override", "Value"], &[])?;
        added.push(AddedHeader {
            name: item.required_string("Header")?.to_ascii_lowercase(),
            value: item.required_string("Value")?,
            overrides_origin: overrides(&item, "Override")?,
        });
    }
    Ok(ResponseHeadersPolicy { removed: names, cors: cors(policy)?, added })
}

fn cors(policy: &Properties) -> Result<Option<ResponseCors>, TemplateError> {
    if policy.get("CorsConfig").is_none() {
        return Ok(None);
    }
    let cors = policy.child(
        "CorsConfig",
        &[
            "AccessControlAllowCredentials",
            "AccessControlAllowHeaders",
            "AccessControlAllowMethods",
            "AccessControlAllowOrigins",
            "AccessControlExposeHeaders",
            "AccessControlMaxAgeSec",
            "OriginOverride",
        ],
        &[],
    )?;
    let items = |name: &'static str| cors.child(name, &["Items"], &[])?.strings("Items");
    for name in ["AccessControlAllowHeaders", "AccessControlAllowMethods", "AccessControlAllowOrigins"] {
        cors.required(name)?;
    }
    Ok(Some(ResponseCors {
        allow_origins: items("AccessControlAllowOrigins")?,
        allow_methods: items("AccessControlAllowMethods")?,
        allow_headers: items("AccessControlAllowHeaders")?,
        expose_headers: items("AccessControlExposeHeaders")?,
        max_age_seconds: cors.integer("AccessControlMaxAgeSec")?,
        allow_credentials: overrides(&cors, "AccessControlAllowCredentials")?,
        overrides_origin: overrides(&cors, "OriginOverride")?,
    }))
}

/// A boolean that has to be there.
fn overrides(properties: &Properties, name: &'static str) -> Result<bool, TemplateError> {
    properties.boolean(name)?.ok_or_else(|| TemplateError::at(properties.place(), Problem::Missing(name)))
}

fn security_headers(policy: &Properties) -> Result<Vec<AddedHeader>, TemplateError> {
    let mut added = Vec::new();
    let security = policy.child(
        "SecurityHeadersConfig",
        &[
            "ContentSecurityPolicy",
            "ContentTypeOptions",
            "FrameOptions",
            "ReferrerPolicy",
            "StrictTransportSecurity",
        ],
        &[],
    )?;
    let mut add = |header: &str, value: String, of: &Properties| {
        let overrides_origin = overrides(of, "Override")?;
        added.push(AddedHeader { name: header.to_owned(), value, overrides_origin });
        Ok::<_, TemplateError>(())
    };
    if security.get("ContentTypeOptions").is_some() {
        let options = security.child("ContentTypeOptions", &["Override"], &[])?;
        add("x-content-type-options", "nosniff".to_owned(), &options)?;
    }
    for (group, header, value) in [
        ("ContentSecurityPolicy", "content-security-policy", "ContentSecurityPolicy"),
        ("FrameOptions", "x-frame-options", "FrameOption"),
        ("ReferrerPolicy", "referrer-policy", "ReferrerPolicy"),
    ] {
        if security.get(group).is_some() {
            let options = security.child(group, &[value, "Override"], &[])?;
            add(header, options.required_string(value)?, &options)?;
        }
    }
    if security.get("StrictTransportSecurity").is_some() {
        let parts = ["AccessControlMaxAgeSec", "IncludeSubdomains", "Override", "Preload"];
        let transport = security.child("StrictTransportSecurity", &parts, &[])?;
        let mut value = format!("max-age={}", transport.required_string("AccessControlMaxAgeSec")?);
        for (name, directive) in [("IncludeSubdomains", "; includeSubDomains"), ("Preload", "; preload")] {
            if transport.boolean(name)?.unwrap_or(false) {
                value.push_str(directive);
            }
        }
        add("strict-transport-security", value, &transport)?;
    }
    Ok(added)
}
