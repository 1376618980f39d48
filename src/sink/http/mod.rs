//! HTTP as all sinks over it speak it: one request after the other on a connection that stays open, a time limit on each
//! step, answers of bounded length, and no redirect followed.

mod addresses;
mod answer;
#[cfg(feature = "token")]
mod bearer;
mod client;
#[cfg(feature = "token")]
mod encode;
#[cfg(feature = "cloud")]
mod lease;
mod options;
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp"))]
mod post;
#[cfg(feature = "cloud")]
mod variables;

#[cfg(feature = "token")]
pub use bearer::Token;
pub use options::{HttpOptions, PrivateKeyPem};

#[cfg(any(feature = "splunk", feature = "otlp", feature = "cloud"))]
pub(super) use answer::Answer;
#[cfg(feature = "token")]
pub(super) use bearer::send_with_token;
pub(super) use client::Client;
#[cfg(any(feature = "webhook", feature = "cloud"))]
pub(super) use client::Request;
#[cfg(feature = "token")]
pub(super) use encode::{escaped_len, gzip, percent};
#[cfg(feature = "cloud")]
pub(super) use lease::{Lease, NEARBY_TIMEOUT, ask_host};
#[cfg(any(feature = "splunk", feature = "datadog"))]
pub(super) use post::write_entry;
#[cfg(feature = "cloud")]
pub(super) use variables::Variables;
