//! Delivery to the logs of clouds: against the official models of their services, and against receivers that fail.

#[cfg(feature = "cloudwatch")]
mod aws_credentials;
#[cfg(feature = "azure")]
pub(crate) mod azure;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
#[cfg(feature = "google")]
pub(crate) mod google;
mod peer;
mod tokens;

use serde_json::Value;

use super::receiver::Reply;
use super::*;

/// A log whose sink named `siem` is this, without checkpoints.
pub(crate) fn open_for(scene: &Scene, sink: impl Sink) -> AuditLog {
    let feed = Feed::new("siem", sink).without_checkpoints();
    scene.builder().sink(feed).open(scene.store()).expect("opens")
}

/// Each of these replies once, in their order, and then the last for ever.
pub(crate) fn in_turn(replies: impl IntoIterator<Item = Reply>, last: Reply) -> impl FnMut() -> Reply + Send {
    let mut replies: std::collections::VecDeque<_> = replies.into_iter().collect();
    move || replies.pop_front().unwrap_or_else(|| last.clone())
}

/// Variables of an environment.
pub(crate) fn variables(
    list: impl Into<Vec<(&'static str, String)>>,
) -> impl Fn(&str) -> Option<String> + Send + Sync + 'static {
    let list = list.into();
    move |name| {
        let found = list.iter().find(|(found, _)| *found == name)?;
        Some(found.1.clone())
    }
}

/// The `seq` of records as their targets have them, each once, as it came first.
pub(crate) fn first_arrivals(records: impl IntoIterator<Item = Value>) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    let seqs = records
        .into_iter()
        .map(|record| record["seq"].as_f64().expect("a seq") as u64);
    seqs.filter(|seq| seen.insert(*seq)).collect()
}

#[track_caller]
pub(crate) fn problem(log: &AuditLog) -> String {
    eventually("it says what is wrong", || state(log).last_error.is_some());
    state(log).last_error.expect("a problem").to_string()
}

/// What is held, and says this.
#[track_caller]
pub(crate) fn assert_held(log: &AuditLog, said: &str) {
    eventually("it is held", || state(log).is_held);
    let problem = problem(log);
    assert!(problem.contains(said), "{problem}");
}
