//! `indelible append`.
//!
//! One thread reads lines and submits their events, without waiting: [`intake`]. This one waits for the tickets and
//! prints the receipts, in the order of the lines: [`receipts`]. A signal ends the reading between two lines: [`stop`].

mod intake;
mod lines;
mod receipts;
mod recent;
mod stop;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;

use clap::Args;
use indelible::{AuditLog, Receipt, Result as LogResult, Ticket};

use crate::failure::{Failure, complain};
use crate::opening::{self, Opening};
use crate::output::Output;
use intake::Intake;
use stop::Gate;

/// Record events, one JSON object a line
///
/// Each line is an event in its merged form, as cat prints it under "event":
/// {"action":"auth.login.failed","actor":{"type":"user","id":"usr_1"},...}. Its member
/// "personal":{"changes":[indices],"metadata":[keys]} marks those that are personal and can be erased; without it they
/// are kept for good. Events of the log itself (audit_log.*) are not taken. The log is made if it is not there.
///
/// For each event a receipt {"hash","seq","size"} is printed, in order, as soon as the event is durable: on disk,
/// chained and signed. A reader of receipts that goes away stops nothing. A line that is not an event stops the command
/// with exit status 2; all before it is recorded and has its receipt. Lines count from 1, empty lines are left out, the
/// last line needs no line feed.
///
/// An event with an id of its own can be sent again: it gets its first receipt.
///
/// SIGTERM and SIGINT: what was read is recorded, then the log is closed in order. The exit status is 0, but 2 where
/// FILE was not read to its end.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible append audit --key audit.key events.jsonl
  echo '{\"action\":\"auth.login.failed\",\"actor\":{\"type\":\"user\",\"id\":\"usr_1\"}}' | indelible append audit --key audit.key")]
pub(crate) struct Append {
    #[command(flatten)]
    opening: Opening,

    /// The events; standard input unless given, or where it is -
    file: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Append, output: &mut Output) -> Result<ExitCode, Failure> {
    let file = arguments.file.as_ref().filter(|path| path.as_os_str() != "-");
    // A log is not made for an input that is not there.
    let input = open_input(file)?;
    let log = arguments.opening.open()?;
    let recorded = record(&log, input, file, output);
    let closed = opening::close(&log);
    recorded.and(closed)?;
    Ok(ExitCode::SUCCESS)
}

/// What the printing thread is told.
enum Message {
    /// An event is in the queue; the number of its line.
    Submitted(u64, Ticket),
    /// What became of an event.
    Answered(u64, LogResult<Receipt>),
    /// Nothing more follows: the input has ended, or a line is bad.
    Ended(Result<(), Failure>),
    /// Nothing more follows, by a signal.
    Stopped,
}

fn record(log: &AuditLog, input: Input, file: Option<&PathBuf>, output: &mut Output) -> Result<(), Failure> {
    let (to, from) = mpsc::sync_channel(WINDOW);
    let gate = Arc::new(Gate::default());
    stop::on_signals(Arc::clone(&gate), to.clone())?;
    let intake = Intake::new(log.clone(), input, Arc::clone(&gate), to);
    // It is never waited for: it may be reading from a pipe that stays open.
    thread::Builder::new().name("intake".into()).spawn(|| intake.run())?;
    let printed = receipts::print(&from, output);
    output.flush();
    let name = file.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
    let printed = printed.map_err(|failure| Failure::new(format!("{name}: {}", failure.as_ref())))?;
    let Some(signal) = gate.stopped_by().filter(|_| printed.stopped) else {
        return Ok(());
    };
    let stopped = format!("{name}: stopped by {signal} after line {}", printed.last);
    match file {
        Some(_) => Err(Failure::new(stopped)),
        None => {
            complain(stopped);
            Ok(())
        }
    }
}

type Input = Box<dyn Read + Send>;

fn open_input(file: Option<&PathBuf>) -> Result<Input, Failure> {
    match file {
        Some(path) => Ok(Box::new(File::open(path).map_err(|error| Failure::at(path, error))?)),
        None => Ok(Box::new(io::stdin())),
    }
}

/// How many events may wait for their receipts.
const WINDOW: usize = 16 * 1024;
