//! Answers that come before a request is sent whole.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Makes connections that are still listened to where the target does not listen any more. One that refuses a request for
/// its size may answer as soon as it has the headers, and close the connection without reading the rest: what it said is
/// then read, in place of failing to send.
///
/// It stands below TLS, which would not read on after it failed to write.
#[derive(Debug, Default)]
pub(super) struct EarlyAnswers(pub(super) Unheard);

/// Whether a part of the request was not sent: then the target cannot have taken it, whatever it answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Unheard(Arc<AtomicBool>);

impl Unheard {
    /// Whether it was so since this was asked last.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl<T: Transport> Connector<T> for EarlyAnswers {
    type Out = Listening<T>;

    fn connect(&self, _: &ConnectionDetails<'_>, below: Option<T>) -> Result<Option<Listening<T>>, Error> {
        Ok(below.map(|transport| Listening {
            transport,
            is_unheard: false,
            unheard: self.0.clone(),
        }))
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Listening<T> {
    transport: T,
    is_unheard: bool,
    unheard: Unheard,
}

impl<T: Transport> Transport for Listening<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.is_unheard {
            return Ok(());
        }
        match self.transport.transmit_output(amount, timeout) {
            Err(Error::Io(error)) if CLOSED.contains(&error.kind()) => {
                self.is_unheard = true;
                self.unheard.0.store(true, Ordering::Relaxed);
                Ok(())
            }
            sent => sent,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        !self.is_unheard && self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

const CLOSED: [ErrorKind; 3] = [
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
];
