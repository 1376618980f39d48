//! Integration tests: what must never happen, through the public interface alone.

mod append;
#[cfg(feature = "object-store")]
mod bucket;
mod caches;
mod callbacks;
mod causes;
#[cfg(feature = "cli")]
mod cli;
mod clock;
mod closing;
#[cfg(feature = "compress")]
mod compress;
#[cfg(feature = "config")]
mod config;
mod crash;
mod disk;
mod erasure;
mod export;
#[cfg(all(feature = "gzip", feature = "compress"))]
mod export_compressed;
mod export_folder;
mod export_forged;
mod follow;
mod foreign;
mod foreign_schemas;
mod holds;
mod ids;
mod live;
mod oracle;
#[cfg(any(
    feature = "object-store",
    feature = "splunk",
    feature = "datadog",
    feature = "otlp",
    feature = "syslog"
))]
mod peers;
mod place;
mod publish;
mod query;
mod queue;
mod reading;
mod retention;
mod rotation;
mod rules;
mod scene;
mod schedule;
mod schedule_faults;
mod scribe;
mod segments;
mod signer;
mod sink;
mod stores;
mod storm;
mod strace;
mod tampering;
mod tickets;
mod trust;
mod vectors;
mod writers;
