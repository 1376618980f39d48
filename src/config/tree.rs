//! The values of a configuration and their lines, from TOML or JSON.

use toml::de::{DeTable, DeValue};

use super::ConfigError;
use crate::json::{JsonError, Kind, Reader};

/// A value, and the line on which it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// What no key takes, by what it is called.
    Other(&'static str),
}

impl Value {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

pub(super) fn toml(text: &str) -> Result<Node, ConfigError> {
    let lines = Lines::of(text);
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| lines.at(span.start));
        ConfigError::new("", line, format!("not TOML: {}", error.message()))
    })?;
    Ok(Node {
        line: 1,
        value: lines.table(table.get_ref()),
    })
}

/// Where the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(memchr::memchr_iter(b'\n', text.as_bytes()).collect())
    }

    /// The line of a byte, from 1.
    fn at(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|end| *end < offset)
    }

    fn table(&self, table: &DeTable<'_>) -> Value {
        let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.to_string(), self.node(value))
        };
        Value::Table(table.iter().map(entry).collect())
    }

    fn node(&self, spanned: &toml::Spanned<DeValue<'_>>) -> Node {
        let value = match spanned.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                let number = u64::from_str_radix(number.as_str(), number.radix());
                number.map_or(Value::Other("a number below 0, or too large"), Value::Number)
            }
            DeValue::Boolean(is) => Value::Boolean(*is),
            DeValue::Array(list) => Value::List(list.iter().map(|value| self.node(value)).collect()),
            DeValue::Table(table) => self.table(table),
            DeValue::Float(_) => Value::Other("a fraction"),
            DeValue::Datetime(_) => Value::Other("a time"),
        };
        let line = self.at(spanned.span().start);
        Node { line, value }
    }
}

pub(super) fn json(text: &str) -> Result<Node, ConfigError> {
    let lines = Lines::of(text);
    let read = || {
        let mut reader = Reader::new(text.as_bytes(), DEPTH_MAX)?;
        let node = json_node(&mut reader, &lines)?;
        reader.end()?;
        Ok(node)
    };
    read().map_err(|error: JsonError| {
        let line = error.offset().map(|offset| lines.at(offset));
        ConfigError::new("", line, format!("not JSON: {error}"))
    })
}

fn json_node(reader: &mut Reader<'_>, lines: &Lines) -> Result<Node, JsonError> {
    let kind = reader.kind()?;
    let start = reader.position();
    let line = lines.at(start);
    let value = match kind {
        Kind::Object => {
            let mut table = Vec::new();
            reader.object::<JsonError>(|key, value| {
                table.push((key.to_owned(), json_node(value, lines)?));
                Ok(())
            })?;
            Value::Table(table)
        }
        Kind::List => {
            let mut list = Vec::new();
            reader.list::<JsonError>(|_, value| {
                list.push(json_node(value, lines)?);
                Ok(())
            })?;
            Value::List(list)
        }
        Kind::String => Value::Text(reader.string()?.into_owned()),
        Kind::Bool => Value::Boolean(reader.boolean()?),
        Kind::Number => match reader.unsigned() {
            Ok(number) => Value::Number(number),
            // It is one, and was read.
            Err(_) if reader.position() > start => Value::Other("a number below 0, a fraction, or too large"),
            Err(error) => return Err(error),
        },
        Kind::Null => {
            reader.null()?;
            Value::Other("null")
        }
    };
    Ok(Node { line, value })
}

const DEPTH_MAX: usize = 16;
