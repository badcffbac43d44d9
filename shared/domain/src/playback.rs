//! What playing a media may be bound to, beside the media itself and an end.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::{Invalid, Timestamp, serde_as_text};

/// A block of IPv4 addresses, in CIDR notation (RFC 4632). A single address is a block of one.
///
/// Only IPv4: a policy of CloudFront knows no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv4Block {
    first: Ipv4Addr,
    prefix_length: u8,
}

impl Ipv4Block {
    /// Whether an address, as API Gateway writes it, is in the block. One of IPv6 is in none.
    pub fn contains(self, address: &str) -> bool {
        address.parse().is_ok_and(|address: Ipv4Addr| address.to_bits() & self.mask() == self.first.to_bits())
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix_length)).unwrap_or(0)
    }
}

impl fmt::Display for Ipv4Block {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.prefix_length)
    }
}

impl FromStr for Ipv4Block {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid =
            || Invalid::new("must be an IPv4 address or block such as 203.0.113.7 or 203.0.113.0/24");
        let (address, length) = text.split_once('/').unwrap_or((text, "32"));
        // `parse` alone would take a sign, and zeros in front.
        let prefix_length = (0..=32).find(|known: &u8| known.to_string() == length).ok_or_else(invalid)?;
        let block = Self { first: address.parse().map_err(|_| invalid())?, prefix_length };
        // Bits behind the prefix would be passed over: whoever wrote them meant something else.
        if block.contains(address) { Ok(block) } else { Err(invalid()) }
    }
}

serde_as_text!(Ipv4Block);

/// From where and from when on a URL plays. By default from anywhere and at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaybackConditions {
    /// The addresses that it plays for.
    pub ip: Option<Ipv4Block>,
    /// The first moment at which it plays.
    pub not_before: Option<Timestamp>,
}

impl PlaybackConditions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_reads_back_in_cidr_notation() {
        for (text, written) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("203.0.113.4/30", "203.0.113.4/30"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            let block: Ipv4Block = text.parse().unwrap();
            assert_eq!(block.to_string(), written);
            assert_eq!(written.parse(), Ok(block));
        }
        for wrong in [
            "",
            "/",
            "203.0.113.7/",
            "203.0.113.7/33",
            "203.0.113.7/+8",
            "203.0.113.0/024",
            "203.0.113.7/24",
            "203.0.113",
            "2001:db8::1",
            "203.0.113.7 ",
            "any",
        ] {
            assert!(wrong.parse::<Ipv4Block>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_block_contains_its_addresses_and_no_others() {
        let contains = |block: &str, address: &str| block.parse::<Ipv4Block>().unwrap().contains(address);
        assert!(contains("203.0.113.7", "203.0.113.7"));
        assert!(!contains("203.0.113.7", "203.0.113.6"));
        assert!(contains("203.0.113.4/30", "203.0.113.7") && !contains("203.0.113.4/30", "203.0.113.8"));
        assert!(contains("0.0.0.0/0", "255.255.255.255"));
        for no_ipv4 in ["", "2001:db8::1", "::ffff:203.0.113.7", "203.0.113.7, 198.51.100.1"] {
            assert!(!contains("0.0.0.0/0", no_ipv4), "{no_ipv4:?}");
        }
    }
}
