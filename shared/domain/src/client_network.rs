//! Where a client is, as far as an address tells it from others.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::Invalid;

/// An IPv4 address, or the network of an IPv6 address: its first 64 bits, which are what a household or a server gets. The
/// rest of an IPv6 address its holder chooses freely, afresh for each request if they like.
/// <https://www.rfc-editor.org/rfc/rfc4291#section-2.5.4>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientNetwork(IpAddr);

impl FromStr for ClientNetwork {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let address: IpAddr = text.parse().map_err(|_| Invalid::new("must be an IP address"))?;
        Ok(Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }))
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(formatter, "{address}"),
            IpAddr::V6(address) => write!(formatter, "{address}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_its_network() {
        let network = |text: &str| text.parse::<ClientNetwork>().unwrap().to_string();
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2:ffff::"), network("2001:DB8:1:2::1"));
        assert_ne!(network("2001:db8:1:3::1"), network("2001:db8:1:2::1"));
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7", "mapped");
        for no_address in ["", "unknown", "203.0.113.7, 203.0.113.8", "203.0.113.7:80"] {
            assert!(no_address.parse::<ClientNetwork>().is_err(), "{no_address}");
        }
    }
}
