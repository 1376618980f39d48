//! What the writer does while it is killed or its calls fail: the short life of a log in which everything happens.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indelible::{AuditLog, Event, FileStore, Receipt, Result};

use super::upkeep::{self, Later};
use crate::scene::{ORIGIN, SOON, login};

/// The lives, by who commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// One thread appends and commits by itself, without space written ahead.
    Alone,
    /// Other threads submit, the committers commit, and space is written ahead.
    Threads,
    /// Opens, appends twice and closes: for a log that a crash left.
    Again,
    /// Erases personal data and records.
    Erase,
    /// Purges twice.
    Purge,
    #[cfg(feature = "compress")]
    /// Compresses twice.
    Compress,
    /// Applies a retention.
    Retain,
    /// Exports twice into a folder.
    Export,
}

/// What the writer says as it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The event of this id has its receipt.
    Recorded { id: String, seq: u64, hash: String },
    /// A step failed.
    Failed(String),
    /// The log told of a failure that no caller saw.
    Told(String),
    /// All steps are done.
    Done,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded { id, seq, hash } => write!(f, "recorded {id} {seq} {hash}"),
            Self::Failed(error) => write!(f, "failed {}", error.replace('\n', " ")),
            Self::Told(error) => write!(f, "told {}", error.replace('\n', " ")),
            Self::Done => f.write_str("done"),
        }
    }
}

impl Said {
    pub(super) fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("recorded", rest) => {
                let mut words = rest.split(' ').map(str::to_owned);
                let (id, seq, hash) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
                Some(Self::Recorded { id, seq, hash })
            }
            ("failed", error) => Some(Self::Failed(error.to_owned())),
            ("told", error) => Some(Self::Told(error.to_owned())),
            ("done", "") => Some(Self::Done),
            _ => None,
        }
    }
}

type Say = Arc<dyn Fn(Said) + Send + Sync>;

impl Life {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let lives = [
            Self::Alone,
            Self::Threads,
            Self::Again,
            Self::Erase,
            Self::Purge,
            #[cfg(feature = "compress")]
            Self::Compress,
            Self::Retain,
            Self::Export,
        ];
        lives.into_iter().find(|life| life.name() == name)
    }

    pub(super) fn name(self) -> String {
        format!("{self:?}")
    }

    pub(super) fn open(self, root: &Path, say: &Say) -> Result<AuditLog> {
        let say = Arc::clone(say);
        let builder = AuditLog::builder(ORIGIN)
            .key_file(root.join("audit.key"))
            .lock_wait(Duration::from_secs(5))
            .on_error(move |error| say(Said::Told(error.to_string())));
        let builder = match self {
            Self::Retain => builder.clock(Later),
            _ => builder,
        };
        builder.open(
            FileStore::new(root.join("audit"))
                .segment_size(6_000)
                .space_ahead(self == Self::Threads),
        )
    }

    /// Lives it to its end, or until too much has failed. After a failure the log is opened anew and the step tried
    /// again, as a host would; events have ids, so none is recorded twice.
    pub(super) fn live(self, root: &Path, say: impl Fn(Said) + Send + Sync + 'static) {
        let mut writer = Writer {
            life: self,
            root: root.to_owned(),
            say: Arc::new(say),
            log: None,
            failures: 0,
        };
        let done = match self {
            Self::Alone | Self::Threads => writer.do_everything(),
            Self::Again => writer.go_on(),
            _ => writer.keep(),
        };
        if done.is_some() {
            (writer.say)(Said::Done);
        }
    }

    /// Whose personal data is gone at the end.
    pub(super) fn erased_emails(self) -> Vec<String> {
        match self {
            Self::Alone | Self::Threads => ERASED.map(email).collect(),
            Self::Erase => upkeep::erased_emails(),
            _ => Vec::new(),
        }
    }
}

/// Who lives a life.
pub(super) struct Writer {
    life: Life,
    root: PathBuf,
    say: Say,
    log: Option<AuditLog>,
    failures: usize,
}

