//! From tickets to printed receipts.

use std::sync::mpsc::{Receiver, TryRecvError};

use indelible::{Receipt, Result as LogResult, Ticket};

use super::Message;
use crate::failure::Failure;
use crate::output::Output;

/// What was printed.
pub(super) struct Printed {
    /// The number of the last line with a receipt; 0 if none has one.
    pub(super) last: u64,
    /// Whether a signal ended it.
    pub(super) stopped: bool,
}

/// Prints receipts in the order of their lines, each as soon as it is there. Nothing waits in a buffer while a ticket
/// or a line is waited for.
///
/// # Errors
///
/// The first line that was not recorded. Nothing is printed for the lines behind it.
pub(super) fn print(from: &Receiver<Message>, output: &mut Output) -> Result<Printed, Failure> {
    let mut last = 0;
    while let Some(message) = next(from, output) {
        let (line, result) = match message {
            Message::Submitted(line, ticket) => (line, wait(ticket, output)),
            Message::Answered(line, result) => (line, result),
            Message::Ended(ended) => return ended.map(|()| Printed { last, stopped: false }),
            Message::Stopped => return Ok(Printed { last, stopped: true }),
        };
        let receipt = result.map_err(|error| Failure::new(format!("line {line}: {error}")))?;
        output.line(format_args!(
            r#"{{"hash":"{}","seq":{},"size":{}}}"#,
            receipt.hash, receipt.seq, receipt.size
        ));
        last = line;
    }
    Err(Failure::new("the reader of lines is gone"))
}

fn next(from: &Receiver<Message>, output: &mut Output) -> Option<Message> {
    match from.try_recv() {
        Err(TryRecvError::Empty) => {
            output.flush();
            from.recv().ok()
        }
        received => received.ok(),
    }
}

fn wait(ticket: Ticket, output: &mut Output) -> LogResult<Receipt> {
    ticket.try_receipt().unwrap_or_else(|| {
        output.flush();
        ticket.wait()
    })
}
