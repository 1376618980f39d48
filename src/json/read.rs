//! Reads any spelling of JSON and refuses what is not I-JSON (RFC 7493), but for noncharacters, which it takes.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::error::Problem;
use super::object::ObjectWriter;
use super::{INTEGER_MAX, JsonError, scan, write};

/// What kind a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    List,
    String,
    Number,
    Bool,
    Null,
}

/// A cursor over a JSON text: each call takes the next value, with the white space before it.
///
/// Every call refuses duplicate keys, lone surrogates, numbers beyond a double or, in canonical form, beyond ±(2^53−1),
/// and nesting deeper than the reader was made for. After an error the reader stands anywhere.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `text`, in which objects and lists may nest `depth` deep.
    ///
    /// # Errors
    ///
    /// When `text` is not UTF-8 or begins with a byte order mark.
    pub(crate) fn new(text: &'a [u8], depth: usize) -> Result<Self, JsonError> {
        let text = str::from_utf8(text).map_err(|error| JsonError::at(Problem::Utf8, error.valid_up_to()))?;
        if text.starts_with('\u{feff}') {
            return Err(JsonError::at(Problem::ByteOrderMark, 0));
        }
        Ok(Self {
            text,
            position: 0,
            depth,
        })
    }

    /// Where it reads on, in bytes.
    #[cfg(feature = "config")]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The kind of the next value, by how it begins.
    ///
    /// # Errors
    ///
    /// When no value begins so, or the text is at its end.
    pub(crate) fn kind(&mut self) -> Result<Kind, JsonError> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::List),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(_) if ["true", "false"].iter().any(|word| self.rest().starts_with(word)) => Ok(Kind::Bool),
            Some(_) if self.rest().starts_with("null") => Ok(Kind::Null),
            _ => Err(self.expected("a value")),
        }
    }

    /// Reads an object. `entry` is called with each key, and takes its value from the reader.
    ///
    /// # Errors
    ///
    /// When the next value is no object, and what `entry` returns.
    pub(crate) fn object<E: From<JsonError>>(
        &mut self,
        mut entry: impl FnMut(&str, &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', "an object")?;
        let mut keys = BTreeSet::new();
        if !self.next_is(b'}') {
            loop {
                self.peek();
                let start = self.position;
                let key = self.string()?;
                self.token(b':', "a colon")?;
                if !keys.insert(key.clone()) {
                    return Err(JsonError::at(Problem::duplicate_key(&key), start).into());
                }
                entry(&key, self)?;
                if self.next_is(b'}') {
                    break;
                }
                self.token(b',', "a comma or the end of the object")?;
            }
        }
        self.depth += 1;
        Ok(())
    }

    /// Reads a list. `item` is called with each index, and takes its value from the reader.
    ///
    /// # Errors
    ///
    /// When the next value is no list, and what `item` returns.
    pub(crate) fn list<E: From<JsonError>>(
        &mut self,
        mut item: impl FnMut(usize, &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', "a list")?;
        if !self.next_is(b']') {
            for index in 0.. {
                item(index, self)?;
                if self.next_is(b']') {
                    break;
                }
                self.token(b',', "a comma or the end of the list")?;
            }
        }
        self.depth += 1;
        Ok(())
    }

    /// Reads a string; borrowed where it has no escapes.
    ///
    /// # Errors
    ///
    /// When the next value is no string.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.token(b'"', "a string")?;
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let length = scan::find_special(rest.as_bytes());
            let (plain, rest) = rest.split_at_checked(length).unwrap_or_default();
            match text.is_empty() {
                true => text = Cow::Borrowed(plain),
                false => text.to_mut().push_str(plain),
            }
            self.position += length;
            match rest.as_bytes().first() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.to_mut().push(self.escape()?),
                Some(_) => return Err(self.error(Problem::Control)),
                None => return Err(self.expected("the end of the string")),
            }
        }
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    ///
    /// When the next value is neither.
    pub(crate) fn boolean(&mut self) -> Result<bool, JsonError> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Reads an integer from 0 to 2^53−1, however it is spelled: 5, 5.0 and 5e0 are the same number.
    ///
    /// # Errors
    ///
    /// When the next value is no such number.
    pub(crate) fn unsigned(&mut self) -> Result<u64, JsonError> {
        self.peek();
        let start = self.position;
        let token = self.number_token("an integer")?;
        let problem = || JsonError::at(Problem::Expected("an integer from 0 to 2^53-1"), start);
        if let Ok(integer) = token.parse::<u64>() {
            return if integer <= INTEGER_MAX {
                Ok(integer)
            } else {
                Err(problem())
            };
        }
        let mut form = Vec::new();
        write::float(&mut form, parse_number(token, start)?).map_err(|_| problem())?;
        str::from_utf8(&form)
            .ok()
            .and_then(|form| form.parse().ok())
            .ok_or_else(problem)
    }

    /// Reads a number.
    ///
    /// # Errors
    ///
    /// When the next value is no number, or one that the log does not take.
    pub(crate) fn float(&mut self) -> Result<f64, JsonError> {
        self.peek();
        let start = self.position;
        parse_number(self.number_token("a number")?, start)
    }

    /// Reads the next value, whatever it is, and prints it in canonical form.
    ///
    /// # Errors
    ///
    /// When it is none that the log takes. `out` then holds what was printed until there.
    pub(crate) fn canonical(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        match self.kind()? {
            Kind::Object => {
                let mut object = ObjectWriter::begin(out);
                self.object(|key, reader| {
                    object.key(out, key)?;
                    reader.canonical(out)
                })?;
                object.end(out)
            }
            Kind::List => {
                out.push(b'[');
                self.list(|index, reader| {
                    if index > 0 {
                        out.push(b',');
                    }
                    reader.canonical(out)
                })?;
                out.push(b']');
                Ok(())
            }
            Kind::String => {
                write::string(out, &self.string()?);
                Ok(())
            }
            Kind::Number => write::float(out, self.float()?),
            Kind::Bool => {
                out.extend_from_slice(if self.boolean()? { b"true" } else { b"false" });
                Ok(())
            }
            Kind::Null => {
                self.null()?;
                out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }

    /// Reads the next value, whatever it is, and drops it.
    ///
    /// # Errors
    ///
    /// When it is none that the log takes.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        match self.kind()? {
            Kind::Object => self.object(|_, reader| reader.skip()),
            Kind::List => self.list(|_, reader| reader.skip()),
            Kind::String => self.string().map(drop),
            Kind::Number => self.float().map(drop),
            Kind::Bool => self.boolean().map(drop),
            Kind::Null => self.null(),
        }
    }

    /// Reads `null`.
    ///
    /// # Errors
    ///
    /// When the next value is another.
    pub(crate) fn null(&mut self) -> Result<(), JsonError> {
        self.peek();
        self.word("null")
    }

    /// Checks that nothing but white space is left.
    ///
    /// # Errors
    ///
    /// When something is.
    pub(crate) fn end(mut self) -> Result<(), JsonError> {
        self.peek().map_or(Ok(()), |_| Err(self.error(Problem::Trailing)))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// The first byte that is no white space; the reader then stands before it.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.rest().as_bytes();
        let space = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.position += space;
        rest.get(space).copied()
    }

    fn next_is(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.position += usize::from(is);
        is
    }

    fn token(&mut self, byte: u8, name: &'static str) -> Result<(), JsonError> {
        if self.next_is(byte) {
            Ok(())
        } else {
            Err(self.expected(name))
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if !self.rest().starts_with(word) {
            return Err(self.expected(word));
        }
        self.position += word.len();
        Ok(())
    }

    fn open(&mut self, bracket: u8, name: &'static str) -> Result<(), JsonError> {
        self.token(bracket, name)?;
        self.depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| JsonError::at(Problem::Depth, self.position - 1))?;
        Ok(())
    }

    /// The characters of a number (RFC 8259 §6).
    fn number_token(&mut self, name: &'static str) -> Result<&'a str, JsonError> {
        let rest = self.rest();
        let length = number_length(rest.as_bytes());
        let token = rest.get(..length.unwrap_or_default()).unwrap_or_default();
        if token.is_empty() {
            return Err(self.expected(name));
        }
        self.position += token.len();
        Ok(token)
    }

    /// The character that an escape stands for. The reader stands at its backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let escape = self.rest().as_bytes();
        let character = match escape.get(1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.error(Problem::Escape)),
        };
        self.position += 2;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let escape = self.rest().as_bytes();
        let unit = code_unit(escape).ok_or_else(|| self.error(Problem::Escape))?;
        let low = escape.get(6..).and_then(code_unit);
        let mut characters = char::decode_utf16([unit].into_iter().chain(low));
        let character = characters
            .next()
            .and_then(Result::ok)
            .ok_or_else(|| self.error(Problem::Surrogate))?;
        self.position += 6 * character.len_utf16();
        Ok(character)
    }

    fn expected(&self, what: &'static str) -> JsonError {
        self.error(Problem::Expected(what))
    }

    fn error(&self, problem: Problem) -> JsonError {
        JsonError::at(problem, self.position)
    }
}

