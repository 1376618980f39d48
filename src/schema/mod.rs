//! Records in the schemas of others: OCSF 1.8.0, ECS 9.4 and CEF.
//!
//! - [`ocsf`]: the Open Cybersecurity Schema Framework, as JSON; what Amazon Security Lake and most new tools read.
//! - [`ecs`]: the Elastic Common Schema, as JSON.
//! - [`cef`]: the Common Event Format of ArcSight, one line that nearly every SIEM reads.
//! - [`syslog`]: the facility and the severity under which any of them, or the record itself, goes by syslog.
//!
//! The first three have a function `record` for a [`Record`](crate::Record), and a function `checkpoint` for a
//! [`SignedCheckpoint`](crate::SignedCheckpoint), so that the SIEM can tell a log that was cut off. All are pure, and
//! take some ten microseconds for a usual event. They give one line without LF.
//!
//! **Nothing of an event is dropped.** What a schema has a field for moves there; what it has none for stands together
//! in one place, with the names of EVENTS §1: `unmapped` in OCSF, `labels` in ECS, `indelibleUnmapped` in CEF. A value
//! that is not what its field may hold goes there too: an `http.method` that OCSF does not list, a text that is longer
//! than CEF allows. Where some targets of a list are taken, `{}` holds their place in what is left. `seq` and the hash
//! of the record stand in every output, with which the record is found in the log and checked. What the log adds,
//! `recorded_at`, is cut to the field's precision: a millisecond in OCSF and CEF.
//!
//! `original` is a text that goes as it is into the field that a schema has for that. With
//! [`Record::line`](crate::Record::line) there, the record is verified out of what another system stores.
//! [`Record::without_personal_data`](crate::Record::without_personal_data) leaves out what points at a person, also in
//! that line.
//!
//! Actions outside the [catalogue](crate::event::catalogue) work too; each schema says what it makes of them. A record
//! that is erased has nothing to map: it gives `None`.
//!
//! ```
//! use indelible::schema::{cef, ecs, ocsf};
//! use indelible::{Actor, AuditLog, Event, MemoryStore, SigningKey, action};
//!
//! let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
//! let log = AuditLog::builder("auth.example.com/audit")
//!     .signer(key)
//!     .without_checkpoint_file()
//!     .open(MemoryStore::new())?;
//! let receipt = log.append(
//!     Event::new(action::AUTH_LOGIN_FAILED)
//!         .actor(Actor::user("usr_alice123").email("alice@example.com"))
//!         .reason("invalid_credentials"),
//! )?;
//! let record = log.reader().record(receipt.seq)?;
//!
//! let event = ocsf::record(&record, None).unwrap();
//! assert!(event.contains(r#""class_name":"Authentication","class_uid":3002"#));
//!
//! // The exact line goes with it: who has the checkpoint verifies the record out of the SIEM.
//! let event = ecs::record(&record, record.line()).unwrap();
//! assert!(event.contains(r#""original":"{\"event\":{\"action\":\"auth.login.failed\""#));
//!
//! // Without what points at a person.
//! let event = cef::record(&record.without_personal_data(), None).unwrap();
//! assert!(event.starts_with("CEF:0|indelible|audit log|") && !event.contains("alice@example.com"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cef;
mod document;
pub mod ecs;
pub mod ocsf;
mod source;
pub mod syslog;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::event::{Outcome, Severity, lookup};
use crate::timestamp::Timestamp;
use source::Source;

/// What every schema asks of an event.
#[derive(Debug)]
struct Essence<'a> {
    action: Cow<'a, str>,
    /// `None` where it is none of EVENTS §1.
    outcome: Option<Outcome>,
    /// `None` where it is none of EVENTS §1.
    severity: Option<Severity>,
    /// `occurred_at`, or when the log took the event.
    time: Timestamp,
}

impl<'a> Essence<'a> {
    fn of(source: &mut Source<'a>, recorded_at: Timestamp) -> Self {
        let outcome = source.text("outcome");
        let severity = source.text("severity");
        let occurred_at = source.text("occurred_at");
        Self {
            action: source.text("action").unwrap_or_default(),
            outcome: outcome.and_then(|name| Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == name)),
            severity: severity.and_then(|name| Severity::named(&name)),
            time: occurred_at
                .and_then(|time| Timestamp::from_fixed(time.as_bytes()))
                .unwrap_or(recorded_at),
        }
    }

    /// What happened, in a sentence: that of the catalogue, else the name of the action.
    fn message(&self) -> &str {
        lookup(&self.action).map_or(&*self.action, |entry| entry.description)
    }
}

/// Milliseconds since 1970, cut.
fn millis(time: Timestamp) -> i64 {
    time.unix_micros().div_euclid(1000)
}

/// The JSON of a number that is below 2^53 wherever a log is sound.
fn unsigned(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The product and the vendor that SIEMs show.
const PRODUCT: &str = "indelible";

/// The version of the product.
const PRODUCT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a checkpoint has for an action.
const CHECKPOINT: &str = "audit_log.checkpoint";

/// What a checkpoint says.
const CHECKPOINT_MESSAGE: &str = "The size and the root of the audit log, signed.";
