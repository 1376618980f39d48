//! A syslog receiver as a target.

use super::ConfigError;
use super::section::Section;
use super::sinks::{Secrets, client_certificate, needed};
use crate::schema::syslog::Facility;
use crate::sink::Syslog;

pub(super) fn syslog(section: &mut Section, secrets: &mut Secrets) -> Result<Syslog, ConfigError> {
    let (host, port) = (section.needed("host")?.value, section.whole("port")?);
    let port = needed(port, "port", section)?;
    let transport = section.parsed("transport", transport)?.unwrap_or(Transport::Tls);
    let syslog = match transport {
        Transport::Tls => Syslog::tls(host, port),
        Transport::Tcp => Syslog::tcp(host, port),
        Transport::Udp => Syslog::udp(host, port),
    };
    let mut syslog = match (section.certificates("roots")?, client_certificate(section, secrets)?) {
        (None, None) => syslog,
        _ if transport != Transport::Tls => {
            return Err(section.wrong("roots and client_certificate are those of the transport tls"));
        }
        (roots, shown) => {
            let syslog = roots.into_iter().fold(syslog, Syslog::roots);
            let show = |syslog: Syslog, (certificate, key)| syslog.client_certificate(certificate, key);
            shown.into_iter().fold(syslog, show)
        }
    };
    if let Some(facility) = section.parsed("facility", str::parse::<Facility>)? {
        syslog = syslog.facility(facility);
    }
    if let Some(name) = section.text("hostname")? {
        syslog = syslog.hostname(name.value);
    }
    if let Some(name) = section.text("app_name")? {
        syslog = syslog.app_name(name.value);
    }
    if let Some(number) = section.whole("enterprise_number")? {
        syslog = syslog.enterprise_number(number);
    }
    if let Some(bytes) = section.at_least("message_bytes_max", MESSAGE_BYTES_MIN)? {
        syslog = syslog.message_bytes_max(bytes);
    }
    if let Some(bytes) = section.whole("resend_bytes")? {
        syslog = syslog.resend_bytes(bytes);
    }
    if let Some(timeout) = section.duration("timeout")? {
        syslog = syslog.timeout(timeout);
    }
    match (section.boolean("newlines")?, transport) {
        (Some(true), Transport::Udp) => Err(section.wrong("newlines are those of a stream, tls or tcp")),
        (Some(true), _) => Ok(syslog.end_with_newlines()),
        _ => Ok(syslog),
    }
}

/// Every receiver takes so many (RFC 5426 §3.2).
const MESSAGE_BYTES_MIN: usize = 480;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Tls,
    Tcp,
    Udp,
}

fn transport(name: &str) -> Result<Transport, &'static str> {
    match name {
        "tls" => Ok(Transport::Tls),
        "tcp" => Ok(Transport::Tcp),
        "udp" => Ok(Transport::Udp),
        _ => Err("it is tls, tcp or udp"),
    }
}
