//! How long records are kept and what a legal hold does: for who operates a log.
//!
//! # Saying how long
//!
//! A [`Retention`](crate::Retention) is a default and rules: by tenant, action, category or severity. A record that no
//! rule is for is kept as long as the default says. Where several rules are for it, the one that keeps it longest wins,
//! also where the default is longer still. It is written in code, or as text in a configuration:
//!
//! ```
//! use std::time::Duration;
//!
//! use indelible::{AuditLog, MemoryStore, Retention, SigningKey};
//!
//! let retention: Retention = "
//!     1y
//!     90d event_type=auth.token.*
//!     7y tenant_id=org_acme
//!     6y category=audit_log
//!     forever severity_min=critical
//! "
//! .parse()?;
//!
//! # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
//! let log = AuditLog::builder("auth.example.com/audit")
//! #     .signer(key)
//! #     .without_checkpoint_file()
//!     .retention(retention.clone(), Duration::from_secs(24 * 60 * 60))
//!     .open(MemoryStore::new())?;
//!
//! let plan = log.plan_retention(&retention)?;
//! assert_eq!(plan.records(), 0);
//! # log.close(Duration::from_secs(5))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Presets are 90 and 180 days, 1, 3 and 7 years, and the six years of HIPAA ([`Period`](crate::retention::Period)).
//! Years and months are those of the calendar, in UTC: a year after 29 February ends with 28 February.
//!
//! What counts is `recorded_at`, the time at which the log took the record, by the clock of its host. A record that was
//! taken while that clock was ahead stays until its time has come, and with it the segments behind it, emptied of what
//! is over. Erase it by hand, and the next run goes on. A host whose clock is ahead while a run judges loses what is
//! over by that clock: keep the clock by NTP, as PCI DSS 10.6 asks for.
//!
//! # What a run does
//!
//! A run takes what is over, oldest segments first. Each step is recorded before it is done, and verification knows from
//! that record that nothing was cut out:
//!
//! | step | recorded as | with |
//! | --- | --- | --- |
//! | the retention is another one than before | `audit_log.retention_policy.updated` | `policy`, `old` |
//! | a sink or an export has not got what goes | `audit_log.events.dropped` | `ranges`, `count`, `sinks` |
//! | up to 16 segments go, of which all is over and before which none stays | `audit_log.purged` | `before`, `records` |
//! | what is over in another segment is erased, record by record | `audit_log.record.erased` | `ranges` |
//! | the run has taken something and is done | `audit_log.purged`, of nothing more | `at`, `taken`, `segments`, `left`, `held`, `waiting` |
//!
//! Records of the log itself (`audit_log.*`) are never erased one by one (FORMAT §7): they go with their segment, which
//! stays until the rules and the default let all of it go. A rule that keeps them longer keeps the segments in which
//! they stand; the other records in there still go in time.
//!
//! [`AuditLog::state`](crate::AuditLog::state) has the same as numbers: runs, the last one's time, records taken and
//! dropped, and how many are held, waiting and left. What fails is told to
//! [`Builder::on_error`](crate::Builder::on_error) and tried again by the next run. What a crash interrupts is completed
//! after the next opening.
//!
//! # What it costs
//!
//! No append waits for a run. The first one after an opening goes over the log once, looking for legal holds, and reads
//! the segments in which something may be over; later ones read only those in which something is due by then. A segment
//! in which single records are over is written anew, and takes its size once more on the disk until it is done: with an
//! interval of a day, the oldest segment is written anew once a day. A short interval makes that more often, and nothing
//! else better.
//!
//! # Sinks and exports
//!
//! [`Builder::keep_for`](crate::Builder::keep_for) names who still needs records, and from where on. Nothing from there
//! on is purged, or erased by a retention, until it is delivered. That may be never: with
//! [`Retention::delivery_limit`](crate::Retention::delivery_limit) a record goes so long after its end all the same, and
//! `audit_log.events.dropped` names it first.
//!
//! # Legal holds
//!
//! [`AuditLog::place_hold`](crate::AuditLog::place_hold) keeps what a query asks for, whatever else says that it may go:
//! a retention leaves it out, and an erasure or a purge is refused with [`Cause::Held`](crate::Cause::Held), which names
//! the hold. It is for records to come too. What was announced before it was placed is still carried out.
//!
//! ```
//! use indelible::{Actor, AuditLog, Cause, Query};
//!
//! fn freeze(log: &AuditLog) -> indelible::Result<()> {
//!     let acme = Query::new().tenant("org_acme").action("auth.*");
//!     log.place_hold("case 17", &acme, "lawsuit", Actor::admin("usr_bob"))?;
//!     Ok(())
//! }
//!
//! /// Who asks to be forgotten is answered once the hold is released.
//! fn forget(log: &AuditLog, seq: u64) -> indelible::Result<Option<String>> {
//!     match log.erase_personal_data([seq..=seq], "gdpr_art_17") {
//!         Ok(_) => Ok(None),
//!         Err(error) => match error.cause() {
//!             Cause::Held { hold, .. } => Ok(Some(hold.clone())),
//!             _ => Err(error),
//!         },
//!     }
//! }
//! ```
//!
//! Holds stand in the log and nowhere else: no cache and no configuration can lose one, and verification shows whether
//! somebody changed it. Where a part of the log cannot be read in which one may stand, nothing is erased or purged until
//! that is mended. Write them by ids rather than by names or addresses: a filter on personal data covers no record whose
//! personal data is gone.
//!
//! # On the command line
//!
//! ```text
//! indelible retention audit --key audit.key --keep 1y --rule '7y tenant_id=org_acme' --dry-run
//! indelible hold place audit --key audit.key --name 'case 17' --filter tenant_id=org_acme --reason lawsuit --by usr_bob
//! indelible hold list audit
//! indelible hold release audit --key audit.key --name 'case 17' --reason settled --by usr_bob
//! ```
//!
//! A dry run and the list read beside a service. What changes the log exits with 2 while a service has it, and says which
//! process that is and which call does it there. The commands know nothing of
//! [`Builder::keep_for`](crate::Builder::keep_for): where sinks or exports lag behind, let the service apply its
//! retention.
