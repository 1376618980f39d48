//! Asking an open log.

use super::{AuditLog, own};
use crate::error::Result;
use crate::query::{self, Page, Query};
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
