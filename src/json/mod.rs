//! Canonical JSON: RFC 8785 over I-JSON (RFC 7493), written, read, checked and merged.
//!
//! A value has exactly one canonical spelling, so that its hash depends on nothing but the value: no white space, keys
//! sorted by the UTF-16 code units of their text, the shortest escapes, numbers as ECMAScript prints a double.
//!
//! - [`mod@write`] prints strings and numbers, [`object`] objects whose keys come in any order.
//! - [`serialize`] prints whatever implements `serde::Serialize`.
//! - [`read`] reads any spelling of a value and refuses what I-JSON refuses.
//! - [`check`] goes over bytes that are canonical already, and shows that they are.
//! - [`merge`] lays the personal part of a record over its event (EVENTS §1).
//!
//! In one thing it is wider than I-JSON: strings may hold any Unicode scalar value, noncharacters among them (EVENTS
//! §1).
//!
//! A number whose canonical form has neither fraction nor exponent is within ±(2^53−1) (FORMAT §1): beyond that a
//! double skips integers, and what is printed would not be what was meant.

pub(crate) mod check;
mod error;
pub(crate) mod merge;
mod object;
pub(crate) mod read;
mod scan;
pub(crate) mod serialize;
pub(crate) mod write;

#[cfg(test)]
mod tests;

pub(crate) use check::Canonical;
pub use error::JsonError;
pub(crate) use merge::merge;
pub(crate) use object::ObjectWriter;
pub(crate) use read::{Kind, Reader, canonicalize};
pub(crate) use serialize::to_text;
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp", feature = "token"))]
pub(crate) use write::string_size;
pub(crate) use write::{string, unsigned};

/// How deep objects and lists nest at most, the line itself being the first (FORMAT §1).
pub(crate) const DEPTH_MAX: usize = 32;

/// The largest integer whose neighbours a double still tells apart: 2^53−1 (RFC 7493 §2.2).
pub(crate) const INTEGER_MAX: u64 = (1 << 53) - 1;