/// Reads one value in any spelling and gives its canonical form. Objects and lists may nest `depth` deep.
///
/// # Errors
///
/// When `text` is not one value that the log takes.
pub(crate) fn canonicalize(text: &[u8], depth: usize) -> Result<Vec<u8>, JsonError> {
    let mut reader = Reader::new(text, depth)?;
    let mut out = Vec::with_capacity(text.len());
    reader.canonical(&mut out)?;
    reader.end()?;
    Ok(out)
}

/// The code unit of an escape `\uXXXX` that `text` begins with.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(value).ok()?)
    })
}

/// How long the number is that `text` begins with: `[minus] int [frac] [exp]` of RFC 8259 §6. `None` where none is, or
/// a broken one.
pub(super) fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        text.get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut length = usize::from(text.first() == Some(&b'-'));
    length += match (text.get(length), digits(length)) {
        (_, 0) => return None,
        (Some(b'0'), _) => 1,
        (_, count) => count,
    };
    if text.get(length) == Some(&b'.') {
        length += match digits(length + 1) {
            0 => return None,
            count => count + 1,
        };
    }
    if let Some(b'e' | b'E') = text.get(length) {
        length += 1 + usize::from(matches!(text.get(length + 1), Some(b'+' | b'-')));
        length += match digits(length) {
            0 => return None,
            count => count,
        };
    }
    Some(length)
}

/// The double nearest to a number, if the log takes it. `offset` is where it stands.
pub(super) fn parse_number(token: &str, offset: usize) -> Result<f64, JsonError> {
    let range = || JsonError::at(Problem::NumberRange, offset);
    let number = token.parse::<f64>().map_err(|_| range())?;
    if !number.is_finite() {
        return Err(range());
    }
    if write::is_integer_out_of_range(number) {
        return Err(JsonError::at(Problem::IntegerRange, offset));
    }
    Ok(number)
}
