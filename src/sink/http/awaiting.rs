//! The time in which an answer is awaited.

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::sink::meanwhile;

/// Makes connections on which the worker does what there is to do [`meanwhile`], while it is waited for an answer.
///
/// It stands above TLS: agreeing on that is no answer, and its time for one begins once that is done.
#[derive(Debug, Default)]
pub(super) struct AwaitedAnswers;

impl<T: Transport> Connector<T> for AwaitedAnswers {
    type Out = Awaiting<T>;

    fn connect(&self, _: &ConnectionDetails<'_>, below: Option<T>) -> Result<Option<Awaiting<T>>, Error> {
        Ok(below.map(Awaiting))
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Awaiting<T>(T);

impl<T: Transport> Transport for Awaiting<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        meanwhile::now();
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}
