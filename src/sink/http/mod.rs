//! HTTP as all sinks over it speak it: one request after the other on a connection that stays open, a time limit on each
//! step, answers of bounded length, and no redirect followed.

mod addresses;
mod answer;
mod client;
mod options;

pub use options::{HttpOptions, PrivateKeyPem};

pub(super) use client::{Client, Request};
