//! Asking an open log.

use std::sync::Arc;

use super::{AuditLog, own};
use crate::error::Result;
use crate::follow::Follower;
use crate::query::{self, CountBy, Counts, Page, Query};
use crate::reader;

impl AuditLog {
    /// Answers a query, a page at a time, over all that is durable now.
    ///
    /// That it was asked is recorded (`audit_log.accessed`, PCI DSS 10.2.1.3), once for all pages and without waiting: by
    /// whom ([`Query::asked_by`]), what, and how many records the first page had. A page whose cursor this reader did not
    /// get from the log since it was opened is recorded as a first one is. Who must read unrecorded, in the process of the
    /// log, has [`reader`](Self::reader).
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
            reader::prove_found(shared.store.as_ref(), &mut page.found, &checkpoint, view)?;
        }
        if !shared.pages.is_recorded(query) {
            self.submit(own::accessed(query, page.found.len() as u64))?;
        }
        page.next = page.next.map(|next| shared.pages.marked(&next, query));
        Ok(page)
    }

    /// Counts what a query finds, over all that is durable now: by a field, by time, by both, or all together. The query's
    /// order and limit mean nothing to it.
    ///
    /// That it was asked is recorded as with [`query`](Self::query), and how many records were counted.
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`](crate::Cause::InvalidQuery), which names the parameter: also `by` where there are more than
    /// 100,000 groups, and `cursor` where the query has one; where the log cannot be read; and where
    /// [`submit`](Self::submit) does not take the record.
    ///
    /// ```
    /// use indelible::query::{Bucket, CountBy, Field};
    /// use indelible::{Actor, AuditLog, Event, MemoryStore, Query, SigningKey, action};
    ///
    /// # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
    /// # let log = AuditLog::builder("auth.example.com/audit")
    /// #     .signer(key)
    /// #     .without_checkpoint_file()
    /// #     .open(MemoryStore::new())?;
    /// for user in ["usr_alice123", "usr_alice123", "usr_carol"] {
    ///     log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user(user)))?;
    /// }
    /// let query = Query::new().action("auth.login.failed").asked_by(Actor::admin("usr_bob"));
    /// let counts = log.count(&query, &CountBy::new().field(Field::ActorId))?;
    /// assert_eq!(counts.total, 3);
    /// assert_eq!(counts.groups[0].value.as_deref(), Some("usr_alice123"));
    /// assert_eq!(counts.groups[0].records, 2);
    ///
    /// let histogram = log.count(&query, &CountBy::new().every(Bucket::HOUR))?;
    /// assert_eq!(histogram.groups.iter().map(|hour| hour.records).sum::<u64>(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self, query: &Query, by: &CountBy) -> Result<Counts> {
        let shared = self.shared();
        let size = self.checkpoint()?.checkpoint().size();
        let now = shared.options.clock.now();
        let counts = query::count(shared.store.as_ref(), &shared.indexes, query, by, size, now)?;
        self.submit(own::accessed(query, counts.total))?;
        Ok(counts)
    }

    /// Follows the log live, from the query's `seq_from` on, or from now on where it has none. Nothing is read while there
    /// is nothing new. The query's order and limit mean nothing to it.
    ///
    /// That it is followed is recorded once, when it begins, as with [`query`](Self::query).
    ///
    /// # Errors
    ///
    /// [`Cause::InvalidQuery`](crate::Cause::InvalidQuery), which names the parameter; and where
    /// [`submit`](Self::submit) does not take the record.
    ///
    /// There is an example at [`Follower`].
    pub fn follow(&self, query: &Query) -> Result<Follower> {
        let follower = Follower::of_log(Arc::clone(&self.handle.shared), query)?;
        self.submit(own::followed(query))?;
        Ok(follower)
    }
}
