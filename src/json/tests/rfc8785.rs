//! The examples of RFC 8785.

use super::*;
use crate::json::write;

/// Appendix B. What is left out of the second column is refused: numbers without a JSON form, and integers beyond
/// ±(2^53−1).
const NUMBERS: &[(u64, &str)] = &[
    (0x0000000000000000, "0"),
    (0x8000000000000000, "0"),
    (0x0000000000000001, "5e-324"),
    (0x8000000000000001, "-5e-324"),
    (0x7fefffffffffffff, "1.7976931348623157e+308"),
    (0xffefffffffffffff, "-1.7976931348623157e+308"),
    (0x4340000000000000, ""),
    (0xc340000000000000, ""),
    (0x4430000000000000, ""),
    (0x7fffffffffffffff, ""),
    (0x7ff0000000000000, ""),
    (0x44b52d02c7e14af5, "9.999999999999997e+22"),
    (0x44b52d02c7e14af6, "1e+23"),
    (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
    (0x444b1ae4d6e2ef4e, ""),
    (0x444b1ae4d6e2ef4f, ""),
    (0x444b1ae4d6e2ef50, "1e+21"),
    (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
    (0x3eb0c6f7a0b5ed8d, "0.000001"),
    (0x41b3de4355555553, "333333333.3333332"),
    (0x41b3de4355555554, "333333333.33333325"),
    (0x41b3de4355555555, "333333333.3333333"),
    (0x41b3de4355555556, "333333333.3333334"),
    (0x41b3de4355555557, "333333333.33333343"),
    (0xbecbf647612f3696, "-0.0000033333333333333333"),
    (0x43143ff3c1cb0959, "1424953923781206.2"),
];

#[test]
fn numbers_of_appendix_b() {
    for (bits, form) in NUMBERS {
        let mut out = Vec::new();
        let number = f64::from_bits(*bits);
        assert_eq!(write::float(&mut out, number).is_ok(), !form.is_empty(), "{number}");
        assert_eq!(str::from_utf8(&out).unwrap(), *form);
        if !form.is_empty() {
            assert_eq!(canonical(form).unwrap(), *form);
            assert_eq!(canonical(&format!("{number:e}")).unwrap(), *form);
        }
    }
}

#[test]
fn the_sample_of_section_3_2_2() {
    let sample = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let form = concat!(
        r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
        r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
    );
    assert_eq!(canonical(sample).unwrap(), form);
    assert_eq!(canonical(form).unwrap(), form);
}

#[test]
fn the_keys_of_section_3_2_3() {
    let sample = r#"{
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let form = concat!(
        r#"{"\r":"Carriage Return","1":"One",""#,
        "\u{80}",
        r#"":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","#,
        "\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
    );
    assert_eq!(canonical(sample).unwrap(), form);
    assert_eq!(
        serialized(&serde_json::from_str::<Value>(sample).unwrap()).unwrap(),
        form
    );
}
