use super::*;
use crate::json::check::Canonical;

/// Whether the checker takes `text`, as one value and nothing else.
fn check(text: &[u8]) -> Result<(), JsonError> {
    let mut line = Canonical::new(text, DEPTH_MAX)?;
    let value = line.value()?;
    line.end()?;
    assert_eq!(value, text);
    Ok(())
}

/// The checker takes exactly what printing anew leaves as it is.
fn assert_exact(text: &[u8]) {
    let fixed = canonicalize(text, DEPTH_MAX).is_ok_and(|form| form == text);
    assert_eq!(
        check(text).is_ok(),
        fixed,
        "{:?}: {:?}",
        String::from_utf8_lossy(text),
        check(text)
    );
    // In a line with a character that is not ASCII, other code finds the ends of strings.
    let rare = [b"[\"\xc3\xa9\",", text, b"]"].concat();
    let fixed = canonicalize(&rare, DEPTH_MAX).is_ok_and(|form| form == rare);
    assert_eq!(check(&rare).is_ok(), fixed, "{:?}", String::from_utf8_lossy(&rare));
}

#[test]
fn numbers() {
    for number in [
        "0",
        "-0",
        "-0.0",
        "00",
        "01",
        "-01",
        "1",
        "-1",
        "10",
        "1.0",
        "1.5",
        "1.50",
        "0.1",
        "0.10",
        "-0.1",
        "1.",
        ".5",
        "1e3",
        "1e21",
        "1e+21",
        "1E+21",
        "1e+20",
        "1.5e+300",
        "1e400",
        "1e-7",
        "0.0000001",
        "0.000001",
        "0.0000011",
        "0.0000009",
        "0.00000123456789",
        "123456789012345",
        "1234567890123456",
        "9007199254740991",
        "9007199254740992",
        "-9007199254740991",
        "-9007199254740992",
        "12345678901234.5",
        "0.12345678901234",
        "0.123456789012345",
        "0.1234567890123456",
        "0.12345678901234567",
        "0.123456789012345678",
        "1.7976931348623157e+308",
        "5e-324",
        "2e-324",
        "4e-324",
        "1e-324",
        "-",
        "+1",
        "--1",
        "1-",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "NaN",
        "Infinity",
        "-Infinity",
        "123456789.12345678",
        "123456789.1234567",
        "99999999999999999999",
        "999999999999999900000",
        "100000000000000000000000",
        "1e+23",
        "9.999999999999999e+22",
    ] {
        assert_exact(number.as_bytes());
        assert_exact(format!("[{number},{number}]").as_bytes());
    }
}

#[test]
fn strings() {
    for escape in 0..=0x7f_u8 {
        assert_exact(&[b'"', escape, b'"']);
        assert_exact(&[b'"', b'\\', escape, b'"']);
        for text in [
            format!("\"\\u{escape:04x}\""),
            format!("\"\\u{escape:04X}\""),
            format!("\"longer than eight {escape:02x}\""),
        ] {
            assert_exact(text.as_bytes());
        }
    }
    for text in [
        r#"""#,
        r#""a"#,
        r#""\"#,
        r#""\""#,
        r#""\u"#,
        r#""\u00"#,
        r#""\u001"#,
        r#""\u001f"#,
        r#""\u001f""#,
        r#""\ud800""#,
        r#""\ud83d\ude00""#,
        r#""\u2028""#,
        "\"\u{2028}\u{7f}\u{feff}\"",
        "\u{feff}\"\"",
        "\"12345678",
        "\"1234567\\\"\"",
        "\"123456789\\\\\"",
        "\"é",
    ] {
        assert_exact(text.as_bytes());
    }
}

#[test]
fn bytes_that_are_not_utf8() {
    // Overlong, a surrogate, beyond U+10FFFF, cut off, without a beginning, never in use.
    for bytes in [
        "\x22\\".as_bytes(),
        b"\xc0\x80",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"\x80",
        b"\xff",
    ] {
        assert_exact(&[b"\"", bytes, b"\""].concat());
        assert_exact(&[b"\"0123456789", bytes, b"\""].concat());
    }
}

