//! Failing closed or open, async services, shutting down, rolling deployments, events in the host's own transaction,
//! and the erasure of personal data.
//!
//! # One log for the process
//!
//! Open the log once, and clone [`AuditLog`](crate::AuditLog) into every handler: all clones are the same log, and
//! their events share commits. A single thread that waits for each receipt gets one sync for each event; many threads
//! or tasks share them.
//!
//! A process that forks opens its log after the fork, not before: a log's threads are in the process that opened it, and
//! its lock is shared with the child. In the child, an append to a log of the parent's is refused, and so are erasing,
//! purging, and waiting for a ticket.
//!
//! # Fail closed, or open
//!
//! Decide for each action what it means that it cannot be recorded.
//!
//! - **Closed**: what must not happen unseen (an admin action, a change of a role, an export) is recorded first, or in
//!   the same step, and refused if that fails.
//! - **Open**: what matters more than its record (a page view, a login during an incident, if your policy says so) goes
//!   on; count the failure and alarm.
//!
//! ```
//! use indelible::{Actor, AuditLog, Event, Receipt, action};
//!
//! fn change_setting(log: &AuditLog, admin: &str) -> Result<Receipt, String> {
//!     // Closed: without its record, the change does not happen.
//!     let event = Event::new(action::CONFIG_UPDATED).actor(Actor::admin(admin));
//!     let receipt = log.append(event).map_err(|error| format!("not recorded, so not done: {error}"))?;
//!     // … now change it.
//!     Ok(receipt)
//! }
//!
//! fn view_page(log: &AuditLog, user: &str) {
//!     // Open: the page is shown either way. `submit` does not wait.
//!     let event = Event::new(action::API_REQUEST_COMPLETED).actor(Actor::user(user));
//!     if let Err(error) = log.submit(event) {
//!         eprintln!("audit log: {error}");
//!     }
//! }
//! ```
//!
//! [`Error::kind`](crate::Error::kind) says what can be done: [`Retry`](crate::ErrorKind::Retry) later,
//! [`Reopen`](crate::ErrorKind::Reopen) the log, [`FixEvent`](crate::ErrorKind::FixEvent) and so on.
//!
//! # Async services
//!
//! [`append_async`](crate::AuditLog::append_async) is a plain future of this crate. It works on any runtime and blocks
//! none: the log's own thread does the work. A [`Ticket`](crate::Ticket) from [`submit`](crate::AuditLog::submit) can
//! be awaited later, or dropped: the event is recorded either way. A failure that nobody waits for shows in
//! [`LogState::lost_unseen`](crate::LogState) and reaches the callback of
//! [`Builder::on_error`](crate::Builder::on_error).
//!
//! # Shutting down
//!
//! First stop taking requests, then call [`close`](crate::AuditLog::close) with a limit: it commits what is queued,
//! records `audit_log.stopped`, and lets the next writer in. A log that is dropped without that is closed in the same
//! way, within [`Builder::drop_deadline`](crate::Builder::drop_deadline). A log that was never closed says so at its
//! next opening, by `audit_log.recovered`.
//!
//! # Rolling deployments
//!
//! A log has one writer. A new process waits for the old one, up to [`Builder::lock_wait`](crate::Builder::lock_wait),
//! and then fails with an error that names its process id. Open the log before the service reports that it is ready,
//! and close it as the last step of a shutdown. Two processes that must record at the same time have a log each.
//!
//! # In the transaction of your database
//!
//! A database transaction and an append cannot commit together. Where an event must be recorded exactly if the
//! transaction commits, write it into an outbox table in that transaction, with an id of your own, and let a worker
//! append it and then delete the row:
//!
//! ```
//! use indelible::{Actor, AuditLog, Error, Event, action};
//!
//! /// Appends one row of the outbox. Called again after a crash, it gives the first receipt, by the id.
//! fn relay(log: &AuditLog, row_id: &str, event: &str) -> Result<u64, Box<dyn std::error::Error>> {
//!     let event = Event::from_json(event.as_bytes())?.id(row_id);
//!     let receipt = log.append(event)?;
//!     // … now delete the row.
//!     Ok(receipt.seq)
//! }
//! ```
//!
//! The same id with the same content is recorded once, among the last 100,000 records; with other content it is an
//! error ([`IdReused`](crate::Cause::IdReused)). [`Event::to_json`](crate::Event::to_json) gives the text for the
//! table. Give the event its `occurred_at` there, since the append comes later.
//!
//! # Personal data
//!
//! An actor is its id. Names, e-mail and IP addresses, user agents and locations are kept apart and can be erased; ids,
//! actions, reasons and paths are kept for good. So an id must not be an e-mail address. A failed login of an unknown
//! user has an [anonymous actor](crate::Actor::anonymous): what was typed into the field is often a password.
//!
//! # Erasing it
//!
//! Who asks what is held about them (GDPR Art. 15) gets an export; who asks to be forgotten (Art. 17) is erased, by the
//! same query. [`Query::subject`](crate::Query::subject) finds what a person did, what was done in their name and to
//! them. Where else they occur, such as in metadata, ask for that too.
//!
//! ```
//! use indelible::erasure::{ErasureOrder, Erased};
//! use indelible::export::{Exported, Format};
//! use indelible::{Actor, AuditLog, Export, Query};
//!
//! fn hand_over(log: &AuditLog, user: &str, to: impl std::io::Write) -> indelible::Result<Exported> {
//!     let query = Query::subject(user).asked_by(Actor::admin("usr_dpo"));
//!     log.export_to(&Export::new(query).format(Format::Json), to)
//! }
//!
//! fn forget(log: &AuditLog, user: &str, request: &str) -> indelible::Result<Erased> {
//!     // The reason is kept for good: no names in it.
//!     let order = ErasureOrder::new(request).by(Actor::admin("usr_dpo"));
//!     let erased = log.erase_personal_data(Query::subject(user), order)?;
//!     for copy in &erased.handed_over {
//!         eprintln!("to be followed up: {} has records {} to {}", copy.to, copy.range.0, copy.range.1);
//!     }
//!     for to in &erased.under_way {
//!         eprintln!("to be followed up: {to} was given records meanwhile");
//!     }
//!     for sink in &erased.sinks {
//!         eprintln!("to be followed up: {sink} was delivered records");
//!     }
//!     Ok(erased)
//! }
//! ```
//!
//! - [`erase_personal_data`](crate::AuditLog::erase_personal_data) removes `personal` of the records, of everybody in
//!   them: of the actor, the targets and the client. What was done, by which id, stays.
//! - [`erase_records`](crate::AuditLog::erase_records) removes all of their content, where even ids must go, or where
//!   personal data was put into a field that is kept. The log's own records stay.
//! - [`purge`](crate::AuditLog::purge) removes whole segments from the beginning.
//! - [`apply_retention`](crate::AuditLog::apply_retention) does what a [`Retention`](crate::Retention) asks for, with
//!   both, and [`Builder::retention`](crate::Builder::retention) does it now and then.
//!
//! A [legal hold](crate::AuditLog::place_hold) is in the way of all of them; see
//! [`manual::retention`](crate::manual::retention).
//!
//! Each is recorded in the log first, and keeps every hash and proof. What a crash interrupts is done after the next
//! opening. An erasure, also one that finds no record, removes the files in `recovered/`, which hold in clear what a crash left of events that nobody
//! was told were recorded. None of them reaches beyond the log: backups, exports, and what sinks have delivered.
