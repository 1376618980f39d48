use super::*;
use crate::json::scan::{Specials, find_special, is_ascii, is_special, prefix};

/// Bytes of which few or many are special.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let rare = prop_oneof![200 => Just(b'a'), 1 => any::<u8>()];
    let few = prop_oneof![20 => 0x80..=0xff_u8, 20 => 0x20..0x80_u8, 1 => any::<u8>()];
    prop_oneof![
        prop::collection::vec(rare, 0..2000),
        prop::collection::vec(few, 0..2000),
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(
            prop::sample::select(&b"\"\\\x1f\x20!#[]\x7f\x80\xa2\xdc\x00\x9f\xff"[..]),
            0..200
        ),
    ]
}

#[test]
fn special_is_what_a_string_escapes() {
    for byte in 0..=0xff_u8 {
        assert_eq!(
            is_special(byte),
            byte < 0x20 || byte == b'"' || byte == b'\\',
            "{byte:#x}"
        );
    }
}

proptest! {
    #[test]
    fn the_first_special_byte_is_found(text in bytes(), places in prop::collection::vec(any::<prop::sample::Index>(), 1..20)) {
        let first = |from: usize| text.iter().skip(from).position(|byte| is_special(*byte)).map_or(text.len(), |at| from + at);
        let mut specials = Specials::new(&text);
        for from in (0..text.len()).step_by(5) {
            prop_assert_eq!(specials.first(from), first(from));
        }
        for place in places {
            let from = place.index(text.len() + 1);
            prop_assert_eq!(specials.first(from), first(from));
            prop_assert_eq!(from + find_special(&text[from..]), first(from));
        }
    }

    #[test]
    fn ascii_is_told(text in bytes(), ascii in "[ -~]{0,300}") {
        prop_assert_eq!(is_ascii(&text), text.is_ascii());
        prop_assert!(is_ascii(ascii.as_bytes()));
    }

    #[test]
    fn prefixes_are_ordered_as_their_bytes(text in prop::collection::vec(1..0xff_u8, 0..20), length in 0..20_usize) {
        let length = length.min(text.len());
        let mut first = [0; 8];
        first[..length.min(8)].copy_from_slice(&text[..length.min(8)]);
        prop_assert_eq!(prefix(&text, 0, length), u64::from_be_bytes(first));
    }
}
