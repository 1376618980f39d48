//! Syslog: RFC 5424 over UDP, TCP and TLS.

mod connection;
mod format;
mod link;
mod sending;
#[cfg(test)]
mod tests;
mod tls;
mod window;

use std::net::Ipv6Addr;
use std::time::Duration;

use super::{Batch, Delivery, Limits, Message, Rejection, Secret, Sink};
use crate::error::{Error, Result};
use crate::schema::syslog::Facility;
use format::{HEADER_BYTES_MAX, Header, Names};
use link::{IN_CLEAR, Link, Target, Transport};
use tls::Trust;
use window::{Frames, Framing, Window};

/// Sends each message to a syslog receiver, as [RFC 5424](https://www.rfc-editor.org/rfc/rfc5424) writes it: over TLS
/// (RFC 5425), TCP (RFC 6587, octet counting) or UDP (RFC 5426).
///
/// ```
/// use indelible::sink::{Feed, Secret, Syslog};
///
/// # fn feed(authority: Vec<u8>, certificate: Vec<u8>) -> Feed {
/// let syslog = Syslog::tls("siem.example.com", 6514)
///     .roots(authority)
///     .client_certificate(certificate, Secret::file("/run/secrets/syslog.key"))
///     .app_name("auth");
/// Feed::new("siem", syslog).without_personal_data()
/// # }
/// ```
///
/// # What is sent
///
/// ```text
/// <110>1 2026-02-01T10:00:00.123456Z host auth 4242 auth.login.succeeded [indelible@32473 seq="7" hash="9f…"] {"event":…}
/// ```
///
/// - The facility is 13 (log audit), the severity that of the event ([`schema::syslog`](crate::schema::syslog)), the time
///   when it happened, in microseconds. MSGID is the action, cut to 32 characters.
/// - The structured data has the record's `seq` and its hash; for a checkpoint, its size as `checkpoint`. The `32473` of its
///   name is the private enterprise number that RFC 5612 keeps for documentation: set that of your organization
///   with [`enterprise_number`](Self::enterprise_number), where it has one.
/// - The text is the message as the log prints it, in UTF-8, on one line, without a byte order mark (with one, JSON parsers
///   refuse it). Of what a receiver keeps, each record verifies (FORMAT §10): JSON escapes what rsyslog would replace. DEL it
///   does not escape, and neither rsyslog nor syslog-ng touches it.
///
/// # What it cannot prove
///
/// Syslog has no acknowledgement. A message counts as delivered once the kernel has it and the connection stands: what the
/// receiver had not read when it died, nobody tells. So what was written last (8 MiB, see
/// [`resend_bytes`](Self::resend_bytes)) is kept in memory, and written again, before anything new, on the next connection
/// after one that broke; after one that the receiver ended in order, the last five minutes before its last message. A
/// receiver gets such messages twice: `seq` tells. What remains:
///
/// - If this process ends without closing the log, what it kept in memory is gone. So over TCP and TLS the saved position
///   stays before what was written within the last five minutes, as far as it is kept, and the next process sends it again
///   ([`Sink::unconfirmed`]); only a receiver that hangs for longer, and then dies with the sender, loses something. Closing
///   the log ends the connection in order: where the receiver does so too, it has read all, and nothing is sent twice.
/// - They come late if the receiver dies while nothing is recorded: it is noticed with the next message.
/// - What a receiver has read and loses, it loses: give it a queue on disk.
/// - A record that is erased meanwhile may be sent once more as it was, to the receiver that got it before.
/// - Over UDP, anything may be lost, and this sink learns only of some of it. Over TCP anyone on the way reads and changes
///   it. Use TLS.
///
/// Gaps are found by `seq`, and by verifying what the receiver has against the checkpoints.
///
/// # Size
///
/// A message longer than [`message_bytes_max`](Self::message_bytes_max), 8,096 bytes (rsyslog's own), is rejected and set aside, never sent
/// cut: receivers split a longer one, or close the connection over and over. A record has 1 to 2 KB as a rule, 2 KB more
/// with its proof, and 64 KiB at most. To take all of them, raise the limit here and at the receiver: in rsyslog
/// `global(maxMessageSize="128k")`, in syslog-ng `options { log-msg-size(131072); };`.
///
/// Where a receiver ends the connection again and again over what it gets, delivery is held with that problem.
///
/// # Configuration of a receiver
///
/// It needs no permission but that of its firewall and, with mutual TLS, a client certificate of an authority that it knows.
/// rsyslog (`imtcp`; `imptcp` of 8.2302 loops for ever on frames above its own limit):
///
/// ```text
/// global(maxMessageSize="128k"
///     defaultNetstreamDriverCAFile="/etc/rsyslog/ca.pem"
///     defaultNetstreamDriverCertFile="/etc/rsyslog/server.pem"
///     defaultNetstreamDriverKeyFile="/etc/rsyslog/server.key")
/// module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
/// template(name="audit" type="string" string="%msg%\n")
/// ruleset(name="audit") { action(type="omfile" file="/var/log/audit.jsonl" template="audit") }
/// input(type="imtcp" port="6514" ruleset="audit")
/// ```
///
/// syslog-ng:
///
/// ```text
/// source s_audit { syslog(transport("tls") port(6514) tls(ca-file("/etc/syslog-ng/ca.pem")
///     cert-file("/etc/syslog-ng/server.pem") key-file("/etc/syslog-ng/server.key") peer-verify(required-trusted))); };
/// destination d_audit { file("/var/log/audit.jsonl" template("${MESSAGE}\n")); };
/// log { source(s_audit); destination(d_audit); };
/// ```
#[derive(Debug)]
pub struct Syslog {
    target: Target,
    names: Names,
    has_newlines: bool,
    message_bytes_max: usize,
    header: Option<Header>,
    link: Option<Link>,
    window: Window,
    /// How many connections in a row broke soon after they were made.
    broken: u32,
}

