//! A range of IP addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IP network: an address, and how many of its leading bits count (RFC 4632, RFC 4291 §2.3). One address is a
/// network of all its bits.
///
/// An IPv4 address that is mapped into IPv6 is that IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Network {
    /// Those of an IPv4 address are the highest.
    bits: u128,
    length: u32,
    is_v4: bool,
}

impl Network {
    pub(super) fn contains(self, address: IpAddr) -> bool {
        let (bits, is_v4) = bits_of(address);
        is_v4 == self.is_v4 && bits & mask(self.length) == self.bits
    }

    /// The one address, where it has no more.
    pub(super) fn address(self) -> Option<IpAddr> {
        (self.length == self.length_max()).then(|| match self.is_v4 {
            true => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(self.bits >> 96).unwrap_or_default())),
            false => IpAddr::V6(Ipv6Addr::from_bits(self.bits)),
        })
    }

    fn length_max(self) -> u32 {
        if self.is_v4 { 32 } else { 128 }
    }
}

impl FromStr for Network {
    type Err = ();

    /// `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`. Bits behind the length are left out.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(drop)?;
        let (bits, is_v4) = bits_of(address);
        let network = Self { bits, length: 0, is_v4 };
        let length = match length {
            None => network.length_max(),
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                let length: u32 = digits.parse().map_err(drop)?;
                // That of an IPv4 address that is mapped counts the bits of IPv6.
                match address.is_ipv6() && is_v4 {
                    true => length.checked_sub(96).ok_or(())?,
                    false => length,
                }
            }
            Some(_) => return Err(()),
        };
        if length > network.length_max() {
            return Err(());
        }
        let bits = bits & mask(length);
        Ok(Self { bits, length, is_v4 })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_v4 {
            true => Ipv4Addr::from_bits(u32::try_from(self.bits >> 96).unwrap_or_default()).fmt(f)?,
            false => Ipv6Addr::from_bits(self.bits).fmt(f)?,
        }
        match self.length < self.length_max() {
            true => write!(f, "/{}", self.length),
            false => Ok(()),
        }
    }
}

fn bits_of(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, true),
        IpAddr::V6(address) => (address.to_bits(), false),
    }
}

/// The first `length` bits.
fn mask(length: u32) -> u128 {
    u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0)
}
