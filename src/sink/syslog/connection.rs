//! A connection over TCP, with TLS or without.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion};
use socket2::{SockRef, TcpKeepalive};

use crate::sink::Delivery;

/// A connection over TCP. Each step of it ends within its time limit.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    tls: Option<ClientConnection>,
    timeout: Duration,
    is_lost: bool,
}

/// Why there is no connection any more.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) delivery: Delivery,
    pub(super) how: How,
}

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The receiver ended it, having read all that had come.
    Ended,
    /// The receiver ended it, and had not.
    Reset,
    Otherwise,
}

impl Lost {
    fn new(how: How, what: impl Into<String>) -> Self {
        Self {
            delivery: Delivery::retry(what.into()),
            how,
        }
    }

    pub(super) fn retry(what: impl Into<String>) -> Self {
        Self::new(How::Otherwise, what)
    }

    pub(super) fn hold(what: impl Into<String>) -> Self {
        Self {
            delivery: Delivery::hold(what.into()),
            how: How::Otherwise,
        }
    }

    pub(super) fn io(error: &io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, WouldBlock};
        match error.kind() {
            WouldBlock | TimedOut => Self::retry("the target took too long"),
            kind @ (BrokenPipe | ConnectionReset) => Self::new(How::Reset, format!("the connection failed: {kind}")),
            kind => Self::retry(format!("the connection failed: {kind}")),
        }
    }

    fn ended() -> Self {
        Self::new(How::Ended, "the target ended the connection")
    }

    /// A certificate that is not trusted is not trusted the next time either.
    fn tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_) => {
                Self::hold(format!("TLS: {error}"))
            }
            _ => Self::retry(format!("TLS: {error}")),
        }
    }
}

impl Connection {
    /// Connects to a host. With TLS it waits until the receiver has taken the certificate that it is shown, if any.
    pub(super) fn open(host: &str, port: u16, tls: Option<Arc<ClientConfig>>, timeout: Duration) -> Result<Self, Lost> {
        let socket = connect(host, port, timeout)?;
        prepare(&socket, timeout).map_err(|error| Lost::io(&error))?;
        let mut connection = Self {
            socket,
            tls: None,
            timeout,
            is_lost: true,
        };
        if let Some(config) = tls {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|_| Lost::hold("the host is neither a name nor an address"))?;
            let session = ClientConnection::new(config, name).map_err(|error| Lost::tls(&error))?;
            connection.tls = Some(session);
            connection.shake_hands()?;
        }
        connection.is_lost = false;
        Ok(connection)
    }

    fn shake_hands(&mut self) -> Result<(), Lost> {
        let began = Instant::now();
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.is_handshaking()) {
            if began.elapsed() > self.timeout {
                return Err(Lost::retry("the target took too long to agree on TLS"));
            }
            match tls.wants_write() {
                true => self.write_tls(began + self.timeout)?,
                false if self.read()? => {}
                false => return Err(Lost::retry("the target took too long to agree on TLS")),
            }
        }
        self.write_tls(began + self.timeout)?;
        // With TLS 1.3 the client's part is over before the receiver has looked at the client's certificate, and what is
        // written meanwhile goes nowhere. The tickets that most send come after it has.
        let is_open = |tls: &ClientConnection| {
            tls.protocol_version() == Some(ProtocolVersion::TLSv1_3) && tls.tls13_tickets_received() == 0
        };
        let wait = (began.elapsed() * 4).clamp(LISTEN_MIN, self.timeout.max(LISTEN_MIN));
        let until = Instant::now() + wait;
        while self.tls.as_ref().is_some_and(is_open) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.read_within(left)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether it still stands, as far as that is known here: what came unread is read, an end or an alert among it.
    pub(super) fn check(&mut self) -> Result<(), Lost> {
        self.socket.set_nonblocking(true).map_err(|error| Lost::io(&error))?;
        let checked = (0..READS_MAX).try_for_each(|_| match self.read() {
            Ok(true) => Ok(()),
            Ok(false) => Err(None),
            Err(lost) => Err(Some(lost)),
        });
        self.socket.set_nonblocking(false).map_err(|error| Lost::io(&error))?;
        match checked {
            Ok(()) | Err(None) => Ok(()),
            Err(Some(lost)) => Err(lost),
        }
    }

    /// The same, after waiting for a while for the receiver to end it.
    pub(super) fn listen(&mut self, wait: Duration) -> Result<(), Lost> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.read_within(left)? {
                return Ok(());
            }
        }
    }

    /// Writes bytes; returns once the kernel has them.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        for piece in bytes.chunks(PIECE_BYTES) {
            let until = Instant::now() + self.timeout;
            match &mut self.tls {
                Some(tls) => {
                    let written = tls.writer().write_all(piece);
                    written.map_err(|error| self.lost(Lost::io(&error)))?;
                    self.write_tls(until)?;
                }
                None => self.write(piece, until)?,
            }
        }
        Ok(())
    }

    /// Ends it, if it stands, and tells whether the receiver then ended its side too: so it has read all that was sent.
    pub(super) fn end(&mut self) -> bool {
        if self.is_lost {
            return false;
        }
        self.is_lost = true;
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let until = Instant::now() + END_MAX;
        let has_ended = self.socket.set_write_timeout(Some(END_MAX)).is_ok()
            && self.write_tls(until).is_ok()
            && self.socket.shutdown(Shutdown::Write).is_ok();
        let heard = has_ended.then(|| self.listen(until.saturating_duration_since(Instant::now())));
        heard.is_some_and(|heard| heard.is_err_and(|lost| lost.how == How::Ended))
    }

    fn write(&mut self, mut bytes: &[u8], until: Instant) -> Result<(), Lost> {
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(Lost::io(&error))),
            }
            self.check_time(bytes.is_empty(), until)?;
        }
        Ok(())
    }

    fn write_tls(&mut self, until: Instant) -> Result<(), Lost> {
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write()) {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(Lost::io(&error))),
            }
            let is_done = self.tls.as_ref().is_none_or(|tls| !tls.wants_write());
            self.check_time(is_done, until)?;
        }
        Ok(())
    }

    /// A receiver that takes a byte now and then is as good as one that hangs.
    fn check_time(&mut self, is_done: bool, until: Instant) -> Result<(), Lost> {
        match is_done || Instant::now() < until {
            true => Ok(()),
            false => Err(self.lost(Lost::retry("the target took too long"))),
        }
    }

    fn read_within(&mut self, wait: Duration) -> Result<bool, Lost> {
        let io = |error: io::Error| Lost::io(&error);
        self.socket
            .set_read_timeout(Some(wait.max(Duration::from_millis(1))))
            .map_err(io)?;
        let read = self.read();
        self.socket.set_read_timeout(Some(self.timeout)).map_err(io)?;
        read
    }

    /// Reads once. Whether anything came in time; what it is has no meaning in syslog.
    fn read(&mut self) -> Result<bool, Lost> {
        let read = match &mut self.tls {
            None => self.socket.read(&mut [0; 1024]),
            Some(tls) => tls.read_tls(&mut self.socket),
        };
        match read {
            Ok(0) => return Err(self.lost(Lost::ended())),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Ok(false);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(self.lost(Lost::io(&error))),
        }
        let Some(tls) = &mut self.tls else {
            return Ok(true);
        };
        match tls.process_new_packets() {
            Ok(state) => {
                io::copy(
                    &mut tls.reader().take(state.plaintext_bytes_to_read() as u64),
                    &mut io::sink(),
                )
                .map_err(|error| self.lost(Lost::io(&error)))?;
                match state.peer_has_closed() {
                    true => Err(self.lost(Lost::ended())),
                    false => Ok(true),
                }
            }
            Err(error) => {
                // The alert that says why.
                let _ = tls.write_tls(&mut self.socket);
                Err(self.lost(Lost::tls(&error)))
            }
        }
    }

    fn lost(&mut self, lost: Lost) -> Lost {
        self.is_lost = true;
        lost
    }
}

