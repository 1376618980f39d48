use super::*;
use crate::json::read::{Kind, Reader};

fn reader(text: &str) -> Reader<'_> {
    Reader::new(text.as_bytes(), DEPTH_MAX).unwrap()
}

/// Prints a value in a spelling that `seed` chooses: white space, order of keys, escapes, forms of numbers.
fn spelled(value: &Value, seed: &mut u64) -> String {
    let space = |seed: &mut u64| ["", "", "", " ", "\n", "\t\r "][choose(seed, 6)];
    let text = match value {
        Value::String(text) => spelled_string(text, seed),
        Value::Number(number) => spelled_number(&serialized(number).unwrap(), seed),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| spelled(item, seed)).collect();
            format!("[{}{}]", space(seed), items.join(","))
        }
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| format!("{}{}:{}", spelled_string(key, seed), space(seed), spelled(value, seed)))
                .collect();
            let middle = choose(seed, entries.len().max(1));
            entries.rotate_left(middle);
            format!(
                "{{{}{}}}",
                space(seed),
                entries.join(&format!("{},{}", space(seed), space(seed)))
            )
        }
        other => other.to_string(),
    };
    format!("{}{text}{}", space(seed), space(seed))
}

fn spelled_string(text: &str, seed: &mut u64) -> String {
    let mut spelled = String::from("\"");
    for character in text.chars() {
        let must = (character as u32) < 0x20 || character == '"' || character == '\\';
        match (choose(seed, 3), character) {
            (0, _) => character
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| spelled += &format!("\\u{unit:04x}")),
            (1, _) if must => character
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| spelled += &format!("\\u{unit:04X}")),
            (1, '/') => spelled += "\\/",
            (_, '\u{8}') => spelled += "\\b",
            (_, '\u{c}') => spelled += "\\f",
            (_, '\n') => spelled += "\\n",
            (_, '\r') => spelled += "\\r",
            (_, '\t') => spelled += "\\t",
            (_, '"' | '\\') => spelled.extend(['\\', character]),
            _ if must => spelled += &format!("\\u{:04x}", character as u32),
            _ => spelled.push(character),
        }
    }
    spelled + "\""
}

fn spelled_number(form: &str, seed: &mut u64) -> String {
    let number: f64 = form.parse().unwrap();
    match choose(seed, 6) {
        0 => format!("{number:e}"),
        1 => format!("{number:E}"),
        2 if !form.contains(['.', 'e']) => format!("{form}.000"),
        3 => format!("{number}"),
        4 if form.contains('.') && !form.contains('e') => format!("{form}0e+0"),
        5 => format!("{number:.400}"),
        _ => form.to_owned(),
    }
}

fn choose(seed: &mut u64, count: usize) -> usize {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    usize::try_from(*seed >> 33).unwrap() % count
}

/// Whether a text is refused that `serde_json` takes, for a reason of I-JSON or of this log.
fn is_i_json_problem(error: &JsonError) -> bool {
    let message = error.to_string();
    ["duplicate key", "integer ", "objects and lists nest too deep"]
        .iter()
        .any(|start| message.starts_with(start))
}

