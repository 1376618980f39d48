//! The entries of a request.

use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::event::Severity;
use crate::json;
use crate::sink::http::{compressed, percent};
use crate::sink::{Delivery, Encoded, Encoder, Message};
use crate::timestamp::Timestamp;

/// How entries are written.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    pub(super) parent: String,
    pub(super) log: String,
    pub(super) resource: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) retention: Duration,
}

impl Encoding {
    pub(super) fn new(parent: String, log: String) -> Self {
        Self {
            parent,
            log,
            resource: "global".to_owned(),
            labels: Vec::new(),
            retention: RETENTION,
        }
    }

    /// The whole name of the log.
    pub(super) fn log_name(&self) -> Result<String> {
        let is_parent = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/".contains(letter);
        if self.parent.is_empty() || !self.parent.chars().all(is_parent) {
            return Err(Error::configuration(
                "project",
                "it has other than letters, digits and - _ . :",
            ));
        }
        let is_log = |letter: char| letter.is_ascii_alphanumeric() || "/_-.".contains(letter);
        if !(1..=LOG_CHARS_MAX).contains(&self.log.len()) || !self.log.chars().all(is_log) {
            return Err(Error::configuration(
                "log",
                "a log has 1 to 511 letters, digits and / _ - .",
            ));
        }
        let log = percent(&self.log);
        Ok(match self.parent.contains('/') {
            true => format!("{}/logs/{log}", self.parent),
            false => format!("projects/{}/logs/{log}", self.parent),
        })
    }

    /// How many bytes an entry has, at most.
    pub(super) fn size_of(&self, message: &Message) -> usize {
        let text = match message.is_json() {
            true => message.text().len(),
            false => json::string_size(message.text()),
        };
        text + AROUND
    }

    /// The time of an entry: that of which Google drops it is not used.
    fn time(&self, recorded_at: Timestamp, now: Timestamp) -> Timestamp {
        let age = now.unix_micros().saturating_sub(recorded_at.unix_micros());
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        match age > micros(self.retention.saturating_sub(MARGIN)) || age < -micros(AHEAD_MAX) {
            true => now,
            false => recorded_at,
        }
    }
}

impl Encoder for Encoding {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        let log_name = self.log_name().map_err(|error| Delivery::hold(error.to_string()))?;
        let now = Timestamp::from(SystemTime::now());
        let mut body = b"{\"entries\":[".to_vec();
        for (at, message) in messages.iter().enumerate() {
            body.extend_from_slice(if at > 0 { b",{\"insertId\":" } else { b"{\"insertId\":" });
            json::string(&mut body, &message.id());
            match message.is_json() {
                true => {
                    body.extend_from_slice(b",\"jsonPayload\":");
                    body.extend_from_slice(message.text().as_bytes());
                }
                false => {
                    body.extend_from_slice(b",\"textPayload\":");
                    json::string(&mut body, message.text());
                }
            }
            body.extend_from_slice(b",\"severity\":");
            json::string(&mut body, severity(message.summary().severity));
            body.extend_from_slice(b",\"timestamp\":");
            json::string(&mut body, &self.time(message.recorded_at(), now).to_string());
            body.push(b'}');
        }
        body.extend_from_slice(b"],\"logName\":");
        json::string(&mut body, &log_name);
        body.extend_from_slice(b",\"partialSuccess\":true,\"resource\":{\"labels\":{");
        for (at, (key, value)) in self.labels.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            json::string(&mut body, key);
            body.push(b':');
            json::string(&mut body, value);
        }
        body.extend_from_slice(b"},\"type\":");
        json::string(&mut body, &self.resource);
        body.extend_from_slice(b"}}");
        Ok(compressed(body))
    }
}

/// Of Google's `LogSeverity`.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "INFO",
        Severity::Low => "NOTICE",
        Severity::Medium => "WARNING",
        Severity::High => "ERROR",
        Severity::Critical => "CRITICAL",
    }
}

/// More than what stands around a message in a body.
const AROUND: usize = 256;

const LOG_CHARS_MAX: usize = 511;

/// That of the bucket `_Default`.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a request may take, and the clocks may differ by.
const MARGIN: Duration = Duration::from_secs(3600);

/// A day, less as much.
const AHEAD_MAX: Duration = Duration::from_secs(23 * 3600);
