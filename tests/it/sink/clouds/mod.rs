//! Delivery to the logs of clouds: against the official models of their services, and against receivers that fail.

#[cfg(feature = "cloudwatch")]
mod aws_credentials;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
mod faults;
#[cfg(feature = "google")]
mod google;
mod peer;

use std::sync::Arc;

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

/// The body of a request, unpacked.
#[cfg(feature = "token")]
pub(crate) fn unzipped(request: &super::receiver::Request) -> Vec<u8> {
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    request.text().into_bytes()
}

/// A certificate for a name, as a server and its authority.
pub(crate) fn certificate(name: &str) -> (String, Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    (made.cert.pem(), Arc::new(server))
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
