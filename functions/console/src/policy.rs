//! What the console may load and reach: its content security policy, CSP Level 3.
//!
//! Scripts and styles are the page's own, never inline. Beside this API it reaches three hosts, each by its name: the
//! ingest bucket, where files are sent; and where files and thumbnails are shown from, the media bucket, or the CDN in
//! front of it. Nobody can put the page in a frame, make it send a form away, or give it another base; and no text that it
//! shows can become markup, since nothing in it may make any from text.
//! <https://www.w3.org/TR/CSP3/>

use std::str::FromStr;

use api::{Environment, EnvironmentError};

/// The policy of a deployment, from `INGEST_BUCKET_DOMAIN`, `MEDIA_BUCKET_DOMAIN` and, where there is one, `CDN_DOMAIN`.
/// Where AWS is replaced by `AWS_ENDPOINT_URL`, both buckets are there.
pub(crate) fn of(environment: &Environment) -> Result<String, EnvironmentError> {
    let bucket = |name| -> Result<String, EnvironmentError> {
        let DomainName(domain_name) = environment.parsed(name)?;
        let replaced = environment.optional("AWS_ENDPOINT_URL").map(str::to_owned);
        Ok(replaced.unwrap_or_else(|| format!("https://{domain_name}")))
    };
    let (ingest, media) = (bucket("INGEST_BUCKET_DOMAIN")?, bucket("MEDIA_BUCKET_DOMAIN")?);
    let shown = environment.cdn_url().unwrap_or(media);
    Ok(format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {ingest}; \
         img-src 'self' {shown}; media-src 'self' {shown}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ))
}

/// A host's name, which stands in a policy as it is: without anything that would end a source or a directive there.
struct DomainName(String);

impl FromStr for DomainName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |character: char| character.is_ascii_alphanumeric() || "-.".contains(character);
        if text.chars().all(is_allowed) { Ok(Self(text.to_owned())) } else { Err("not a domain name") }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use api::Clock;

    use super::*;

    fn policy(more: &[(&str, &str)]) -> Result<String, EnvironmentError> {
        let buckets = [
            ("INGEST_BUCKET_DOMAIN", "ingest.s3.eu-central-1.amazonaws.com"),
            ("MEDIA_BUCKET_DOMAIN", "media.s3.eu-central-1.amazonaws.com"),
        ];
        let variables = buckets.iter().chain(more).map(|(name, value)| ((*name).into(), (*value).into()));
        of(&Environment::new(variables.collect(), Clock::system()))
    }

    fn sources<'a>(policy: &'a str, directive: &str) -> &'a str {
        let found = policy.split("; ").find_map(|one| one.strip_prefix(directive));
        found.unwrap_or_else(|| panic!("{directive} is not in {policy}")).trim()
    }

    #[test]
    fn it_names_the_buckets_and_nothing_else() {
        let policy = policy(&[]).unwrap();
        assert_eq!(sources(&policy, "default-src"), "'none'");
        assert_eq!(sources(&policy, "script-src"), "'self'");
        assert_eq!(sources(&policy, "connect-src"), "'self' https://ingest.s3.eu-central-1.amazonaws.com");
        for directive in ["img-src", "media-src"] {
            assert_eq!(sources(&policy, directive), "'self' https://media.s3.eu-central-1.amazonaws.com");
        }
    }

    #[test]
    fn what_the_cdn_serves_comes_from_nowhere_else() {
        let policy = policy(&[("CDN_DOMAIN", "d1.cloudfront.net")]).unwrap();
        assert_eq!(sources(&policy, "media-src"), "'self' https://d1.cloudfront.net");
        assert_eq!(sources(&policy, "connect-src"), "'self' https://ingest.s3.eu-central-1.amazonaws.com");
    }

    #[test]
    fn another_aws_takes_the_place_of_both_buckets() {
        let policy = policy(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")]).unwrap();
        assert_eq!(sources(&policy, "connect-src"), "'self' http://127.0.0.1:4566");
        assert_eq!(sources(&policy, "img-src"), "'self' http://127.0.0.1:4566");
    }

    #[test]
    fn a_directive_cannot_be_slipped_in() {
        let error = policy(&[("MEDIA_BUCKET_DOMAIN", "a; script-src *")]).unwrap_err();
        assert!(error.to_string().contains("MEDIA_BUCKET_DOMAIN"), "{error}");
    }
}
