//! Addresses and networks of the `ip` scheme. Source: `IPAuthenticationProvider`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address with the number of leading bits that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `address` or `address/bits`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = parse_address(address)?;
        let width = width(address);
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|&bits| bits <= width)?,
            None => width,
        };
        Some(Self { address, bits })
    }

    /// Whether `address` is in this network; never if it is of the other family.
    pub(super) fn contains(self, address: &str) -> bool {
        match (self.address, parse_address(address)) {
            (IpAddr::V4(network), Some(IpAddr::V4(address))) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(network), Some(IpAddr::V6(address))) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// As the standard notation, but an octet may have leading zeros (lists written so exist), and a
/// v6 address has no embedded v4 address.
fn parse_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return match text.contains('.') {
            true => None,
            false => text.parse().ok().map(|v6: Ipv6Addr| v6.into()),
        };
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = parts.next()?.parse().ok()?;
    }
    match parts.next() {
        Some(_) => None,
        None => Some(Ipv4Addr::from(octets).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax() {
        for (text, good) in [
            ("1.2.3.4", true),
            ("010.002.003.004", true),
            ("1.2.3.4/0", true),
            ("1.2.3.4/32", true),
            ("1.2.3.4/33", false),
            ("1.2.3.4/-1", false),
            ("1.2.3.4/", false),
            ("1.2.3.4/8/8", false),
            ("1.2.3", false),
            ("1.2.3.4.5", false),
            ("1.2.3.", false),
            ("1.2.3.256", false),
            ("1.2.3.x", false),
            ("", false),
            ("localhost", false),
            ("::", true),
            ("::1", true),
            ("1::", true),
            ("0:0:0:0:0:0:0:1", true),
            ("2001:DB8::1/128", true),
            ("2001:db8::/129", false),
            ("1:2:3:4:5:6:7", false),
            ("1:2:3:4:5:6:7:8:9", false),
            ("1::2::3", false),
            ("1:2:3:4:5:6:7:12345", false),
            ("::g", false),
            ("::ffff:1.2.3.4", false),
            ("fe80::1%eth0", false),
        ] {
            assert_eq!(Network::parse(text).is_some(), good, "{text:?}");
        }
    }

    #[test]
    fn prefixes() {
        for (network, address, expected) in [
            ("1.2.3.4", "1.2.3.4", true),
            ("1.2.3.4", "1.2.3.5", false),
            ("1.2.3.4/31", "1.2.3.5", true),
            ("1.2.3.4/31", "1.2.3.6", false),
            ("1.2.3.4/0", "200.1.1.1", true),
            ("1.2.3.4/0", "::1", false),
            ("::/0", "1.2.3.4", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::1", "0:0:0:0:0:0:0:1", true),
            ("1.2.3.4/0", "nobody", false),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.contains(address), expected, "{network:?} {address}");
        }
    }
}
