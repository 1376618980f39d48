//! Names resolved to addresses that may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Resolves names, where it is told so to addresses of the public internet only.
///
/// What is checked is what is connected to: no name is resolved once more in between. A name is asked for again after a
/// while, or after a failure, since [`ureq`] asks with each request, also where its connection stands.
#[derive(Debug)]
pub(super) struct Addresses<R> {
    resolver: R,
    only_public: bool,
    known: Mutex<Option<Known>>,
}

/// What a name resolved to.
#[derive(Debug)]
struct Known {
    uri: Uri,
    resolved: Instant,
    addresses: Vec<SocketAddr>,
}

impl<R: Resolver> Addresses<R> {
    pub(super) fn new(resolver: R, only_public: bool) -> Self {
        Self {
            resolver,
            only_public,
            known: Mutex::default(),
        }
    }

    fn look_up(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
        let found = self
            .resolver
            .resolve(uri, config, timeout)
            .map_err(|error| match error {
                // Of what getaddrinfo says, std tells no kind.
                Error::Io(_) => Error::HostNotFound,
                other => other,
            });
        let mut addresses = found?.to_vec();
        addresses.retain(|address| !self.only_public || is_public(address.ip()));
        match addresses.is_empty() {
            true => Err(Error::Io(std::io::Error::new(
                std::io::ErrorKind::PermissionDenied,
                PRIVATE,
            ))),
            false => Ok(addresses),
        }
    }
}

impl<R: Resolver> Resolver for Addresses<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |other: &Uri| (other.scheme(), other.authority()) == (uri.scheme(), uri.authority());
        let known = match known.take() {
            Some(found) if is_same(&found.uri) && found.resolved.elapsed() < KNOWN_FOR => known.insert(found),
            _ => known.insert(Known {
                addresses: self.look_up(uri, config, timeout)?,
                uri: uri.clone(),
                resolved: Instant::now(),
            }),
        };
        let mut addresses = self.empty();
        known.addresses.iter().for_each(|address| addresses.push(*address));
        Ok(addresses)
    }
}

/// Checks that a URL without a name has an address of the public internet. That of a name is known once it is resolved.
#[cfg(feature = "webhook")]
pub(in crate::sink) fn check_public(url: &str) -> Result<(), &'static str> {
    let address = url.parse::<Uri>().ok().and_then(|url| {
        let host = url.host()?.trim_matches(['[', ']']);
        host.parse().ok()
    });
    match address.is_none_or(is_public) {
        true => Ok(()),
        false => Err("it is no address of the public internet, and others are not allowed (allow_private_addresses)"),
    }
}

/// Whether an address is one of the public internet: none of the special-purpose registries (RFC 6890), in whichever form
/// IPv6 carries an IPv4 address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match carried_v4(address) {
            Some(carried) => is_public_v4(carried),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        // "This network", loopback, private use.
        (0 | 10 | 127, ..)
            | (172, 16..=31, _)
            | (192, 168, _)
            // Link-local (the metadata of clouds), carrier-grade NAT, protocol assignments, benchmarks.
            | (169, 254, _)
            | (100, 64..=127, _)
            | (192, 0, 0)
            | (198, 18 | 19, _)
            // Documentation, 6to4 relays.
            | (192, 0, 2)
            | (192, 88, 99)
            | (198, 51, 100)
            | (203, 0, 113)
            // Multicast, reserved, broadcast.
            | (224.., ..)
    );
    !is_special && address != AZURE_HOST
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3; of it, 2001::/23 is for protocols, and 2001:db8::/32 and 3fff::/20 for documentation.
    let is_special = matches!((a, b), (0x2001, 0..=0x1ff | 0xdb8)) || (a, b & 0xf000) == (0x3fff, 0);
    a & 0xe000 == 0x2000 && !is_special
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291), translated (RFC 6052), 6to4 (RFC 3056).
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// What an Azure machine reaches its own host by, in each network
/// (<https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16>).
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// So long a name is not asked for again.
const KNOWN_FOR: Duration = Duration::from_secs(30);

pub(super) const PRIVATE: &str =
    "the name resolves to no address of the public internet, and others are not allowed (allow_private_addresses)";

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ureq::unversioned::transport::NextTimeout;

    use super::*;

    /// A name server that answers otherwise each time.
    #[derive(Debug)]
    struct Changing(Mutex<Vec<Vec<&'static str>>>);

    impl Resolver for Changing {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
            let answer = self.0.lock().expect("unpoisoned").remove(0);
            let mut found = self.empty();
            for address in answer {
                found.push((address.parse::<IpAddr>().expect("an address"), 443).into());
            }
            Ok(found)
        }
    }

    #[test]
    fn each_answer_of_the_name_server_is_judged_anew() {
        let answers = vec![
            vec!["8.8.8.8"],
            vec!["169.254.169.254"],
            vec!["127.0.0.1", "1.1.1.1", "::1"],
            vec!["::ffff:10.0.0.1", "fd00::1", "100.64.0.1", "0.0.0.0", "::"],
            vec![],
        ];
        let resolver = Addresses::new(Changing(Mutex::new(answers)), true);
        let resolve = |host: &str| {
            let uri: Uri = format!("https://{host}/").parse().expect("a URL");
            match resolver.resolve(&uri, &Config::default(), NextTimeout::default()) {
                Ok(found) => found.iter().map(|address| address.ip().to_string()).collect(),
                Err(error) => vec![error.to_string()],
            }
        };
        assert_eq!(resolve("siem.example.com"), ["8.8.8.8"]);
        // It is not asked for again at once: what was judged is what is connected to.
        assert_eq!(resolve("siem.example.com"), ["8.8.8.8"]);
        assert!(resolve("siem.example.com:444")[0].contains(PRIVATE));
        assert_eq!(resolve("siem.example.com"), ["1.1.1.1"]);
        assert!(resolve("siem.example.com:444")[0].contains(PRIVATE));
        assert!(resolve("siem.example.com:444")[0].contains(PRIVATE));
    }

    #[test]
    fn special_addresses_are_not_public_in_any_spelling() {
        let special = [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "168.63.129.16",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::7f00:1",
            // Translation of a network's own, whose prefix may be shorter: here it is that of 10.0.0.1.
            "64:ff9b:1:a00:0:100:808:808",
            "2002:7f00:1::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
            "fec0::1",
        ];
        for address in special {
            assert!(!is_public(address.parse().expect("an address")), "{address}");
        }
        let public = [
            "8.8.8.8",
            "1.1.1.1",
            "172.32.0.1",
            "172.15.0.1",
            "100.128.0.1",
            "223.255.255.255",
            "2606:4700::1",
            "2a00:1450::1",
            "64:ff9b::8.8.8.8",
            "::ffff:8.8.8.8",
            "2001:4860::8888",
        ];
        for address in public {
            assert!(is_public(address.parse().expect("an address")), "{address}");
        }
    }
}