impl Syslog {
    /// A receiver over TLS; its port is 6514 as a rule. Its certificate is checked against its name or address.
    pub fn tls(host: impl Into<String>, port: u16) -> Self {
        Self::new(Transport::Tls, host.into(), port)
    }

    /// A receiver over TCP, in the clear: for one on this host. Its port is 601 or 514 as a rule.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::new(Transport::Tcp, host.into(), port)
    }

    /// A receiver over UDP, which loses what the network or the receiver cannot take at once. Its port is 514 as a rule.
    pub fn udp(host: impl Into<String>, port: u16) -> Self {
        Self::new(Transport::Udp, host.into(), port).resend_bytes(RESEND_BYTES_UDP)
    }

    fn new(transport: Transport, host: String, port: u16) -> Self {
        Self {
            target: Target {
                transport,
                host,
                port,
                timeout: Duration::from_secs(15),
                trust: Trust::default(),
            },
            names: Names {
                facility: Facility::default(),
                enterprise_number: 32473,
                hostname: None,
                app_name: None,
            },
            has_newlines: false,
            message_bytes_max: MESSAGE_BYTES_MAX,
            header: None,
            link: None,
            window: Window::new(RESEND_BYTES),
            broken: 0,
        }
    }

    /// Trusts these certificate authorities (PEM, one or more) and no others. Without it, those of the platform.
    pub fn roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.target.trust.roots = Some(pem.into());
        self
    }

    /// Shows this certificate (PEM, with its chain) to the receiver. The key is PEM too, PKCS #8, SEC 1 or PKCS #1; it is
    /// asked for with each connection.
    pub fn client_certificate(mut self, pem: impl Into<Vec<u8>>, key: impl Into<Secret>) -> Self {
        self.target.trust.client = Some((pem.into(), key.into()));
        self
    }

    /// How long each step may take: finding the address, connecting, agreeing on TLS, writing 32 KiB. 15 seconds, where it is
    /// not set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.target.timeout = timeout.clamp(Duration::from_millis(1), TIMEOUT_MAX);
        self
    }

    /// The facility. [`Facility::Audit`], where it is not set.
    pub fn facility(mut self, facility: Facility) -> Self {
        self.names.facility = facility;
        self
    }

    /// HOSTNAME, 1 to 255 printable ASCII characters: best a full name. Where it is not set, that of the machine as Linux has
    /// it, elsewhere `-`.
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.names.hostname = Some(name.into());
        self
    }

    /// APP-NAME, 1 to 48 printable ASCII characters. The name of the program's file, where it is not set.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.names.app_name = Some(name.into());
        self
    }

    /// The private enterprise number in the name of the structured data, `indelible@NUMBER` (RFC 5424 §7.2.2). IANA gives
    /// them to organizations; 32473 where it is not set, which RFC 5612 keeps for documentation.
    pub fn enterprise_number(mut self, number: u32) -> Self {
        self.names.enterprise_number = number;
        self
    }

    /// How long a message may be, header and all. Over UDP no more than 65,507, which a datagram holds.
    pub fn message_bytes_max(mut self, bytes: usize) -> Self {
        self.message_bytes_max = bytes;
        self
    }

    /// How much of what was written last is kept to be written again after a connection broke: at least what both kernels may
    /// hold (with Linux's defaults 4 MiB here and 3 MiB there) and what the receiver loses when it is killed.
    pub fn resend_bytes(mut self, bytes: usize) -> Self {
        self.window = Window::new(bytes);
        self
    }

    /// Ends each message with a line feed in place of counting its bytes (RFC 6587 §3.4.2): for receivers over TCP that know
    /// nothing else.
    pub fn end_with_newlines(mut self) -> Self {
        self.has_newlines = true;
        self
    }

    /// The messages as they go on the wire, and those that are too long.
    fn frame(&mut self, messages: &[Message]) -> Result<(Frames, Vec<Rejection>), String> {
        let header = match &mut self.header {
            Some(header) => header,
            none => none.insert(Header::new(&self.names).map_err(|error| error.to_string())?),
        };
        let (framing, most) = match self.target.transport {
            Transport::Udp => (Framing::Datagrams, DATAGRAM_BYTES_MAX),
            _ if self.has_newlines => (Framing::Lines, usize::MAX),
            _ => (Framing::Counted, usize::MAX),
        };
        let limit = self.message_bytes_max.min(most);
        let length = |message: &Message| message.text().len() + HEADER_BYTES_MAX;
        let mut frames = Frames::new(framing, messages.iter().map(length).sum());
        let (mut rejected, mut written) = (Vec::new(), Vec::new());
        for (at, message) in messages.iter().enumerate() {
            written.clear();
            header.write_message(&mut written, message);
            match written.len() > limit {
                true => rejected.push(Rejection::new(at, too_long(written.len(), limit))),
                false => frames.push(message.seq(), &written),
            }
        }
        Ok((frames, rejected))
    }
}

