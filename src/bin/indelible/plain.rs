//! Text that commands a terminal nothing, whatever a log or an argument holds.

use std::borrow::Cow;

/// The text with escapes, as JSON has them, for what a terminal would obey or not show. Line feeds and tabs stay.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let is_plain = |char: char| matches!(char, '\n' | '\t') || is_shown(char);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match is_plain(char) {
            true => plain.push(char),
            false => char
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| plain.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    Cow::Owned(plain)
}

/// Whether a character is seen and does nothing else. Others move the cursor, change the direction in which text is read,
/// break a line, or make two texts look alike.
fn is_shown(char: char) -> bool {
    !char.is_control()
        && !matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped_as_json_has_it() {
        let text = "{\"é日\":\"\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{200b}\u{2028}\u{e0041}\"}\n\t";
        let escaped = r#"{"é日":"\u001b[2J\u009b31m\u007f\u202e\u200b\u2028\udb40\udc41"}"#;
        assert_eq!(plain(text), format!("{escaped}\n\t"));
        assert!(matches!(plain("{\"name\":\"José 日本\"}\n"), Cow::Borrowed(_)));
    }
}
