//! The way to a receiver, whatever its transport.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::connection::{Connection, Lost, resolve};
use super::tls::Trust;
use super::window::Frames;

/// Where a receiver is, and how it is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) transport: Transport,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) timeout: Duration,
    pub(super) trust: Trust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// The way to a receiver.
#[derive(Debug)]
pub(super) struct Link {
    way: Way,
    since: Instant,
}

#[derive(Debug)]
enum Way {
    Stream(Box<Connection>),
    Datagrams(UdpSocket),
}

impl Link {
    pub(super) fn open(target: &Target) -> Result<Self, Lost> {
        let tls = match target.transport {
            Transport::Tls => Some(target.trust.config().map_err(Lost::hold)?),
            // Who gives certificates does not want it to go in the clear.
            _ if target.trust.is_given() => return Err(Lost::hold(IN_CLEAR)),
            _ => None,
        };
        let way = match target.transport {
            Transport::Udp => Way::Datagrams(bind(target)?),
            _ => {
                let connection = Connection::open(&target.host, target.port, tls, target.timeout)?;
                Way::Stream(Box::new(connection))
            }
        };
        let since = Instant::now();
        Ok(Self { way, since })
    }

    /// For how long it stands.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether it still stands, as far as that is known here.
    pub(super) fn check(&mut self) -> Result<(), Lost> {
        match &mut self.way {
            Way::Stream(connection) => connection.check(),
            Way::Datagrams(socket) => refusal(socket).map_err(|error| Lost::io(&error)),
        }
    }

    /// The same, after waiting for a while.
    pub(super) fn listen(&mut self, wait: Duration) -> Result<(), Lost> {
        match &mut self.way {
            Way::Stream(connection) => connection.listen(wait),
            Way::Datagrams(_) => self.check(),
        }
    }

    /// Ends it, and tells whether the receiver has read all that was sent, as far as that is known.
    pub(super) fn end(mut self) -> bool {
        match &mut self.way {
            Way::Stream(connection) => connection.end(),
            Way::Datagrams(_) => false,
        }
    }

    pub(super) fn send(&mut self, frames: &Frames) -> Result<(), Lost> {
        match &mut self.way {
            Way::Stream(connection) => connection.send(frames.bytes()),
            Way::Datagrams(socket) => {
                let sent = frames.each().try_for_each(|frame| socket.send(frame).map(drop));
                sent.map_err(|error| Lost::io(&error))
            }
        }
    }
}

fn bind(target: &Target) -> Result<UdpSocket, Lost> {
    let addresses = resolve(&target.host, target.port, target.timeout)?;
    let mut lost = Lost::retry("the target's name has no address");
    for address in addresses {
        let own: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let bound = UdpSocket::bind(own).and_then(|socket| {
            socket.connect(address)?;
            socket.set_write_timeout(Some(target.timeout))?;
            Ok(socket)
        });
        match bound {
            Ok(socket) => return Ok(socket),
            Err(error) => lost = Lost::io(&error),
        }
    }
    Err(lost)
}

/// What the network said of datagrams that nobody took.
fn refusal(socket: &UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let heard = socket.recv(&mut [0; 1]);
    socket.set_nonblocking(false)?;
    match heard {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

pub(super) const IN_CLEAR: &str = "certificates are for TLS: see Syslog::tls";
