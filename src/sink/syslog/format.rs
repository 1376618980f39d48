//! Messages as RFC 5424 writes them.

use crate::error::{Error, Result};
use crate::event::Severity;
use crate::hash::Hash;
use crate::json;
use crate::schema::syslog::{Facility, priority};
use crate::sink::Message;
use crate::timestamp::Timestamp;

/// What a host sets of the header.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) facility: Facility,
    pub(super) enterprise_number: u32,
    /// Of this machine and this program, where they are not set.
    pub(super) hostname: Option<String>,
    pub(super) app_name: Option<String>,
}

/// What is the same in each message.
#[derive(Debug)]
pub(super) struct Header {
    facility: Facility,
    /// HOSTNAME, APP-NAME and PROCID, with a space around each.
    sender: String,
    /// SD-ID.
    id: String,
}

/// What is its own in each message.
#[derive(Debug, Clone)]
pub(super) struct Content<'a> {
    pub(super) severity: Severity,
    pub(super) time: Timestamp,
    /// Its action.
    pub(super) action: &'a str,
    pub(super) what: What,
    pub(super) text: &'a str,
}

/// What the message is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Record(u64, Hash),
    /// Of so many records.
    Checkpoint(u64),
}

impl Header {
    /// The header with these names.
    ///
    /// # Errors
    ///
    /// Which of them syslog does not take.
    pub(super) fn new(names: &Names) -> Result<Self> {
        let hostname = match &names.hostname {
            Some(name) => checked("hostname", name, HOSTNAME_BYTES_MAX)?.to_owned(),
            None => hostname().unwrap_or(NIL.to_owned()),
        };
        let app_name = match &names.app_name {
            Some(name) => checked("app_name", name, APP_NAME_BYTES_MAX)?.to_owned(),
            None => program().unwrap_or("indelible".to_owned()),
        };
        Ok(Self {
            facility: names.facility,
            sender: format!(" {hostname} {app_name} {} ", std::process::id()),
            id: format!("indelible@{}", names.enterprise_number),
        })
    }

    /// Appends a message of the log.
    pub(super) fn write_message(&self, out: &mut Vec<u8>, message: &Message) {
        let summary = message.summary();
        let what = match message.record() {
            Some(record) => What::Record(record.seq(), record.hash()),
            None => What::Checkpoint(message.checkpoint_size().unwrap_or_default()),
        };
        let content = Content {
            severity: summary.severity,
            time: summary.occurred_at,
            action: &summary.action,
            what,
            text: message.text(),
        };
        self.write(out, &content);
    }

    /// Appends a message: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD] MSG` (RFC 5424 §6).
    pub(super) fn write(&self, out: &mut Vec<u8>, content: &Content<'_>) {
        out.push(b'<');
        json::unsigned(out, priority(self.facility, content.severity).into());
        out.extend_from_slice(b">1 ");
        // Six digits of fraction, the most that RFC 5424 §6.2.3 allows.
        out.extend_from_slice(&content.time.to_fixed());
        out.extend_from_slice(self.sender.as_bytes());
        write_id(out, content.action);
        out.extend_from_slice(b" [");
        out.extend_from_slice(self.id.as_bytes());
        match content.what {
            What::Record(seq, hash) => {
                out.extend_from_slice(b" seq=\"");
                json::unsigned(out, seq);
                out.extend_from_slice(b"\" hash=\"");
                out.extend_from_slice(&hash.to_hex());
            }
            What::Checkpoint(size) => {
                out.extend_from_slice(b" checkpoint=\"");
                json::unsigned(out, size);
            }
        }
        out.extend_from_slice(b"\"] ");
        out.extend_from_slice(content.text.as_bytes());
    }
}

/// MSGID: of an action, the first characters that have a place in one.
fn write_id(out: &mut Vec<u8>, action: &str) {
    let before = out.len();
    let printed = action.bytes().filter(u8::is_ascii_graphic);
    out.extend(printed.take(MSGID_BYTES_MAX));
    if out.len() == before {
        out.extend_from_slice(NIL.as_bytes());
    }
}

/// A name as it may stand in a header: printable ASCII without spaces.
fn checked<'a>(option: &'static str, name: &'a str, bytes_max: usize) -> Result<&'a str> {
    match (1..=bytes_max).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(name),
        false => Err(Error::configuration(
            option,
            format!("it has other than 1 to {bytes_max} printable ASCII characters without spaces"),
        )),
    }
}

/// The name of this machine, where Linux tells it.
fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(
        checked("hostname", name.trim_end(), HOSTNAME_BYTES_MAX)
            .ok()?
            .to_owned(),
    )
}

/// The name of this program.
fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    let name = path.file_name()?.to_str()?;
    Some(checked("app_name", name, APP_NAME_BYTES_MAX).ok()?.to_owned())
}

/// More than what stands before a text.
pub(super) const HEADER_BYTES_MAX: usize =
    8 + 28 + HOSTNAME_BYTES_MAX + APP_NAME_BYTES_MAX + 11 + MSGID_BYTES_MAX + 142;

const HOSTNAME_BYTES_MAX: usize = 255;

const APP_NAME_BYTES_MAX: usize = 48;

const MSGID_BYTES_MAX: usize = 32;

const NIL: &str = "-";
