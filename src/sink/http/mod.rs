//! HTTP as all sinks over it speak it: one request after the other on a connection that stays open, a time limit on each
//! step, answers of bounded length, and no redirect followed.

mod addresses;
mod answer;
mod awaiting;
#[cfg(feature = "token")]
mod bearer;
pub(crate) mod check;
mod client;
mod early;
#[cfg(feature = "cloud")]
mod lease;
mod options;
#[cfg(feature = "token")]
mod percent;
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp", feature = "token"))]
mod post;
mod url;
#[cfg(feature = "cloud")]
mod variables;

#[cfg(feature = "token")]
pub use bearer::Token;
pub use options::{HttpOptions, PrivateKeyPem};

#[cfg(feature = "webhook")]
pub(super) use addresses::check_public;
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp", feature = "cloud"))]
pub(super) use answer::Answer;
#[cfg(feature = "token")]
pub(super) use bearer::post_with_token;
#[cfg(any(feature = "splunk", feature = "datadog"))]
pub(super) use check::check_fixed;
#[cfg(any(feature = "webhook", feature = "otlp"))]
pub(super) use check::check_headers;
pub(super) use client::Client;
#[cfg(any(feature = "webhook", feature = "cloud"))]
pub(super) use client::Request;
#[cfg(feature = "config")]
pub(crate) use client::check_proxy;
#[cfg(feature = "cloudwatch")]
pub(super) use lease::check_credential;
#[cfg(feature = "cloud")]
pub(super) use lease::{Lease, NEARBY_TIMEOUT, ask_host};
#[cfg(feature = "token")]
pub(super) use percent::percent;
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp", feature = "token"))]
pub(super) use post::compressed;
#[cfg(any(feature = "splunk", feature = "datadog"))]
pub(super) use post::write_entry;
pub(super) use url::Url;
#[cfg(feature = "cloud")]
pub(super) use variables::Variables;