impl Writer {
    /// `None` once too much has failed.
    fn do_everything(&mut self) -> Option<()> {
        let seqs = self.record(0..10)?;
        let ranges = |numbers: &mut dyn Iterator<Item = usize>| -> Vec<_> {
            numbers.map(|number| seqs[number]..=seqs[number]).collect()
        };
        self.rotate()?;
        self.step(|log| log.erase_personal_data(ranges(&mut ERASED.take(2)), "asked"))?;
        self.record(10..13)?;
        self.step(|log| log.erase_records(ranges(&mut ERASED.skip(2)), "asked"))?;
        let seqs = self.record(13..19)?;
        self.step(|log| log.purge(seqs[0]))?;
        self.rotate()?;
        let seqs = self.record(19..24)?;
        self.step(|log| log.purge(seqs[0]))?;
        self.close()?;
        let seqs = self.record(24..27)?;
        self.step(|log| log.purge(seqs[0]))?;
        self.burst(27..33)?;
        self.close()
    }

    fn go_on(&mut self) -> Option<()> {
        self.record(40..42)?;
        // What a crash interrupted is taken up again meanwhile.
        std::thread::sleep(Duration::from_millis(100));
        self.close()
    }

    pub(super) fn life(&self) -> Life {
        self.life
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn log(&mut self) -> Result<&AuditLog> {
        if self.log.is_none() {
            self.log = Some(self.life.open(&self.root, &self.say)?);
        }
        Ok(self.log.as_ref().expect("it is open"))
    }

    pub(super) fn step<T>(&mut self, step: impl Fn(&AuditLog) -> Result<T>) -> Option<T> {
        loop {
            match self.log().and_then(&step) {
                Ok(done) => return Some(done),
                Err(error) => {
                    (self.say)(Said::Failed(error.to_string()));
                    self.log = None;
                    self.failures += 1;
                    if self.failures == FAILURES_MAX {
                        return None;
                    }
                }
            }
        }
    }

    /// Records events one after the other, and gives their `seq`.
    pub(super) fn record(&mut self, numbers: Range<usize>) -> Option<Vec<u64>> {
        let life = self.life;
        let record = |log: &AuditLog, number| match life {
            Life::Threads => std::thread::scope(|scope| {
                let thread = scope.spawn(|| log.submit(event(number))?.wait());
                thread.join().expect("no panic")
            }),
            _ => log.append(event(number)),
        };
        let mut seqs = Vec::new();
        for number in numbers {
            let receipt = self.step(|log| record(log, number))?;
            seqs.push(self.say_recorded(number, receipt));
        }
        Some(seqs)
    }

    /// Submits events all at once: how they are grouped is up to the committers.
    fn burst(&mut self, numbers: Range<usize>) -> Option<()> {
        let receipts = self.step(|log| {
            let tickets: Result<Vec<_>> = numbers.clone().map(|number| log.submit(event(number))).collect();
            tickets?
                .into_iter()
                .map(|ticket| ticket.wait())
                .collect::<Result<Vec<_>>>()
        })?;
        for (number, receipt) in numbers.zip(receipts) {
            self.say_recorded(number, receipt);
        }
        Some(())
    }

    fn say_recorded(&self, number: usize, receipt: Receipt) -> u64 {
        (self.say)(Said::Recorded {
            id: id(number),
            seq: receipt.seq,
            hash: receipt.hash.to_string(),
        });
        receipt.seq
    }

    fn rotate(&mut self) -> Option<()> {
        self.step(|log| log.rotate_key_file().map(drop))
    }

    pub(super) fn close(&mut self) -> Option<()> {
        self.step(|log| log.close(SOON))?;
        // What failed in the background while it closed is in its state.
        if let Some(error) = self.log.take().and_then(|log| log.state().last_error) {
            (self.say)(Said::Told(error.to_string()));
        }
        Some(())
    }
}

fn id(number: usize) -> String {
    format!("life-{number}")
}

pub(super) fn event(number: usize) -> Event {
    login(format!("life_{number}")).id(id(number))
}

/// As it stands in a line.
pub(super) fn email(number: usize) -> String {
    format!("\"life_{number}@personal.example\"")
}

/// The events whose personal data is erased, the last ones as a whole.
const ERASED: Range<usize> = 3..7;

/// A fault hits each thread once, and a log that is opened anew has new threads.
const FAILURES_MAX: usize = 6;
