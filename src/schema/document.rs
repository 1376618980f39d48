//! A JSON document on its way out.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::borrow::Cow;

use super::source::{Kind, Source};
use crate::json;

/// Fields at dotted paths, such as `actor.user.uid`, put in any order.
#[derive(Debug, Default)]
pub(super) struct Document<'a>(Vec<(&'static str, Value<'a>)>);

#[derive(Debug)]
enum Value<'a> {
    /// In canonical form.
    Json(Cow<'a, [u8]>),
    Word(&'static str),
    Integer(i64),
}

impl<'a> Document<'a> {
    /// Puts JSON in canonical form.
    pub(super) fn json(&mut self, path: &'static str, json: impl Into<Cow<'a, [u8]>>) {
        self.0.push((path, Value::Json(json.into())));
    }

    /// Puts a text that is always the same.
    pub(super) fn word(&mut self, path: &'static str, word: &'static str) {
        self.0.push((path, Value::Word(word)));
    }

    pub(super) fn text(&mut self, path: &'static str, text: &str) {
        self.json(path, string(text));
    }

    /// Puts an integer within ±(2^53−1).
    pub(super) fn integer(&mut self, path: &'static str, number: impl Into<i64>) {
        self.0.push((path, Value::Integer(number.into())));
    }

    /// Moves a field of the event that is of this kind, and says whether there was one.
    pub(super) fn take(&mut self, path: &'static str, source: &mut Source<'a>, from: &str, is_kind: Kind) -> bool {
        let value = source.take(from, is_kind);
        if let Some(json) = value {
            self.json(path, json);
        }
        value.is_some()
    }

    /// Puts a list of objects.
    pub(super) fn objects(&mut self, path: &'static str, objects: &[Vec<u8>]) {
        self.json(path, [b"[", objects.join(&b","[..]).as_slice(), b"]"].concat());
    }

    /// Whether something stands at a path or below it.
    pub(super) fn has(&self, path: &str) -> bool {
        let is_below = |rest: &str| rest.is_empty() || rest.starts_with('.');
        self.0
            .iter()
            .any(|(put, _)| put.strip_prefix(path).is_some_and(is_below))
    }

    /// The document as one object in canonical form.
    pub(super) fn into_json(mut self) -> Vec<u8> {
        // A dot comes before all that stands in the names, so that this is the order of canonical JSON as well.
        self.0.sort_unstable_by_key(|(path, _)| *path);
        let mut out = Vec::with_capacity(self.0.len() * 48);
        out.push(b'{');
        let mut before = "";
        for (path, value) in &self.0 {
            debug_assert_ne!(*path, before, "put twice");
            let shared = shared_objects(before, path);
            close(&mut out, before.get(shared..).unwrap_or_default());
            if !before.is_empty() {
                out.push(b',');
            }
            let mut names = path.get(shared..).unwrap_or_default().split('.').peekable();
            while let Some(name) = names.next() {
                // None of them has a character that JSON escapes.
                out.push(b'"');
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(if names.peek().is_some() { b"\":{" } else { b"\":" });
            }
            match value {
                Value::Json(json) => out.extend_from_slice(json),
                Value::Word(word) => json::string(&mut out, word),
                Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            }
            before = path;
        }
        close(&mut out, before);
        out.push(b'}');
        out
    }

    /// The document as one line of text.
    pub(super) fn into_line(self) -> Option<String> {
        String::from_utf8(self.into_json()).ok()
    }
}

/// A text as JSON.
pub(super) fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    json::string(&mut out, text);
    out
}

/// Closes the objects of a path, one for each dot.
fn close(out: &mut Vec<u8>, path: &str) {
    out.extend(path.bytes().filter(|byte| *byte == b'.').map(|_| b'}'));
}

/// How long the beginning is, dots included, that names the objects in which both paths stand.
fn shared_objects(left: &str, right: &str) -> usize {
    let same = left
        .bytes()
        .zip(right.bytes())
        .take_while(|(left, right)| left == right);
    let same = same.count();
    left.get(..same)
        .and_then(|same| same.rfind('.'))
        .map_or(0, |dot| dot + 1)
}
