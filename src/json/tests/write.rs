use super::*;
use crate::json::write;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn escapes_are_the_shortest() {
    let string = |text| written(|out| write::string(out, text));
    assert_eq!(string("\u{8}\t\n\u{c}\r\"\\/"), r#""\b\t\n\f\r\"\\/""#);
    assert_eq!(string("\0\u{1}\u{b}\u{e}\u{1f}"), r#""\u0000\u0001\u000b\u000e\u001f""#);
    assert_eq!(
        string("\u{7f}\u{80}\u{2028}\u{2029}\u{feff}é😀"),
        "\"\u{7f}\u{80}\u{2028}\u{2029}\u{feff}é😀\""
    );
    assert_eq!(string(""), r#""""#);
}

#[test]
fn integers_end_at_2_53() {
    let bound = i64::try_from(INTEGER_MAX).unwrap();
    let mut out = Vec::new();
    for (number, form) in [
        (0, "0"),
        (-1, "-1"),
        (10, "10"),
        (bound, "9007199254740991"),
        (-bound, "-9007199254740991"),
    ] {
        assert_eq!(written(|out| write::integer(out, number).unwrap()), form);
    }
    for number in [bound + 1, -bound - 1, i64::MAX, i64::MIN] {
        assert_eq!(
            message(write::integer(&mut out, number)),
            "an integer is beyond ±(2^53-1)"
        );
    }
    assert!(out.is_empty());
}

#[test]
fn floats_that_have_no_form_are_refused() {
    let mut out = Vec::new();
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(
            message(write::float(&mut out, number)),
            "NaN and infinity have no JSON form"
        );
    }
    for number in [9007199254740992.0, -9007199254740992.0, 1e20, -999999999999999900000.0] {
        assert_eq!(
            message(write::float(&mut out, number)),
            "an integer is beyond ±(2^53-1)"
        );
    }
    assert!(out.is_empty());
    assert_eq!(
        written(|out| write::float(out, 9007199254740991.0).unwrap()),
        "9007199254740991"
    );
    assert_eq!(written(|out| write::float(out, -1e21).unwrap()), "-1e+21");
    assert_eq!(written(|out| write::float(out, -0.0).unwrap()), "0");
}

proptest! {
    #[test]
    fn strings_are_as_the_reference_writes_them(text in string()) {
        let reference = serde_json_canonicalizer::to_string(&text).unwrap();
        prop_assert_eq!(written(|out| write::string(out, &text)), reference);
    }

    #[cfg(any(feature = "datadog", feature = "otlp", feature = "token"))]
    #[test]
    fn the_size_of_a_string_is_that_of_what_is_written(text in string()) {
        let mut out = Vec::new();
        crate::json::string(&mut out, &text);
        prop_assert_eq!(crate::json::string_size(&text), out.len());
    }

    #[test]
    fn numbers_are_as_the_reference_writes_them(number in double(), integer in integer()) {
        let reference = serde_json_canonicalizer::to_string(&number).unwrap();
        prop_assert_eq!(written(|out| write::float(out, number).unwrap()), reference);
        let reference = serde_json_canonicalizer::to_string(&integer).unwrap();
        prop_assert_eq!(written(|out| write::integer(out, integer).unwrap()), reference);
    }
}
