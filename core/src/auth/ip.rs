//! The `ip` scheme: addresses as Java writes them, and prefixes (`client-protocol.md` §15.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address as Java's `getHostAddress` has it: IPv6 without `::`, a mapped IPv4 address as IPv4.
pub fn java_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let segments = v6.segments().map(|segment| format!("{segment:x}"));
            segments.join(":")
        }
    }
}

/// A number as Java's `Integer.parseInt` reads it: a sign and leading zeros are welcome.
fn parse_int(text: &str) -> Option<i32> {
    text.parse().ok()
}

fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = u8::try_from(parse_int(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then_some(Ipv4Addr::from(octets))
}

fn parse_address(text: &str) -> Option<IpAddr> {
    match parse_v4(text) {
        Some(v4) => Some(IpAddr::V4(v4)),
        // Java's provider reads no IPv6 address with an IPv4 one in it.
        None if text.contains('.') => None,
        None => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

/// The address and prefix length of an ACL's id.
fn parse_prefix(id: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match id.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (id, None),
    };
    let address = parse_address(address)?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => u32::try_from(parse_int(bits)?).ok().filter(|bits| *bits <= width)?,
        None => width,
    };
    Some((address, bits))
}

/// Whether `id` can stand in an ACL.
pub(super) fn is_valid(id: &str) -> bool {
    parse_prefix(id).is_some()
}

/// Whether `address` lies in the prefix that `id` names. Families never match each other.
pub(super) fn matches(address: IpAddr, id: &str) -> bool {
    let Some((prefix, bits)) = parse_prefix(id) else { return false };
    match (address.to_canonical(), prefix) {
        (IpAddr::V4(address), IpAddr::V4(prefix)) => {
            let differing = address.to_bits() ^ prefix.to_bits();
            differing.checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(prefix)) => {
            let differing = address.to_bits() ^ prefix.to_bits();
            differing.checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}
