//! Syslog: what real receivers record of it, and what happens when they die, refuse or hang.

mod authority;
mod faults;
mod killed;
mod receivers;
mod servers;

use std::time::Duration;

use indelible::AuditLog;
use indelible::sink::{Feed, FileSink, Syslog};

use super::*;
pub(super) use authority::Authority;
pub(super) use servers::{Kind, Server};

/// A log that sends to `syslog` and writes the same into a file.
fn open(scene: &Scene, syslog: Syslog) -> AuditLog {
    let syslog = Feed::new("syslog", syslog.timeout(Duration::from_secs(2)).app_name("auth"));
    let file = Feed::new("file", FileSink::new(scene.root().join("lines"))).without_checkpoints();
    let builder = scene.builder().sink(syslog.without_checkpoints()).sink(file);
    builder.open(scene.store()).expect("opens")
}

/// The messages as the log made them.
fn lines(scene: &Scene) -> Vec<String> {
    let lines = std::fs::read_to_string(scene.root().join("lines")).expect("the file");
    lines.lines().map(str::to_owned).collect()
}

/// The `seq` of a message as it was sent; a checkpoint has none.
pub(super) fn seq(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("seq=\"")?;
    rest[..rest.find('"')?].parse().ok()
}
