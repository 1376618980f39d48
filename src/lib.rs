//! A tamper-evident audit log inside your process.
//!
//! A service that authenticates people must be able to prove who did what. This crate records each login, admin action
//! and change of configuration as a structured event in an append-only log, whose records are linked by SHA-256 and
//! signed with Ed25519. What came before a checkpoint that has left the machine can be changed by nobody unseen, not
//! even by the machine's administrator; anyone verifies it with nothing but a public key.
//!
//! # The way of an event
//!
//! ```text
//! host ─ Event ─▶ AuditLog ─▶ validate, split personal data, canonical bytes   (your thread)
//!                    │
//!                    ▼ queue
//!               committer: seq, prev, hash ─▶ tree ─▶ sign ─▶ Store ─▶ durable ─▶ Receipt
//!                                                              │
//!        LogReader · Verifier · Proof · Sinks     all read the store
//! ```
//!
//! # Example
//!
//! ```standalone_crate
//! use indelible::{Actor, AuditLog, Event, FileStore, Target, action};
//!
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//! let log = AuditLog::builder("auth.example.com/audit")
//!     .key_file("audit.key") // made together with a new log
//!     .open(FileStore::new("audit"))?;
//!
//! let receipt = log.append(
//!     Event::new(action::AUTH_LOGIN_FAILED)
//!         .actor(Actor::user("usr_alice123").email("alice@example.com"))
//!         .target(Target::new("application", "app_dashboard"))
//!         .tenant("org_acme")
//!         .reason("invalid_credentials"),
//! )?; // on disk, chained and signed
//!
//! let record = log.reader().record(receipt.seq)?;
//! assert_eq!(record.hash(), receipt.hash);
//!
//! assert!(log.verify()?.is_sound());
//!
//! let proof = log.prove(receipt.seq)?; // verifies with the record and the vkey alone
//! assert_eq!(proof.verify(record.hash(), &log.vkey())?.size(), receipt.size);
//!
//! log.close(std::time::Duration::from_secs(5))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to go from here
//!
//! - [`Event`], [`Actor`], [`Target`], [`Context`], [`Change`]: what happened; [`action`] has the catalogue of actions.
//! - [`AuditLog`] and its [`Builder`]: recording. [`Receipt`], [`Ticket`], [`LogState`].
//! - [`LogReader`], [`Record`], [`Proof`]: reading and proving, in any process.
//! - [`Query`], [`query`]: asking a log, a page at a time; counting. [`Follower`]: following it live.
//! - [`Export`], [`export`]: handing records over, as files that verify by themselves.
//! - [`Retention`], [`retention`]: how long records are kept, and legal holds.
//! - [`publish`]: the log as static files that anyone can serve and verify (C2SP tlog-tiles).
//! - [`Verifier`], [`Report`], [`Finding`]: what an auditor does.
//! - [`FileStore`], [`MemoryStore`], [`store`]: where commits live.
//! - [`schema`]: records as OCSF, ECS and CEF, the schemas of SIEMs.
//! - [`Sink`], [`sink`]: where records are delivered while they are recorded.
//! - [`SigningKey`], [`Signer`], [`Checkpoint`], [`note`], [`merkle`]: the parts that the proof is made of, in the
//!   formats of C2SP.
//! - [`Error`] and [`ErrorKind`]: what went wrong, and what to do.
//! - [`manual`]: [guarantees](manual::guarantees), [hosts](manual::hosts), [readers](manual::readers),
//!   [operators](manual::operators), [retention](manual::retention), [auditors](manual::auditors).
//! - [`manual::format`] and [`manual::events`]: the log to the byte, and the fields of an event. FORMAT § and EVENTS §
//!   in these docs are sections of theirs.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | adds |
//! | --- | --- |
//! | `azure` | delivery to Azure Monitor, Log Analytics, Microsoft Sentinel (builds TLS, which is C) |
//! | `cli` | the binary `indelible`; turns on `compress`, `config`, `gzip` and `watch` |
//! | `cloudwatch` | delivery to AWS CloudWatch Logs (builds TLS, which is C) |
//! | `compress` | compressing segments that are not written to any more, and reading them; exports compressed by zstd (builds zstd, which is C) |
//! | `config` | a log, its retention, sinks and exports from one file, TOML or JSON |
//! | `datadog` | delivery to Datadog Logs (builds TLS, which is C) |
//! | `google` | delivery to Google Cloud Logging (builds TLS, which is C) |
//! | `gzip` | exports compressed by gzip |
//! | `object-store` | exports to S3, Azure Blob and Google Cloud Storage (builds a runtime and TLS, which is C) |
//! | `otlp` | delivery as OpenTelemetry logs over HTTP, to any Collector (builds TLS, which is C) |
//! | `splunk` | delivery to the HTTP Event Collector of Splunk (builds TLS, which is C) |
//! | `syslog` | the sink for syslog over UDP, TCP and TLS (builds TLS, which is C) |
//! | `testing` | the conformance suite for stores |
//! | `watch` | who follows the log of another process is told by Linux of what is new, and looks at nothing meanwhile |
//! | `webhook` | delivery to webhooks, as Standard Webhooks 1.0 (builds TLS, which is C) |

pub mod checkpoint;
#[cfg(feature = "config")]
pub mod config;
pub mod erasure;
mod error;
pub mod event;
pub mod export;
pub mod follow;
pub mod hash;
pub(crate) mod json;
mod log;
pub mod manual;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod publish;
pub mod query;
mod reader;
mod record;
pub mod retention;
pub mod schema;
pub mod sign;
pub mod sink;
pub mod store;
pub mod timestamp;
pub mod verify;

pub use event::{Action, Actor, Change, Context, Event, Outcome, Severity, Target, action};
pub use log::{Append, AuditLog, Builder, Clock, ExportState, LogState, Receipt, RetentionState, SystemClock, Ticket};
pub use reader::{LogReader, Records};
pub use record::Record;

pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use export::Export;
pub use follow::Follower;
pub use hash::Hash;
pub use note::{Origin, VerifierKey};
pub use proof::Proof;
pub use query::Query;
pub use retention::Retention;
pub use sign::{SignError, Signer, SigningKey};

pub use sink::Sink;
pub use store::{FileStore, MemoryStore, Store};

pub use error::{Cause, Error, ErrorKind, Result};
pub use json::JsonError;
pub use timestamp::Timestamp;
pub use verify::{Finding, FindingKind, Report, Verifier};
