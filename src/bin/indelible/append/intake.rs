//! From lines to events in the queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use indelible::{AuditLog, Cause, Event, Ticket};

use super::lines::{Line, Lines};
use super::recent::RecentIds;
use super::stop::Gate;
use super::{Input, Message};
use crate::failure::Failure;

/// Reads the input and submits its events.
pub(super) struct Intake {
    lines: Lines<Input>,
    gate: Arc<Gate>,
    events: Events,
}

/// Where the events go.
struct Events {
    log: AuditLog,
    to: SyncSender<Message>,
    recent: Option<RecentIds>,
}

/// Why the reading ends before the input does.
enum End {
    /// A line or the log is at fault.
    Failed(Failure),
    /// A signal stopped it.
    Stopped,
    /// The printing thread knows why already.
    Known,
}

impl Intake {
    pub(super) fn new(log: AuditLog, input: Input, gate: Arc<Gate>, to: SyncSender<Message>) -> Self {
        let (lines, recent) = (Lines::new(input), None);
        let events = Events { log, to, recent };
        Self { lines, gate, events }
    }

    /// Reads to the end of the input, to the first line that is not an event, or until a signal stops it.
    pub(super) fn run(mut self) {
        let to = self.events.to.clone();
        let ended = catch_unwind(AssertUnwindSafe(|| self.read()));
        let ended = match ended.unwrap_or_else(|_| Err(End::Failed(Failure::new("the reader of lines panicked")))) {
            Ok(()) => Message::Ended(Ok(())),
            Err(End::Failed(failure)) => Message::Ended(Err(failure)),
            Err(End::Stopped) => Message::Stopped,
            Err(End::Known) => return,
        };
        let _ = to.send(ended);
    }

    fn read(&mut self) -> Result<(), End> {
        loop {
            while let Some(line) = self.lines.next() {
                self.events.take(&line)?;
            }
            // Here a signal may end it: all that was read is in the queue, but for a line that is not whole.
            if !self.gate.wait_begins() {
                return Err(End::Stopped);
            }
            let filled = self.lines.fill();
            if !self.gate.wait_ends() {
                return Err(End::Known);
            }
            if !filled.map_err(End::Failed)? {
                return match self.lines.next() {
                    Some(last) => self.events.take(&last),
                    None => Ok(()),
                };
            }
        }
    }
}

impl Events {
    fn take(&mut self, line: &Line<'_>) -> Result<(), End> {
        if line.bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let (ticket, may_be_refused) = self.submit(line)?;
        let message = match may_be_refused {
            false => Message::Submitted(line.number, ticket),
            true => Message::Answered(line.number, ticket.wait()),
        };
        let is_refused = matches!(&message, Message::Answered(_, Err(_)));
        match self.to.send(message) {
            Ok(()) if !is_refused => Ok(()),
            _ => Err(End::Known),
        }
    }

    /// Puts the event into the queue, and tells whether it may yet be refused for its id. Where there is no room it
    /// waits and reads the event anew.
    fn submit(&mut self, line: &Line<'_>) -> Result<(Ticket, bool), End> {
        loop {
            let event = Event::from_json(line.bytes).map_err(|error| bad(line, error))?;
            let may_be_refused = match &event.fields().id {
                Some(id) => self.may_be_known(id, line.more).map_err(|error| bad(line, error))?,
                None => false,
            };
            match self.log.submit(event) {
                Ok(ticket) => return Ok((ticket, may_be_refused)),
                Err(error) if matches!(error.cause(), Cause::QueueFull { .. }) => thread::sleep(PAUSE),
                Err(error) => match error.cause() {
                    Cause::InvalidEvent(invalid) => return Err(bad(line, invalid)),
                    _ => return Err(bad(line, format!("not recorded: {error}"))),
                },
            }
        }
    }

    /// Whether an event with this id may have been recorded before. Then it may be refused, and a line behind it must
    /// not be recorded before that is known.
    ///
    /// The log is read for its recent ids once more lines wait. Where none do, it is as well to wait for the receipt.
    fn may_be_known(&mut self, id: &str, more: bool) -> Result<bool, indelible::Error> {
        if self.recent.is_none() && more {
            self.recent = Some(RecentIds::of(&self.log)?);
        }
        Ok(self.recent.as_mut().is_none_or(|recent| !recent.insert(id)))
    }
}

fn bad(line: &Line<'_>, problem: impl std::fmt::Display) -> End {
    End::Failed(Failure::new(format!("line {}: {problem}", line.number)))
}

/// How long a full queue is left alone.
const PAUSE: Duration = Duration::from_millis(1);
