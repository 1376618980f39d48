//! Asking an open log.

use std::collections::BTreeSet;
use std::time::Duration;

use super::shared::Shared;
use super::{AuditLog, own};
use crate::error::Result;
use crate::query::{self, Indexes, Page, Query};
use crate::reader;

impl AuditLog {
    /// Answers a query, a page at a time, over all that is durable now.
    ///
    /// That it was asked is recorded (`audit_log.accessed`, PCI DSS 10.2.1.3), once for all pages and without waiting: by
    /// whom ([`Query::asked_by`]), what, and how many records the first page had. Who must read unrecorded, in the
    /// process of the log, has [`reader`](Self::reader).
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`](crate::Cause::InvalidQuery), which names the parameter; where the log cannot be read; and
    /// where [`submit`](Self::submit) does not take the record.
    ///
    /// ```
    /// use indelible::{Actor, AuditLog, Event, MemoryStore, Query, SigningKey, action};
    ///
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit")
    /// #     .signer(key)
    /// #     .without_checkpoint_file()
    /// #     .open(MemoryStore::new())?;
    /// log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?;
    ///
    /// let page = log.query(&Query::new().action("auth.login.*").asked_by(Actor::admin("usr_bob")))?;
    /// assert_eq!(page.found[0].record.seq(), 2);
    /// assert_eq!(page.next, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn query(&self, query: &Query) -> Result<Page> {
        let shared = self.shared();
        let checkpoint = self.checkpoint()?;
        let size = checkpoint.checkpoint().size();
        let mut page = query::answer(
            shared.store.as_ref(),
            &shared.indexes,
            query,
            size,
            shared.options.clock.now(),
        )?;
        if query.with_proofs {
            let view = || shared.tree().view(size).ok();
            reader::prove_found(shared.store.as_ref(), &mut page, &checkpoint, view)?;
        }
        if query.cursor.is_none() {
            self.submit(own::accessed(query, page.found.len()))?;
        }
        Ok(page)
    }
}

impl Shared {
    /// Makes the indexes of sealed segments, until the log ends.
    pub(super) fn make_indexes(&self) {
        let (mut size, mut failed) = (0, BTreeSet::new());
        while let Some(newest) = self.follow.wait_beyond(size) {
            size = newest.checkpoint().size();
            // An index that cannot be made is done without.
            let _ = self.bring_up_index(size);
            while let Ok(Some(_)) = self.make_index(&mut failed) {}
            if self.follow.wait_ended(LOOK_EVERY) {
                return;
            }
        }
    }

    fn bring_up_index(&self, size: u64) -> Result<()> {
        let random = self.entropy.random()?;
        let goes_on = || !self.is_closing();
        self.indexes.bring_up(self.store.as_ref(), size, random, &goes_on)
    }

    /// Makes the next index that is missing. While the eraser is held, no segment is replaced.
    fn make_index(&self, failed: &mut BTreeSet<u64>) -> Result<Option<u64>> {
        let random = self.entropy.random()?;
        let goes_on = || !self.is_closing();
        self.with_eraser(|_| Indexes::make_next(self.store.as_ref(), failed, random, &goes_on))
    }
}

/// How often segments are looked for that were sealed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
