//! Legal holds of an open log. What is in force stands in the log alone: it is read from there when it is first asked
//! for, and from then on with what was recorded since.

use std::sync::{MutexGuard, PoisonError};

use super::shared::Shared;
use super::work::check_not_at_work;
use super::{AuditLog, Receipt, own};
use crate::error::{Cause, Error, Result};
use crate::event::Actor;
use crate::query::Query;
use crate::reader::find_records;
use crate::record::Record;
use crate::retention::{Hold, InForce};

impl AuditLog {
    /// Places a legal hold: from now on nothing of the records that `query` asks for is erased or purged, of those that
    /// are recorded later too, until it is [released](Self::release_hold). A retention leaves them out, and
    /// [`erase_records`](Self::erase_records), [`erase_personal_data`](Self::erase_personal_data) and
    /// [`purge`](Self::purge) are refused with [`Cause::Held`]. What was announced before is still carried out.
    ///
    /// Of the query only the filters count; with [`last`](Query::last) its period begins so long before now. A filter on
    /// personal data covers no record whose personal data is erased already.
    ///
    /// It is recorded (`audit_log.legal_hold.placed`), by whom and with the reason, and found again in the log whenever
    /// it is opened. The segment of that record is not purged while the hold is in force. Name and reason are kept for
    /// good: no personal data belongs into them.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] where the name is empty, longer than 128 bytes, has control characters or is that of a
    /// hold in force; [`Cause::InvalidQuery`]; [`Cause::InvalidEvent`] where the reason or the filter is too long; what
    /// [`append`](Self::append) says.
    ///
    /// ```
    /// use indelible::{Actor, AuditLog, Cause, Event, MemoryStore, Query, SigningKey, action};
    ///
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit")
    /// #     .signer(key)
    /// #     .without_checkpoint_file()
    /// #     .open(MemoryStore::new())?;
    /// let seq = log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?.seq;
    ///
    /// log.place_hold("case 17", &Query::new().actor_id("usr_alice123"), "lawsuit", Actor::admin("usr_bob"))?;
    /// let refused = log.erase_personal_data([seq..=seq], "request").unwrap_err();
    /// assert!(matches!(refused.cause(), Cause::Held { hold, .. } if hold == "case 17"));
    ///
    /// log.release_hold("case 17", "settled", Actor::admin("usr_bob"))?;
    /// log.erase_personal_data([seq..=seq], "request")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn place_hold(&self, name: &str, query: &Query, reason: &str, by: Actor) -> Result<Receipt> {
        let shared = self.shared();
        query.check().map_err(Cause::InvalidQuery)?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
            let problem = format!("a name is 1 to {NAME_BYTES_MAX} bytes without control characters");
            return Err(Error::configuration("hold", problem));
        }
        let filter = query.filter.clone().at(shared.options.clock.now());
        let in_force = shared.in_force("place_hold")?;
        if let Some(hold) = in_force.find(name) {
            let problem = format!("{name:?} is in force since record {}: release it first", hold.seq);
            return Err(Error::configuration("hold", problem));
        }
        shared.record_own(own::hold_placed(name, &filter, reason, by))
    }

    /// Releases a legal hold (`audit_log.legal_hold.released`).
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`] where no such hold is in force; as [`place_hold`](Self::place_hold).
    pub fn release_hold(&self, name: &str, reason: &str, by: Actor) -> Result<Receipt> {
        let shared = self.shared();
        let in_force = shared.in_force("release_hold")?;
        if in_force.find(name).is_none() {
            return Err(Error::configuration("hold", format!("no hold {name:?} is in force")));
        }
        shared.record_own(own::hold_released(name, reason, by))
    }

    /// The legal holds in force, in the order in which they were placed. The first time, the log is gone over for them,
    /// about as fast as the disk gives it.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read, or has ended.
    pub fn holds(&self) -> Result<Vec<Hold>> {
        Ok(self.shared().in_force("holds")?.holds().cloned().collect())
    }
}

impl Shared {
    /// What the log says is in force now. While this is held, nothing is placed, released or announced to be erased.
    /// Who needs the eraser too has it already.
    pub(super) fn in_force(&self, call: &'static str) -> Result<MutexGuard<'_, InForce>> {
        check_not_at_work(self, call)?;
        self.queue.check_process()?;
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.numbers.size();
        let mut found: Vec<Record> = Vec::new();
        let goes_on = || match self.is_closing() {
            true => Err(self.ended()),
            false => Ok(()),
        };
        find_records(
            self.store.as_ref(),
            in_force.read_to..size,
            &InForce::TEXTS,
            goes_on,
            |record| found.extend(Some(record).filter(InForce::concerns)),
        )?;
        for record in found {
            if self.is_covered(&record)? {
                in_force.take(&record);
            }
        }
        in_force.read_to = size;
        Ok(in_force)
    }
}

const NAME_BYTES_MAX: usize = 128;
