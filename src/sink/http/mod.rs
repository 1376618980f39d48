//! HTTP as all sinks over it speak it: one request after the other on a connection that stays open, a time limit on each
//! step, answers of bounded length, and no redirect followed.

mod addresses;
mod answer;
mod client;
mod options;
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp"))]
mod post;

pub use options::{HttpOptions, PrivateKeyPem};

#[cfg(any(feature = "splunk", feature = "otlp"))]
pub(super) use answer::Answer;
pub(super) use client::Client;
#[cfg(feature = "webhook")]
pub(super) use client::Request;
#[cfg(any(feature = "splunk", feature = "datadog"))]
pub(super) use post::write_entry;
