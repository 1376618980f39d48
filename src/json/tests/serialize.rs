use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::ser::SerializeMap;

use super::*;

#[derive(Serialize)]
enum Shape {
    Unit,
    Newtype(u8),
    Tuple(u8, bool),
    Struct { b: u8, a: Option<char> },
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Meters(f32);

/// A map whose keys come in the order given.
struct Pairs<K>(Vec<(K, u8)>);

impl<K: Serialize> Serialize for Pairs<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[test]
fn types_take_the_shape_that_serde_json_gives_them() {
    let shapes = (
        Shape::Unit,
        Shape::Newtype(1),
        Shape::Tuple(2, true),
        Shape::Struct { b: 3, a: None },
    );
    let form = r#"["Unit",{"Newtype":1},{"Tuple":[2,true]},{"Struct":{"a":null,"b":3}}]"#;
    assert_eq!(serialized(&shapes).unwrap(), form);
    assert_eq!(
        serialized(&((), Unit, Some('"'), Meters(0.5), [0_u8; 0])).unwrap(),
        r#"[null,null,"\"",0.5,[]]"#
    );
    assert_eq!(
        serialized(&BTreeMap::from([(10, -1), (9, -2)])).unwrap(),
        r#"{"10":-1,"9":-2}"#
    );
    assert_eq!(
        serialized(&Pairs(vec![(true, 1), (false, 2)])).unwrap(),
        r#"{"false":2,"true":1}"#
    );
    assert_eq!(
        serialized(&Pairs(vec![('b', 1), ('a', 2)])).unwrap(),
        r#"{"a":2,"b":1}"#
    );
    assert_eq!(
        serialized(&Pairs(vec![(Some(Shape::Unit), 1)])).unwrap(),
        r#"{"Unit":1}"#
    );
    assert_eq!(serialized(&u128::from(INTEGER_MAX)).unwrap(), "9007199254740991");
    assert_eq!(serialized(&-9007199254740991_i128).unwrap(), "-9007199254740991");
}

#[test]
fn what_has_no_form_is_refused() {
    assert_eq!(message(serialized(&[u64::MAX])), "an integer is beyond ±(2^53-1)");
    assert_eq!(message(serialized(&u128::MAX)), "an integer is beyond ±(2^53-1)");
    assert_eq!(message(serialized(&i128::MIN)), "an integer is beyond ±(2^53-1)");
    assert_eq!(message(serialized(&[f32::NAN])), "NaN and infinity have no JSON form");
    assert_eq!(message(serialized(&1e16)), "an integer is beyond ±(2^53-1)");
    assert_eq!(
        message(serialized(&Pairs(vec![((), 1)]))),
        "a key is a string, a character, an integer or a boolean"
    );
    assert_eq!(
        message(serialized(&HashMap::from([([1], 1)]))),
        "a key is a string, a character, an integer or a boolean"
    );
}

#[test]
fn duplicate_keys_are_refused() {
    assert_eq!(
        message(serialized(&Pairs(vec![("a", 1), ("a", 2)]))),
        "duplicate key \"a\""
    );
    assert_eq!(
        message(serialized(&Pairs(vec![("\n", 1), ("a", 2), ("\n", 3)]))),
        "duplicate key \"\\n\""
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth| (0..depth).fold(Value::Null, |value, _| Value::from(vec![value]));
    assert!(serialized(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(
        message(serialized(&nested(DEPTH_MAX + 1))),
        "objects and lists nest too deep"
    );
    let mut out = Vec::new();
    assert!(serialize(&mut out, &[0; 0], 0).is_err());
    assert!(serialize(&mut out, &Shape::Newtype(0), 0).is_err());
    assert!(serialize(&mut out, &Shape::Tuple(0, true), 1).is_err());
    assert!(serialize(&mut out, &Shape::Struct { a: None, b: 0 }, 1).is_err());
    assert!(serialize(&mut out, &BTreeMap::from([("a", 1)]), 0).is_err());
    assert!(serialize(&mut out, &Shape::Unit, 0).is_ok());
}

#[test]
fn a_failing_value_leaves_nothing_behind() {
    struct Failing;
    impl Serialize for Failing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no\u{1b}[31m way"))
        }
    }
    assert_eq!(
        message(serialized(&BTreeMap::from([("a", Failing)]))),
        "no\\u{1b}[31m way"
    );
}

#[test]
fn numbers_and_texts_that_serde_json_hands_on_are_printed_anew() {
    // The shapes of `serde_json::Number` with `arbitrary_precision` and of `RawValue`.
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::Number")]
    struct Number<'a> {
        #[serde(rename = "$serde_json::private::Number")]
        number: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::RawValue")]
    struct RawValue<'a> {
        #[serde(rename = "$serde_json::private::RawValue")]
        text: &'a str,
    }
    let number = |number| serialized(&[Number { number }]);
    let raw = |text| serialized(&BTreeMap::from([("a", RawValue { text })]));
    assert_eq!(number("5.0e0").unwrap(), "[5]");
    assert_eq!(number("100000000000000000000000").unwrap(), "[1e+23]");
    assert_eq!(
        message(number("9007199254740993")),
        "an integer is beyond ±(2^53-1) at byte 0"
    );
    assert_eq!(
        message(number("1e400")),
        "a number is beyond the range of a double at byte 0"
    );
    assert_eq!(message(number("\"5\"")), "expected a number");
    assert_eq!(message(number("5 5")), "bytes after the end of the value at byte 2");
    assert_eq!(
        raw(r#" {"b" : [1.0], "a\/\"" : "\u0041"} "#).unwrap(),
        r#"{"a":{"a/\"":"A","b":[1]}}"#
    );
    assert_eq!(message(raw(r#"{"a":1,"\u0061":2}"#)), "duplicate key \"a\" at byte 7");
    assert_eq!(
        message(raw(&"[".repeat(DEPTH_MAX))),
        "objects and lists nest too deep at byte 31"
    );
}

/// Run this also with `--features serde_json/preserve_order,serde_json/arbitrary_precision`: the bytes are the same.
#[test]
fn the_bytes_do_not_depend_on_the_features_of_serde_json() {
    let text = r#"{"b":[5.0,1e2,-0,-0.0,1E30,0.10,9007199254740991,-9007199254740991.0],"é":null,"a":{"z":1,"y":[{"d":"\/","c":true}]}}"#;
    let form = concat!(
        r#"{"a":{"y":[{"c":true,"d":"/"}],"z":1},"b":[5,100,0,0,1e+30,0.1,9007199254740991,-9007199254740991],"#,
        r#""é":null}"#
    );
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serialized(&value).unwrap(), form);
    let raw: Box<serde_json::value::RawValue> = serde_json::from_str(text).unwrap();
    assert_eq!(
        serialized(&BTreeMap::from([("raw", &raw)])).unwrap(),
        format!("{{\"raw\":{form}}}")
    );
    let numbers = [
        Value::from(5_u64),
        Value::from(-5_i64),
        Value::from(2.0),
        Value::from(0.1),
        Value::from(1e-7),
    ];
    assert_eq!(serialized(&numbers).unwrap(), "[5,-5,2,0.1,1e-7]");
    for number in [
        "9007199254740992",
        "18446744073709551616",
        "1e20",
        "-9007199254740992.0",
    ] {
        let value: Value = serde_json::from_str(number).unwrap();
        assert!(
            message(serialized(&[value])).contains("is beyond ±(2^53-1)"),
            "{number}"
        );
    }
}

proptest! {
    #[test]
    fn values_are_as_the_reference_prints_them(value in value()) {
        prop_assert_eq!(serialized(&value).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
    }

    #[test]
    fn keys_are_sorted_whatever_order_they_come_in(keys in prop::collection::vec(key(), 0..10)) {
        let pairs = Pairs(keys.into_iter().map(|key| (key, 0)).collect());
        prop_assert_eq!(serialized(&pairs).ok(), serde_json_canonicalizer::to_string(&pairs).ok());
    }
}