#[test]
fn values_are_read() {
    let mut value =
        reader(r#" { "a" : [ 1 , 2.5 , true , false , null , "x\u00e9" ] , "b" : 5e0 , "c" : { } , "d" : [ ] } "#);
    assert_eq!(value.kind().unwrap(), Kind::Object);
    let mut keys = Vec::new();
    value
        .object(|key, value| {
            keys.push(key.to_owned());
            match key {
                "a" => value.list(|index, item| {
                    match index {
                        0 => assert_eq!((item.kind()?, item.unsigned()?), (Kind::Number, 1)),
                        1 => assert_eq!((item.kind()?, item.float()?), (Kind::Number, 2.5)),
                        2 => assert_eq!((item.kind()?, item.boolean()?), (Kind::Bool, true)),
                        3 => assert_eq!((item.kind()?, item.boolean()?), (Kind::Bool, false)),
                        4 => assert_eq!((item.kind()?, item.null()?), (Kind::Null, ())),
                        _ => assert_eq!((item.kind()?, item.string()?.as_ref()), (Kind::String, "xé")),
                    }
                    Ok::<_, JsonError>(())
                }),
                "b" => value.unsigned().map(|integer| assert_eq!(integer, 5)),
                "c" => value.object(|_, _| Ok(())),
                _ => value.skip(),
            }
        })
        .unwrap();
    assert_eq!(keys, ["a", "b", "c", "d"]);
    value.end().unwrap();
}

#[test]
fn integers_are_read_however_they_are_spelled() {
    for text in ["5", "5.0", "5e0", "50e-1", "0.05E+2", " 5 "] {
        assert_eq!(reader(text).unsigned(), Ok(5));
    }
    assert_eq!(reader("-0").unsigned(), Ok(0));
    assert_eq!(reader("0e9").unsigned(), Ok(0));
    assert_eq!(reader("9007199254740991").unsigned(), Ok(INTEGER_MAX));
    assert_eq!(reader("9007199254740991.0").unsigned(), Ok(INTEGER_MAX));
    for text in [
        "9007199254740992",
        "9007199254740992.0",
        "-1",
        "5.5",
        "1e21",
        "1e20",
        "99999999999999999999",
        "1e999",
        "\"5\"",
        "",
        "-",
    ] {
        assert!(reader(text).unsigned().is_err(), "{text}");
    }
    assert_eq!(
        message(reader(" 1e21").unsigned()),
        "expected an integer from 0 to 2^53-1 at byte 1"
    );
}

#[test]
fn strings_are_borrowed_where_they_can_be() {
    assert!(matches!(
        reader("\"plain é\"").string().unwrap(),
        std::borrow::Cow::Borrowed("plain é")
    ));
    assert_eq!(
        reader(r#""\ud83d\ude00\ud7ff\u0000\/a""#).string().unwrap(),
        "😀\u{d7ff}\0/a"
    );
    assert_eq!(reader(r#""a\u00e9b\"c""#).string().unwrap(), "aéb\"c");
}

#[test]
fn errors_say_what_and_where() {
    let error = |text: &str| message(canonical(text));
    assert_eq!(error(r#"{"a":1, "\u0061":2}"#), "duplicate key \"a\" at byte 8");
    assert_eq!(error(r#"["\ud800"]"#), "lone surrogate at byte 2");
    assert_eq!(error(r#"["\ud800\u0041"]"#), "lone surrogate at byte 2");
    assert_eq!(error(r#"["a\udc00"]"#), "lone surrogate at byte 3");
    assert_eq!(error(r#"["\ud83d\ud83d\ude00"]"#), "lone surrogate at byte 2");
    assert_eq!(error(r#"["\x"]"#), "invalid escape at byte 2");
    assert_eq!(error(r#"["\u12g4"]"#), "invalid escape at byte 2");
    assert_eq!(error(r#"["\u+123"]"#), "invalid escape at byte 2");
    assert_eq!(error("[\"\u{1}\"]"), "control character that is not escaped at byte 2");
    assert_eq!(error("[\"abc"), "expected the end of the string at byte 5");
    assert_eq!(error("\u{feff}{}"), "byte order mark at byte 0");
    assert_eq!(error("[1e400]"), "a number is beyond the range of a double at byte 1");
    assert_eq!(
        error("[1, -9007199254740992]"),
        "an integer is beyond ±(2^53-1) at byte 4"
    );
    assert_eq!(error("[1e20]"), "an integer is beyond ±(2^53-1) at byte 1");
    assert_eq!(error("[01]"), "expected a comma or the end of the list at byte 2");
    assert_eq!(error("{\"a\" 1}"), "expected a colon at byte 5");
    assert_eq!(
        error("{\"a\":1 \"b\":2}"),
        "expected a comma or the end of the object at byte 7"
    );
    assert_eq!(error("{} {}"), "bytes after the end of the value at byte 3");
    assert_eq!(error("tru"), "expected a value at byte 0");
    assert_eq!(error(""), "expected a value at byte 0");
    assert_eq!(
        error(&"[".repeat(1_000_000)),
        "objects and lists nest too deep at byte 32"
    );
    assert_eq!(
        error(&"9".repeat(1_000_000)),
        "a number is beyond the range of a double at byte 0"
    );
    assert_eq!(message(canonicalize(b"\"\xed\xa0\x80\"", 1)), "invalid UTF-8 at byte 1");
    assert_eq!(
        message(reader("[]").object(|_, _| Ok(()))),
        "expected an object at byte 0"
    );
    assert_eq!(message(reader("{}").list(|_, _| Ok(()))), "expected a list at byte 0");
    assert_eq!(message(reader("1").string()), "expected a string at byte 0");
    assert_eq!(message(reader("null").boolean()), "expected true or false at byte 0");
}

#[test]
fn a_closure_that_takes_nothing_is_an_error_and_no_endless_loop() {
    assert!(reader("{\"a\":1}").object(|_, _| Ok::<_, JsonError>(())).is_err());
    assert!(reader("[1]").list(|_, _| Ok::<_, JsonError>(())).is_err());
}

#[test]
fn long_texts_are_read() {
    let long = format!(
        "[\"{}\",{}1{}]",
        "ab\\n".repeat(100_000),
        "0.".to_owned() + &"0".repeat(100_000),
        "e+100001"
    );
    assert!(canonical(&long).is_ok());
    let wide: Vec<_> = (0..20_000)
        .map(|index| format!("\"{}\":{index}", index * 7919 % 20_000))
        .collect();
    let form = canonical(&format!("{{{}}}", wide.join(","))).unwrap();
    assert_eq!(canonical(&form).unwrap(), form);
    assert!(canonical(&format!("{{{},\"0\":1}}", wide.join(","))).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_spelling_has_one_canonical_form(value in value(), mut seed in any::<u64>()) {
        let form = serialized(&value).unwrap();
        let text = spelled(&value, &mut seed);
        prop_assert_eq!(canonical(&text).unwrap(), form.as_str(), "{}", text);
        prop_assert_eq!(canonical(&form).unwrap(), form);
        let mut reader = reader(&text);
        reader.skip().unwrap();
        reader.end().unwrap();
    }

    #[test]
    fn what_serde_json_refuses_is_refused(text in "[\\[\\]{}\",:\\\\0-9eE.+\\-tnul a\0\t\u{e000}😀é]{0,24}") {
        let ours = canonical(&text);
        match serde_json::from_str::<Value>(&text) {
            Err(_) => prop_assert!(ours.is_err(), "{}", text),
            Ok(value) => match ours {
                Ok(form) => prop_assert_eq!(form, serialized(&value).unwrap()),
                Err(error) => prop_assert!(is_i_json_problem(&error), "{}: {}", text, error),
            },
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(text in prop::collection::vec(any::<u8>(), 0..60)) {
        let ours = canonicalize(&text, DEPTH_MAX);
        prop_assert!(ours.is_err() || serde_json::from_slice::<Value>(&text).is_ok());
    }
}
