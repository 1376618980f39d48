//! How to ask a log: filters, pages, counts, following, history, what is held about a person, and the command line.
//!
//! Queries are for looking. They find what the log has and say what it has no more, but they prove nothing by
//! themselves: see [proofs](#records-with-their-proof), and [verification](super::auditors).
//!
//! # A query
//!
//! A [`Query`](crate::Query) is written in code, or read from the query of a URL. Both are the same, and a mistake is an
//! error that names the parameter and what it takes:
//!
//! ```
//! use indelible::{Query, Timestamp};
//!
//! let text = "start_time=2026-02-01T00:00:00Z&event_type=auth.login.failed&actor_id=usr_alice123";
//! let built = Query::new()
//!     .since("2026-02-01T00:00:00Z".parse::<Timestamp>()?)
//!     .action("auth.login.failed")
//!     .actor_id("usr_alice123");
//! assert_eq!(Query::parse(text)?, built);
//!
//! let error = Query::parse("actor_id=usr_alice123&last=soon").unwrap_err();
//! assert_eq!(error.parameter(), "last");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Filters
//!
//! Fields are "and"; values of one field, with commas between, are "or"; `.not` behind a field's name excludes. A record
//! without the field is not excluded.
//!
//! | parameter | takes |
//! | --- | --- |
//! | `event_type`, or `action` | `auth.login.failed`, or with `auth.login.*` or `auth.*` all that begin so |
//! | `category` | the catalogue's, such as `authentication` |
//! | `outcome`, `severity`, `actor_type` | one of their names |
//! | `severity_min` | a severity: that one and all above |
//! | `reason`, `source`, `auth_method`, `country` | the text |
//! | `actor_id`, `on_behalf_of_id`, `target_id`, `target_type`, `tenant_id`, `client_id` | the text |
//! | `user_id` | an id: of the actor, of whom it impersonated, or of a target |
//! | `target` | one target as `TYPE:ID`, where `target_type` and `target_id` may be those of two |
//! | `actor_email` | the address; a `+` in it is written `%2B` |
//! | `ip` | an address, or a network such as `203.0.113.0/24` or `2001:db8::/32` |
//! | `session_id`, `request_id`, `trace_id`, `correlation_id`, `id` | the text |
//! | `metadata.KEY` | a text, number or boolean under that key, or in a list there |
//! | `q` | words, each anywhere in the values, in any letter case, also within other words |
//! | `start_time`, `end_time` | an RFC 3339 time; the first is inclusive, the second exclusive |
//! | `last` | `90s`, `15m`, `24h`, `7d`, `2w`: so long before the query |
//! | `time` | which time these mean: `occurred_at`, as the host said, or `recorded_at`, when the log took it |
//! | `seq_from`, `seq_to` | a `seq`; the first is inclusive, the second exclusive |
//!
//! Values are compared as they were recorded, in their letter case; `q` alone takes any. An IPv4 address is found in
//! either form, also mapped into IPv6. `occurred_at` is what hosts say, and can be any time: who looks for what came in
//! during an incident asks by `time=recorded_at`.
//!
//! ```
//! use indelible::{Query, Severity, query::Field};
//!
//! let outside = Query::parse("event_type=auth.*&ip.not=10.0.0.0/8,2001:db8::/32&severity_min=high&last=24h")?;
//! let built = Query::new()
//!     .action("auth.*")
//!     .without(Field::Ip, "10.0.0.0/8")
//!     .without(Field::Ip, "2001:db8::/32")
//!     .severity_min(Severity::High)
//!     .last(std::time::Duration::from_secs(24 * 60 * 60));
//! assert_eq!(outside, built);
//! # Ok::<(), indelible::query::QueryError>(())
//! ```
//!
//! Values of one field are "or", so to add a tenant to what a user asks for is not enough where the user has named
//! another one. [`Query::only`](crate::Query::only) bounds a query that was read:
//!
//! ```
//! use indelible::query::{Field, QueryError};
//! use indelible::{Actor, Query};
//!
//! fn of_tenant(text: &str, tenant: &str, reader: Actor) -> Result<Query, QueryError> {
//!     Ok(Query::parse(text)?.only(Field::TenantId, tenant).asked_by(reader))
//! }
//!
//! let query = of_tenant("tenant_id=org_other", "org_acme", Actor::user("usr_alice123"))?;
//! assert_eq!(query.to_string(), "tenant_id=org_acme");
//! # Ok::<(), QueryError>(())
//! ```
//!
//! # Pages
//!
//! A [`Page`](crate::query::Page) has up to `limit` records, 100 unless told otherwise and 1,000 at most, by `seq`, from
//! the newest or (`order=oldest`) from the oldest. Its cursor leads to the next one, with the same filters and order; with
//! another query it is refused. It names a place in the log: what is recorded, erased or purged between two pages
//! neither repeats a record nor leaves one out. The last page has none.
//!
//! ```
//! # use indelible::{Actor, AuditLog, Event, MemoryStore, Query, SigningKey, action, query::Order};
//! # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
//! # let log = AuditLog::builder("auth.example.com/audit").signer(key).without_checkpoint_file();
//! # let log = log.open(MemoryStore::new())?;
//! # for _ in 0..5 {
//! #     log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?;
//! # }
//! let mut query = Query::new()
//!     .action("auth.login.failed")
//!     .order(Order::OldestFirst)
//!     .limit(2)
//!     .asked_by(Actor::admin("usr_bob"));
//! let mut found = 0;
//! loop {
//!     let page = log.query(&query)?;
//!     found += page.found.len();
//!     let Some(next) = page.next else { break };
//!     query = query.after(next);
//! }
//! assert_eq!(found, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Found::to_json`](crate::query::Found::to_json) gives a record as one line of JSON: its event, with the personal data
//! merged in, `hash`, `recorded_at` and `seq`.
//!
//! # What is purged, and what is erased
//!
//! Content that is gone matches nothing, and a page never keeps silent about it. [`Gone`](crate::query::Gone) says, of the
//! records that the page looked at:
//!
//! - `purged`: the records from a `seq` to another are gone, with their segments. Any of them may have matched.
//! - `erased`: so many records are without content. Any of them may have matched.
//! - `personal_erased`: so many records are without their personal data, and might match by what they had. It is told
//!   where the query asks for something personal: `actor_email`, `ip`, `country`, `metadata.KEY`, `q`. By all else such a
//!   record is found as before, without names and addresses. Where a personal field is excluded by `.not`, it is found:
//!   it has not that value any more.
//!
//! Counts say the same. The log itself tells why something is gone: ask it for
//! `event_type=audit_log.purged,audit_log.record.erased,audit_log.personal_data.erased`.
//!
//! # Counts
//!
//! [`AuditLog::count`](crate::AuditLog::count) counts all that a query finds: together, by a field, by parts of time, or by
//! both. A record with several values (targets, say) counts once for each. Parts of time are in UTC: days begin at
//! midnight, weeks on Mondays, months are those of the calendar. Parts without records are not listed.
//!
//! ```
//! # use indelible::{Actor, AuditLog, Event, MemoryStore, Query, SigningKey, action};
//! use indelible::query::CountBy;
//! # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
//! # let log = AuditLog::builder("auth.example.com/audit").signer(key).without_checkpoint_file();
//! # let log = log.open(MemoryStore::new())?;
//! # for _ in 0..5 {
//! #     log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")).reason("invalid_credentials"))?;
//! # }
//! let failed = Query::new().action("auth.login.failed");
//! let by_reason = log.count(&failed, &"reason".parse::<CountBy>()?)?;
//! assert_eq!(by_reason.groups[0].value.as_deref(), Some("invalid_credentials"));
//!
//! let histogram = log.count(&failed, &"1h,outcome".parse::<CountBy>()?)?;
//! assert_eq!(histogram.total, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The history of a target
//!
//! [`Query::history`](crate::Query::history) finds all that was done to one target, oldest first; the events' `changes`
//! have the values before and after. In a URL it is `target=setting:password_policy&order=oldest`.
//!
//! # What the log holds about a person
//!
//! [`Query::subject`](crate::Query::subject), or `user_id=…&order=oldest`, finds what a person did, what was done in their
//! name and what was done to them. As an [`Export`](crate::Export) it answers who asks for their data (GDPR Art. 15), and
//! the same query erases it (Art. 17): [hosts](super::hosts#erasing-it) has both. It goes by the id. An address in another
//! person's event, or a name in metadata, is found by `actor_email`, `metadata.KEY` or `q`.
//!
//! # Following
//!
//! A [`Follower`](crate::Follower) hands on every record that a query finds, once and in order, as soon as it is durable.
//! Keep its [`position`](crate::Follower::position) together with what was done, and go on from there after a restart:
//! none is missed, none comes twice. Where a purge was faster it says which records it did not see; one that is erased
//! before it is read does not come.
//!
//! ```
//! # use indelible::{Actor, AuditLog, Event, MemoryStore, Query, SigningKey, action};
//! use std::time::Duration;
//! use indelible::follow::Followed;
//! # let key = SigningKey::generate("auth.example.com/audit".parse()?)?;
//! # let log = AuditLog::builder("auth.example.com/audit").signer(key).without_checkpoint_file();
//! # let log = log.open(MemoryStore::new())?;
//! # log.append(Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_alice123")))?;
//!
//! let mut position = 0; // as it was kept, beside what was forwarded
//! let mut follower = log.follow(&Query::new().action("auth.*").seq_from(position))?;
//! while let Some(next) = follower.next_within(Duration::ZERO)? {
//!     match next {
//!         Followed::Record(found) => println!("{}", found.to_json().unwrap_or_default()),
//!         Followed::Purged(range) => eprintln!("records {range:?} are purged"),
//!         _ => {}
//!     }
//!     position = follower.position();
//! }
//! assert!(position >= 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`LogReader::follow`](crate::LogReader::follow) does so in another process than the log's. With the feature `watch`,
//! Linux wakes it; else it looks twenty times a second.
//!
//! # Records with their proof
//!
//! With `proof=true` each record comes with a proof that it is in the log. [`Proof::verify`](crate::Proof::verify) checks
//! it with the record's hash and the vkey. That nothing else matched is not proven by it: who must know that verifies a
//! copy of the log, and reads it. So it is with the indexes (`index/` in the log directory). They are caches: a damaged
//! one, or one of another log, is not used and made anew; yet who can write into the directory can make one that hides
//! records from queries, and from nothing else. Without `index/`, every answer comes of the records themselves.
//!
//! # Reading is recorded
//!
//! Who asks an open log is in it: `audit_log.accessed`, with the actor of [`asked_by`](crate::Query::asked_by), the filter,
//! and how many records the first page had or were counted. One record for each query, not for each page; the reader does
//! not wait for it. A cursor that this reader did not get from the log since it was opened counts as a new query: neither
//! a colleague's nor one that is made up reads unseen. Where the log does not take the record, as when it is closing or
//! its queue is full, the answer is refused. Who reads the files, as [`LogReader`](crate::LogReader) and the command line
//! do, is not recorded: give access to them as you would to a database.
//!
//! # On the command line
//!
//! `query`, `count` and `tail` take the same text, beside a running service. On a terminal they print a table that fits its
//! width, elsewhere one JSON object a line; what is purged or erased is told on standard error.
//!
//! ```text
//! indelible query audit 'event_type=auth.login.failed&last=24h'
//! indelible query audit 'actor_id=usr_alice123&order=oldest' --all | jq -r .event.action
//! indelible count audit 'event_type=auth.login.failed&last=7d' --every 1d --by reason
//! indelible tail audit --follow 'severity_min=high'
//! indelible tail audit --follow --from 1000 | my-forwarder
//! ```
//!
//! The exit status is 0 also where nothing is found, and 2 where the query is wrong or the log cannot be read. Put the
//! query between quotes: the shell has its own use for `&`, `*` and `?`.
