//! The policies of signed URLs: for which URLs, until and from when, for whom.
//!
//! Follows "Values that you specify in the policy statement for a signed URL that uses a custom policy" in the CloudFront
//! developer guide. A policy is one statement, with an end; anything else in it is malformed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use domain::Timestamp;
use serde::Deserialize;

use crate::aws::wildcard_match;

/// A canned policy, as CloudFront writes it.
pub(super) struct CannedPolicy<'a> {
    pub(super) resource: &'a str,
    /// As it is in the URL.
    pub(super) expires: &'a str,
}

impl fmt::Display for CannedPolicy<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CannedPolicy { resource, expires } = self;
        write!(
            formatter,
            r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    statement: [Statement; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    resource: Option<String>,
    condition: Condition,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Condition {
    date_less_than: EpochTime,
    date_greater_than: Option<EpochTime>,
    ip_address: Option<SourceIp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochTime {
    /// Seconds since 1970.
    #[serde(rename = "AWS:EpochTime")]
    seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceIp {
    #[serde(rename = "AWS:SourceIp")]
    range: String,
}

/// A policy, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// Every URL, where there is none.
    resource: Option<String>,
    ends_at_seconds: u32,
    begins_at_seconds: Option<u32>,
    addresses: Option<AddressRange>,
}

impl Policy {
    /// Reads a policy's text.
    pub(super) fn parse(text: &[u8]) -> Option<Policy> {
        let Document { statement: [statement] } = serde_json::from_slice(text).ok()?;
        let Statement { resource, condition } = statement;
        let begins_right = |resource: &String| {
            ["http://", "https://", "*"].iter().any(|start| resource.starts_with(start))
                || resource.starts_with("http*://")
        };
        if !resource.as_ref().is_none_or(begins_right) {
            return None;
        }
        let addresses = match condition.ip_address {
            Some(SourceIp { range }) => Some(AddressRange::parse(&range)?),
            None => None,
        };
        Some(Policy {
            resource,
            ends_at_seconds: condition.date_less_than.seconds,
            begins_at_seconds: condition.date_greater_than.map(|time| time.seconds),
            addresses,
        })
    }

    /// Whether it lets this viewer at this URL now.
    pub(super) fn allows(&self, url: &str, address: IpAddr, now: Timestamp) -> bool {
        let now = now.unix_seconds();
        self.resource.as_ref().is_none_or(|pattern| wildcard_match(pattern, url))
            && now < i64::from(self.ends_at_seconds)
            && self.begins_at_seconds.is_none_or(|begin| now > i64::from(begin))
            && self.addresses.is_none_or(|addresses| addresses.contains(address))
    }
}

/// Addresses of IPv4, the only ones that a policy can name: one, or a block (RFC 4632).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AddressRange {
    network: u32,
    mask: u32,
}

impl AddressRange {
    fn parse(text: &str) -> Option<AddressRange> {
        let (address, prefix_bits) = match text.split_once('/') {
            Some((address, bits)) => (address, bits.parse().ok().filter(|bits| *bits <= 32)?),
            None => (text, 32_u32),
        };
        let mask = u32::MAX.checked_shl(32 - prefix_bits).unwrap_or(0);
        Some(AddressRange { network: u32::from(address.parse::<Ipv4Addr>().ok()?) & mask, mask })
    }

    fn contains(self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => u32::from(address) & self.mask == self.network,
            IpAddr::V6(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    fn policy(statement: &serde_json::Value) -> Option<Policy> {
        Policy::parse(json!({"Statement": [statement]}).to_string().as_bytes())
    }

    fn until(seconds: u32) -> serde_json::Value {
        json!({"DateLessThan": {"AWS:EpochTime": seconds}})
    }

    fn allows(policy: &Policy, url: &str, address: &str, now: i64) -> bool {
        policy.allows(url, address.parse().unwrap(), Timestamp::from_unix_seconds(now))
    }

    #[test]
    fn a_canned_policy_is_written_as_it_is_signed() {
        let canned = CannedPolicy { resource: "http://d/a?b=c", expires: "1357034400" }.to_string();
        assert_eq!(
            canned,
            r#"{"Statement":[{"Resource":"http://d/a?b=c","Condition":{"DateLessThan":{"AWS:EpochTime":1357034400}}}]}"#
        );
        let policy = Policy::parse(canned.as_bytes()).unwrap();
        assert!(allows(&policy, "http://d/a?b=c", "127.0.0.1", 1_357_034_399));
        assert!(!allows(&policy, "http://d/a?b=c", "127.0.0.1", 1_357_034_400));
        assert!(!allows(&policy, "http://d/a", "127.0.0.1", 0));
    }

    #[test]
    fn a_resource_may_have_wildcards_or_be_missing() {
        let resource = |pattern: &str| policy(&json!({"Resource": pattern, "Condition": until(9)})).unwrap();
        for (pattern, url, expected) in [
            ("http://d/media/1/*", "http://d/media/1/a/b.ts?x=y", true),
            ("http://d/media/1/*", "http://d/media/2/a", false),
            ("http*://d/a.?p4", "https://d/a.mp4", true),
            ("http*://d/a.?p4", "https://d/a.p4", false),
            ("*", "http://anything", true),
        ] {
            assert_eq!(allows(&resource(pattern), url, "127.0.0.1", 8), expected, "{pattern} {url}");
        }
        let none = policy(&json!({"Condition": until(9)})).unwrap();
        assert!(allows(&none, "http://anything", "127.0.0.1", 8));
    }

    #[test]
    fn a_time_and_an_address_narrow_it() {
        let mut condition = until(20);
        condition["DateGreaterThan"] = json!({"AWS:EpochTime": 10});
        let timed = policy(&json!({"Condition": condition})).unwrap();
        let at = |now| allows(&timed, "http://d", "127.0.0.1", now);
        assert_eq!([10, 11, 19, 20].map(at), [false, true, true, false]);

        for (range, address, expected) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.8", false),
            ("192.0.2.77/24", "192.0.2.1", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
        ] {
            let mut condition = until(9);
            condition["IpAddress"] = json!({"AWS:SourceIp": range});
            let policy = policy(&json!({"Condition": condition})).unwrap();
            assert_eq!(allows(&policy, "http://d", address, 8), expected, "{range} {address}");
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for statement in [
            json!({"Resource": "http://d"}),
            json!({"Resource": "http://d", "Condition": {}}),
            json!({"Resource": "d/a", "Condition": until(9)}),
            json!({"Resource": ["http://d"], "Condition": until(9)}),
            json!({"Effect": "Allow", "Condition": until(9)}),
            json!({"Condition": {"DateLessThan": {"AWS:EpochTime": "9"}}}),
            json!({"Condition": {"DateLessThan": {"AWS:EpochTime": 9, "more": 1}}}),
            json!({"Condition": {"DateLessThan": {"AWS:EpochTime": 9}, "IpAddress": {"AWS:SourceIp": "1.2.3"}}}),
            json!({"Condition": {"DateLessThan": {"AWS:EpochTime": 9}, "IpAddress": {"AWS:SourceIp": "1.2.3.4/33"}}}),
            json!({"Condition": {"DateLessThan": {"AWS:EpochTime": 9}, "IpAddress": {"AWS:SourceIp": "::1"}}}),
        ] {
            assert_eq!(policy(&statement), None, "{statement}");
        }
        let twice = json!({"Statement": [{"Condition": until(9)}, {"Condition": until(9)}]}).to_string();
        assert_eq!(Policy::parse(twice.as_bytes()), None);
        assert_eq!(Policy::parse(b"{}"), None);
    }
}