impl Sink for Syslog {
    fn check(&self) -> Result<()> {
        let host = self.target.host.as_str();
        let address = host.split_once('%').map_or(host, |(address, _)| address);
        let has_more = host.contains(':') && address.parse::<Ipv6Addr>().is_err();
        if host.is_empty() || has_more {
            let problem = "it is a name or an address, without brackets and port";
            return Err(Error::configuration("host", problem));
        }
        if self.target.port == 0 {
            return Err(Error::configuration("port", "it is 1 at least"));
        }
        if self.target.transport != Transport::Tls && self.target.trust.is_given() {
            return Err(Error::configuration("roots", IN_CLEAR));
        }
        Header::new(&self.names)?;
        self.target.trust.check()
    }

    fn limits(&self) -> Limits {
        Limits::new(1_000, BATCH_BYTES_MAX)
    }

    fn size_of(&self, message: &Message) -> usize {
        message.text().len() + HEADER_BYTES_MAX / 2
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let (frames, rejected) = match self.frame(batch.messages) {
            Ok(framed) => framed,
            Err(problem) => return Delivery::hold(problem),
        };
        if !frames.is_empty()
            && let Err(delivery) = self.send(frames)
        {
            return delivery;
        }
        match rejected.is_empty() {
            true => Delivery::Delivered,
            false => Delivery::Rejected {
                rejected,
                undelivered: Vec::new(),
            },
        }
    }

    fn unconfirmed(&mut self) -> Option<u64> {
        match self.target.transport {
            // Nobody ever tells.
            Transport::Udp => None,
            Transport::Tcp | Transport::Tls => self.window.unconfirmed(),
        }
    }

    fn finish(&mut self) {
        self.end();
    }
}

fn too_long(bytes: usize, limit: usize) -> String {
    format!("it has {bytes} bytes as a syslog message, more than {limit}")
}

/// The default of rsyslog 8, a little less than the 8,192 that RFC 5425 §4.3.1 asks of a receiver.
const MESSAGE_BYTES_MAX: usize = 8_096;

/// Of IPv4 (RFC 5426 §3.2).
const DATAGRAM_BYTES_MAX: usize = 65_507;

/// What the clock can count.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 86_400);

const BATCH_BYTES_MAX: usize = 256 * 1024;

const RESEND_BYTES: usize = 8 * 1024 * 1024;

const RESEND_BYTES_UDP: usize = 64 * 1024;
