use proptest::prelude::*;
use serde_json::Value;

use super::read::canonicalize;
use super::serialize::serialize;
use super::{DEPTH_MAX, INTEGER_MAX, JsonError};

mod check;
mod merge;
mod read;
mod rfc8785;
mod scan;
mod serialize;
mod write;

/// The canonical form of a text, as a string.
fn canonical(text: &str) -> Result<String, JsonError> {
    canonicalize(text.as_bytes(), DEPTH_MAX).map(|bytes| String::from_utf8(bytes).unwrap())
}

/// What the serializer prints.
fn serialized<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, JsonError> {
    let mut out = b"before".to_vec();
    let result = serialize(&mut out, value, DEPTH_MAX);
    let printed = String::from_utf8(out).unwrap();
    let printed = printed.strip_prefix("before").unwrap().to_owned();
    assert!(result.is_ok() || printed.is_empty(), "left {printed:?} behind");
    result.map(|()| printed)
}

/// The text of an error.
fn message<T: std::fmt::Debug>(result: Result<T, JsonError>) -> String {
    result.unwrap_err().to_string()
}

/// Characters that have a rule of their own, and any others.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => prop::char::range(' ', '~'),
        2 => prop::char::range('\0', '\u{1f}'),
        2 => prop::sample::select(vec!['"', '\\', '/', '\u{7f}', '\u{80}', '\u{2028}', '\u{d7ff}', '\u{e000}', '\u{fb33}', '\u{ffff}', '😀']),
        1 => any::<char>(),
    ]
}

fn string() -> impl Strategy<Value = String> {
    prop::collection::vec(character(), 0..20).prop_map(String::from_iter)
}

/// Keys, of which many are alike at their beginning.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![string(), "[ab\\x00\"\\\\é\u{e000}😀]{0,3}", "abcdefg[h-j]{0,3}"]
}

/// Doubles that the log takes.
fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        (-1e6..1e6).prop_map(|number: f64| number.round() / 100.0),
        (-330..330).prop_map(|exponent: i32| format!("1e{exponent}").parse().unwrap()),
    ]
    .prop_filter("I-JSON", |number| {
        number.is_finite() && !super::write::is_integer_out_of_range(*number)
    })
}

fn integer() -> impl Strategy<Value = i64> {
    let bound = i64::try_from(INTEGER_MAX).unwrap();
    prop_oneof![-bound..=bound, -20..20_i64, prop::sample::select(vec![bound, -bound])]
}

/// Values that the log takes.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        integer().prop_map(Value::from),
        double().prop_map(Value::from),
        string().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}
