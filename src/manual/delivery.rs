//! Delivery to SIEMs and other targets: which sink, what it gets, what may be lost and what may come twice, alarms, a process of
//! its own.
//!
//! # Which sink
//!
//! | target | sink | feature | an acknowledgement means |
//! | --- | --- | --- | --- |
//! | Splunk | `Splunk` | `splunk` | with `acknowledged`: indexed; without: taken into a queue |
//! | Datadog | `Datadog` | `datadog` | taken (202); nothing later tells of a loss |
//! | AWS CloudWatch Logs | `CloudWatch` | `cloudwatch` | stored, but for what the answer says |
//! | Azure Monitor, Sentinel | `AzureMonitor` | `azure` | taken (204) |
//! | Google Cloud Logging | `GoogleLogging` | `google` | stored, but for what the answer says |
//! | any OpenTelemetry Collector | `Otlp` | `otlp` | what the Collector makes of it |
//! | any syslog | `Syslog` | `syslog` | nothing: the receiver's kernel has it |
//! | a service of your own | `Webhook` | `webhook` | what a 2xx of yours means |
//! | an agent that tails | [`FileSink`](crate::sink::FileSink) | | synced |
//! | an agent that tails | [`StdoutSink`](crate::sink::StdoutSink) | | written |
//! | anything else | your [`Sink`](crate::sink::Sink) | | what you say |
//!
//! Where there is a choice, take the one whose acknowledgement means most. Each sink's docs say which permission it needs and
//! how the target is set up. A sink with what it is to get is a [`Feed`](crate::sink::Feed), which a log takes when it is
//! opened ([`Builder::sink`](crate::Builder::sink)) or later ([`AuditLog::add_sink`](crate::AuditLog::add_sink)); the docs of
//! [`sink`](crate::sink) begin with a whole example, in which the target is of one's own.
//!
//! # What a target gets
//!
//! By default each record as the log has it, on one line of JSON with its hash, and now and then the newest checkpoint. That
//! is what makes a copy in a SIEM worth something: with the vkey the records verify there, and the checkpoint proves that the
//! log was not cut off or written anew since. Forms for a SIEM's own schema ([`Form`](crate::sink::Form)) are for searching;
//! with [`with_proofs`](crate::sink::Feed::with_proofs) they carry the record too.
//!
//! A single record that somebody copied out of the SIEM verifies offline where it was delivered
//! [with its proof](crate::sink::Feed::with_proofs), also after the SIEM parsed it and printed it anew:
//!
//! ```sh
//! indelible check-event --vkey "$(cat audit.vkey)" < copied.json
//! ```
//!
//! It may stand in what a SIEM or a webhook puts around it, alone, in a list, or one after the other, on a line each or as
//! `jq` prints them; each record is checked, and each checkpoint among them. In OCSF and ECS it is found where it is; of CEF, give it what the SIEM shows as `rawEvent`, with the escapes of
//! CEF taken off.
//!
//! The newest checkpoint that the SIEM has tells whether the log was cut off or written anew since. It is delivered as
//! `{"checkpoint":…}`; in OCSF the note is `raw_data`, in ECS `event.original`, in CEF `rawEvent`:
//!
//! ```sh
//! jq -r .checkpoint newest.json > kept.checkpoint
//! indelible verify /var/lib/auth/audit --vkey "$(cat audit.vkey)" --checkpoint kept.checkpoint
//! ```
//!
//! [`without_personal_data`](crate::sink::Feed::without_personal_data) keeps names, addresses and the like in the log, where
//! they can be erased: what a target has got, an erasure here does not reach. [`Erased::sinks`](crate::erasure::Erased::sinks)
//! says who has it.
//!
//! # Nothing is lost, some comes twice
//!
//! The log is the queue. Each sink has a position in it, saved in `sinks/NAME.position`, which moves past a record only when
//! the target has acknowledged it. A target that is down for a weekend gets the weekend afterwards; nothing is held in memory
//! for it, and neither the appends nor the other sinks wait. A purge waits for the slowest sink
//! ([`Retention::delivery_limit`](crate::Retention::delivery_limit) ends that, and says what was dropped).
//!
//! Where a target acknowledges nothing, as in syslog, the saved position stays before what the target may still lose
//! ([`SinkState::confirmed`](crate::sink::SinkState::confirmed)): a process that was killed sends that again. One that closes
//! its log, and so ends the connection in order, does not.
//!
//! Where an answer is lost, or the process is killed, the same records are sent again. Each has a `seq` of its own without
//! gaps, a hash, and an [id](crate::sink::Message::id) that stays: count what arrives by `seq`, and a gap that stays is a loss.
//!
//! The name of a sink is what its position is saved under. Under another name it begins anew, and a purge waits for the old
//! one until its `sinks/NAME.position` is removed.
//!
//! What a target will never take (too long, say) is found by halving, set aside in `sinks/NAME.rejected.jsonl` with the
//! target's answer, and told as `audit_log.delivery.failed`; the rest goes on. Read that file, mend the target or its limits,
//! and send what stands in it by hand: without its personal data, or as the log has it, whole, under the same `seq`.
//!
//! # Alarms
//!
//! [`LogState::sinks`](crate::LogState::sinks) has it as numbers. Watch, for each sink:
//!
//! ```
//! use std::time::Duration;
//! use indelible::AuditLog;
//!
//! fn alarms(log: &AuditLog) -> Vec<String> {
//!     let mut alarms = Vec::new();
//!     for sink in log.state().sinks {
//!         let problem = sink.last_error.as_ref().map(ToString::to_string).unwrap_or_default();
//!         if sink.is_held {
//!             alarms.push(format!("{}: somebody must mend it: {problem}", sink.name));
//!         } else if sink.lag > Duration::from_secs(60) {
//!             alarms.push(format!("{}: {} records behind: {problem}", sink.name, sink.lag_records));
//!         }
//!         if sink.rejected > 0 {
//!             alarms.push(format!("{}: {} records were refused for good", sink.name, sink.rejected));
//!         }
//!     }
//!     alarms
//! }
//! ```
//!
//! The log itself records an outage that lasts ten seconds, a hold, and what is refused: `audit_log.delivery.failed`, once, and
//! `audit_log.delivery.recovered` when it is over, be it after restarts. So another sink, or who reads the log later, sees it
//! too.
//!
//! What is held (wrong credentials, a permission or a target that is missing) keeps its place, is tried again now and then, and
//! at once by [`resume_sink`](crate::AuditLog::resume_sink).
//!
//! # Starting and ending
//!
//! A sink begins where its position is; without one, at the first record that the log has, unless
//! [`from_now_on`](crate::sink::Feed::from_now_on) or [`from_seq`](crate::sink::Feed::from_seq) says otherwise.
//! [`flush_sinks`](crate::AuditLog::flush_sinks) waits until all is delivered to all.
//! [`close`](crate::AuditLog::close) gives them most of its time; what is not delivered then is delivered after the next
//! opening.
//!
//! # In a process of its own
//!
//! With the feature `config`, one file describes the log and its sinks: the docs of the module `config` (`src/config/mod.rs`)
//! have an example and every key. Either the service opens it, sinks and all (`Config::open`), or a process beside it
//! delivers:
//!
//! ```sh
//! cargo install --path . --features cli,syslog,webhook   # with the features of the sinks
//! indelible check-config audit.toml
//! indelible ship /var/lib/auth/audit --config audit.toml
//! ```
//!
//! The service then opens the log without these sinks (`Config::without_sinks`), or with a file of its own. That process runs
//! as the user of the service, only reads the log, needs no key, and reads on within 50 ms of an append (with `watch` on Linux
//! at once). What it has to report it leaves in `sinks/reports`, and the service records it. Secrets for targets then stay out
//! of the service, and a crash of one does not touch the other. [`Shipper`](crate::sink::Shipper) is the same as a library.