#[test]
fn structure() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "{}",
        "[]",
        "[",
        "]",
        "{]",
        "[}",
        "[,]",
        "[1,]",
        "[,1]",
        "[1,2]",
        "[1 ,2]",
        "[1, 2]",
        " 1",
        "1 ",
        "1\n",
        "1,",
        r#"{"a":1}"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a" :1}"#,
        r#"{a:1}"#,
        r#"{1:1}"#,
        "{\"a\":1",
        "{\"a\"",
        "{\"a\":",
        "true",
        "false",
        "null",
        "tru",
        "nul",
        "truex",
        "True",
        "nulltrue",
        "[true,false,null]",
        "\0",
        "//",
        "'a'",
    ] {
        assert_exact(text.as_bytes());
    }
}

#[test]
fn keys() {
    let keys = [
        "",
        "\0",
        "\u{8}",
        "\t",
        "\n",
        "\u{b}",
        "\u{c}",
        "\r",
        "\u{1f}",
        " ",
        "!",
        "\"",
        "#",
        "[",
        "\\",
        "]",
        "a",
        "a\0",
        "a\"",
        "a!",
        "a#",
        "aa",
        "abcdefg",
        "abcdefgh",
        "abcdefgha",
        "abcdefghb",
        "abcdefgi",
        "abcdefg\"",
        "abcdefg\\",
        "é",
        "abcdefgé",
        "\u{d7ff}",
        "\u{e000}",
        "\u{ffff}",
        "😀",
        "a😀",
        "a\u{ffff}",
        "😀a",
        "\u{10ffff}",
        "\u{7f}",
        "\u{80}",
    ];
    for a in keys {
        for b in keys {
            let [a, b] = [a, b].map(|key| serialized(key).unwrap());
            assert_exact(format!("{{{a}:1,{b}:2}}").as_bytes());
            assert_exact(format!("{{{a}:{{}},{b}:2,\"zzzzzzzzzzzzzzzzzz\":3}}").as_bytes());
        }
    }
}

#[test]
fn keys_far_apart() {
    for length in [50, 60, 900, 1000, 1024, 1100, 3000, 70_000] {
        let value = "a".repeat(length);
        for [a, b] in [
            ["abcdefghi", "abcdefghj"],
            ["abcdefghi", "abcdefghi"],
            ["abcdefghj", "abcdefghi"],
            ["a\\n", "a\\n"],
        ] {
            assert_exact(format!("{{\"{a}\":\"{value}\",\"{b}\":\"{value}\"}}").as_bytes());
            assert_exact(format!("{{\"{a}\":[\"{value}\",\"\\\"{value}\\\"\"],\"{b}\":1}}").as_bytes());
            assert_exact(format!("{{\"{value}{a}\":[\"{value}\"],\"{value}{b}\":1}}").as_bytes());
        }
    }
}

#[test]
fn nesting_is_bounded() {
    for depth in [DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, 100_000] {
        let lists = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(lists.as_bytes()).is_ok(), depth <= DEPTH_MAX);
        let objects = "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        assert_eq!(check(objects.as_bytes()).is_ok(), depth <= DEPTH_MAX);
        assert_eq!(canonical(&objects).is_ok(), depth <= DEPTH_MAX);
    }
    assert_eq!(
        message(check("[".repeat(100_000).as_bytes())),
        "objects and lists nest too deep at byte 32"
    );
}

