//! Where a client is, as far as an address tells it from others.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the network of an IPv6 address: its first 64 bits, which are what a household or a server gets. The
/// rest of an IPv6 address its holder chooses freely, afresh for each request if they like.
/// <https://www.rfc-editor.org/rfc/rfc4291#section-2.5.4>
///
/// Whatever is no address is one network: API Gateway always knows one, and who invokes a function past it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientNetwork(Option<IpAddr>);

impl ClientNetwork {
    /// Of an address.
    pub fn of(source_ip: &str) -> Self {
        let address = source_ip.parse::<IpAddr>().ok();
        Self(address.map(|address| match address.to_canonical() {
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
            Some(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Some(IpAddr::V6(address)) => write!(formatter, "{address}/64"),
            None => formatter.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_its_network() {
        let network = |text: &str| ClientNetwork::of(text).to_string();
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2:ffff::"), network("2001:DB8:1:2::1"));
        assert_ne!(network("2001:db8:1:3::1"), network("2001:db8:1:2::1"));
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7", "mapped");
        for no_address in ["", "unknown", "203.0.113.7, 203.0.113.8", "203.0.113.7:80"] {
            assert_eq!(network(no_address), "unknown", "{no_address}");
        }
    }
}
