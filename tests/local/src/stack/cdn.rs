//! The content delivery network of a stack: one CloudFront distribution, with everything that it refers to put in place.

/// An `AWS::CloudFront::KeyGroup`: whose signatures a cache behaviour trusts.
#[derive(Debug, Clone)]
pub struct KeyGroup {
    /// Name in the template.
    pub logical_id: String,
    /// Its id.
    pub id: String,
    /// Ids of CloudFront's public keys.
    pub public_key_ids: Vec<String>,
}

/// An `AWS::CloudFront::Distribution`.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// Name in the template.
    pub logical_id: String,
    /// Its id.
    pub id: String,
    /// `arn:aws:cloudfront::{account}:distribution/{id}`: the source of its requests to a bucket.
    pub arn: String,
    /// Where it is served: host and port.
    pub domain_name: String,
    /// `CacheBehaviors` by their path patterns, in the template's order: the first that matches counts.
    pub cache_behaviors: Vec<(String, CacheBehavior)>,
    /// What counts where none matches.
    pub default_cache_behavior: CacheBehavior,
}

/// What a distribution does with the requests for some paths.
#[derive(Debug, Clone)]
pub struct CacheBehavior {
    /// `AllowedMethods`.
    pub allowed_methods: Vec<String>,
    /// Name of the bucket that is the origin.
    pub bucket: String,
    /// Ids of the key groups whose signatures are accepted; without any, no signature is asked for.
    pub trusted_key_groups: Vec<String>,
    /// Which query parameters the origin gets.
    pub forwarded_query: ForwardedQuery,
    /// Which of the viewer's headers the origin gets beside those that it always gets, in lower case.
    pub forwarded_headers: Vec<String>,
    /// What becomes of the headers of the answer.
    pub response_headers: ResponseHeadersPolicy,
}

/// Which query parameters the origin gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardedQuery {
    /// These only.
    Only(Vec<String>),
    /// All but these.
    AllExcept(Vec<String>),
}

/// An `AWS::CloudFront::ResponseHeadersPolicy`.
#[derive(Debug, Clone, Default)]
pub struct ResponseHeadersPolicy {
    /// `RemoveHeadersConfig`, in lower case.
    pub removed: Vec<String>,
    /// `CorsConfig`.
    pub cors: Option<ResponseCors>,
    /// `SecurityHeadersConfig` and `CustomHeadersConfig`.
    pub added: Vec<AddedHeader>,
}

/// `CorsConfig` of a response headers policy.
#[derive(Debug, Clone, Default)]
pub struct ResponseCors {
    /// `AccessControlAllowOrigins`; a `*` stands alone or for the left part of a domain.
    pub allow_origins: Vec<String>,
    /// `AccessControlAllowMethods`.
    pub allow_methods: Vec<String>,
    /// `AccessControlAllowHeaders`.
    pub allow_headers: Vec<String>,
    /// `AccessControlExposeHeaders`.
    pub expose_headers: Vec<String>,
    /// `AccessControlMaxAgeSec`.
    pub max_age_seconds: Option<u64>,
    /// `AccessControlAllowCredentials`.
    pub allow_credentials: bool,
    /// `OriginOverride`: whether the policy's headers replace those of the origin.
    pub overrides_origin: bool,
}

/// A header that a response headers policy adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedHeader {
    /// In lower case.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it replaces the origin's header of this name.
    pub overrides_origin: bool,
}