/// It is ended in order: a socket that is closed with something unread takes back what its peer has not read yet.
impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

/// Connects to one of a host's addresses.
fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, Lost> {
    let until = Instant::now() + timeout;
    let addresses = resolve(host, port, timeout)?;
    let mut lost = Lost::retry("the target's name has no address");
    for (at, address) in addresses.iter().enumerate() {
        let others = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let left = until.saturating_duration_since(Instant::now()) / others;
        match TcpStream::connect_timeout(address, left.max(Duration::from_millis(1))) {
            Ok(socket) => return Ok(socket),
            Err(error) => lost = Lost::io(&error),
        }
    }
    Err(lost)
}

/// The addresses of a host. Asking for them knows no time limit, so a thread of its own does.
pub(super) fn resolve(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, Lost> {
    let (answer, answers) = mpsc::channel();
    let name = host.to_owned();
    let asking = std::thread::Builder::new().name("indelible-resolve".into());
    let asked = asking.spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        let _ = answer.send(found.map(|found| found.collect::<Vec<_>>()));
    });
    asked.map_err(|error| Lost::io(&error))?;
    match answers.recv_timeout(timeout) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) => Err(Lost::retry("the target's name is not known")),
        Err(_) => Err(Lost::retry("the target took too long: its name")),
    }
}

/// Time limits, and what finds out a receiver that is gone without a word.
fn prepare(socket: &TcpStream, timeout: Duration) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    let keepalive = TcpKeepalive::new()
        .with_time(SILENCE_MAX)
        .with_interval(SILENCE_MAX / 3)
        .with_retries(3);
    let options = SockRef::from(socket);
    options.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    options.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    Ok(())
}

/// So long nothing is heard of a receiver that is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// So much is written within the time limit.
const PIECE_BYTES: usize = 32 * 1024;

/// As much as is read of a receiver that has no reason to say anything.
const READS_MAX: usize = 64;

/// At least so long an alert is waited for, of a receiver that sends no ticket.
const LISTEN_MIN: Duration = Duration::from_millis(250);

/// So long a receiver may take to read the rest.
const END_MAX: Duration = Duration::from_secs(1);