#[test]
fn errors_say_what_and_where() {
    let error = |text: &str| message(check(text.as_bytes()));
    assert_eq!(error(r#"{"a":1,"a":2}"#), "duplicate key \"a\" at byte 7");
    assert_eq!(
        error(r#"{"b":1,"a":2}"#),
        "key \"a\" stands after one that it sorts before at byte 7"
    );
    assert_eq!(error("[1.0]"), "a number is not in canonical form at byte 1");
    assert_eq!(error("[9007199254740992]"), "an integer is beyond ±(2^53-1) at byte 1");
    assert_eq!(error("[1e+400]"), "a number is beyond the range of a double at byte 1");
    assert_eq!(error("\"\\/\""), "escape is not in canonical form at byte 1");
    assert_eq!(error("\"\t\""), "control character that is not escaped at byte 1");
    assert_eq!(error("\"a"), "expected the end of the string at byte 2");
    assert_eq!(error("[1 ]"), "expected a comma or the end of the list at byte 2");
    assert_eq!(error("1 "), "bytes after the end of the value at byte 1");
    assert_eq!(error(""), "expected a value at byte 0");
    assert_eq!(message(check(b"\"a\xff\"")), "invalid UTF-8 at byte 2");
}

#[test]
fn a_line_is_taken_piece_by_piece() {
    let text = r#"{"event":{"a":[1,-2.5]},"text":"é\n\"\u0001","seq":90071992}"#;
    let mut line = Canonical::new(text.as_bytes(), DEPTH_MAX).unwrap();
    assert!(line.at(b"{\"event\":"));
    assert!(!line.at(b"{\"events\":"));
    line.literal(b"{\"event\":").unwrap();
    assert_eq!(
        line.object_with(b"a").unwrap(),
        (br#"{"a":[1,-2.5]}"#.as_slice(), Some(b"[1,-2.5]".as_slice()))
    );
    assert_eq!(message(line.literal(b"}")), "expected } at byte 23");
    line.literal(b",\"text\":").unwrap();
    assert!(line.object_with(b"a").is_err());
    assert_eq!(line.string().unwrap(), "é\n\"\u{1}");
    line.literal(b",\"seq\":").unwrap();
    assert!(line.string().is_err());
    assert_eq!(line.unsigned().unwrap(), 90071992);
    assert!(line.end().is_err());
    line.literal(b"}").unwrap();
    line.end().unwrap();
    assert!(line.value().is_err());
    assert!(!line.at(b"x"));
}

#[test]
fn integers() {
    let unsigned = |text: &str| {
        let mut line = Canonical::new(text.as_bytes(), 1)?;
        let integer = line.unsigned()?;
        line.end()?;
        Ok::<_, JsonError>(integer)
    };
    for integer in [
        0,
        1,
        9,
        10,
        99999999,
        100000000,
        123456789012345,
        INTEGER_MAX - 1,
        INTEGER_MAX,
    ] {
        assert_eq!(unsigned(&integer.to_string()), Ok(integer));
        assert_eq!(
            unsigned(&format!("{integer},")).unwrap_err().offset(),
            Some(integer.to_string().len())
        );
    }
    for text in [
        "",
        "-",
        "-0",
        "-1",
        "00",
        "01",
        "1.0",
        "1.5",
        "1e3",
        "1E3",
        "9007199254740992",
        "99999999999999999999",
        " 1",
        "1 ",
        "\"1\"",
        "a",
    ] {
        assert!(unsigned(text).is_err(), "{text}");
    }
}

/// Canonical texts with something changed that matters to JSON.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        0..3,
        prop::sample::select(&b"\"\\{}[],: \t\n0189.-eEnu/ab\0\x1f\x7f\x80\xc3\xa9\xed\xf0"[..]),
    );
    (value(), prop::collection::vec(change, 0..3)).prop_map(|(value, changes)| {
        let mut text = serialized(&value).unwrap().into_bytes();
        for (index, kind, byte) in changes {
            let at = index.index(text.len().max(1));
            match kind {
                0 => text.insert(at.min(text.len()), byte),
                1 if at < text.len() => drop(text.remove(at)),
                _ => text.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_printed_is_canonical(value in value()) {
        let text = serialized(&value).unwrap();
        check(text.as_bytes()).unwrap();
        assert_exact(text.as_bytes());
    }

    #[test]
    fn of_changed_texts_only_the_canonical_are_taken(text in mutated()) {
        assert_exact(&text);
    }

    #[test]
    fn of_any_bytes_only_the_canonical_are_taken(text in prop::collection::vec(any::<u8>(), 0..40)) {
        assert_exact(&text);
    }

    #[test]
    fn of_any_tokens_only_the_canonical_are_taken(text in "[\\[\\]{}\",:\\\\0-9eE.+\\-tnul a\0\t\u{e000}😀é]{0,24}") {
        assert_exact(text.as_bytes());
    }

    #[test]
    fn of_numbers_only_the_canonical_are_taken(number in "-?(0|[1-9][0-9]{0,20})(\\.0{0,7}[0-9]{0,18})?([eE][+-]?[0-9]{1,3})?") {
        assert_exact(number.as_bytes());
    }

    #[test]
    fn every_decimal_of_a_double_is_exact(number in double(), digits in 0..18_usize) {
        assert_exact(format!("{number:.digits$}").as_bytes());
        assert_exact(format!("{number}").as_bytes());
        assert_exact(format!("{number:e}").as_bytes());
    }

    #[test]
    fn strings_are_unescaped(text in string()) {
        let printed = serialized(&text).unwrap();
        let mut line = Canonical::new(printed.as_bytes(), 1).unwrap();
        prop_assert_eq!(line.string().unwrap(), text);
        line.end().unwrap();
    }
}
