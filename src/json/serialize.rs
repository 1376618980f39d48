//! Prints whatever implements `serde::Serialize` in canonical form, straight into a buffer.
//!
//! Types take the shape that `serde_json` gives them: enums are externally tagged, `None` and units are `null`, bytes
//! are a list of numbers, map keys that are integers, booleans or characters become strings. An `f32` is printed as the
//! double of the same value. NaN, infinities and integers beyond ±(2^53−1) are refused, where `serde_json` would print
//! `null` or what nobody can read back.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod key;

use serde::ser::{self, Serialize};

use super::error::Problem;
use super::object::{ObjectWriter, unescaped};
use super::read::{Kind, Reader};
use super::{INTEGER_MAX, JsonError, write};
use key::KeySerializer;

/// Appends `value` in canonical form. Objects and lists may nest `depth` deep.
///
/// # Errors
///
/// When the value has no such form: a number that is not of I-JSON, a key that is no string, two keys that are the
/// same, too deep nesting, or an error of the value's own. `out` is then as before.
pub(crate) fn serialize<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T, depth: usize) -> Result<(), JsonError> {
    let start = out.len();
    let result = value.serialize(Serializer { out, depth });
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// The canonical text of a value of this crate's own, which has one.
pub(crate) fn to_text<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Vec::new();
    let _ = serialize(&mut out, value, super::DEPTH_MAX);
    String::from_utf8(out).unwrap_or_default()
}

struct Serializer<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'a> Serializer<'a> {
    fn literal(self, text: &[u8]) -> Result<(), JsonError> {
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn list(self, close: &'static [u8]) -> Result<List<'a>, JsonError> {
        let depth = nested(self.depth)?;
        self.out.push(b'[');
        Ok(List {
            out: self.out,
            depth,
            empty: true,
            close,
        })
    }

    fn object(self, close: &'static [u8]) -> Result<Object<'a>, JsonError> {
        let depth = nested(self.depth)?;
        let writer = ObjectWriter::begin(self.out);
        Ok(Object {
            out: self.out,
            depth,
            writer,
            close,
        })
    }

    /// The outside of an enum's variant that holds something: an object with one key.
    fn variant(self, variant: &'static str) -> Result<Self, JsonError> {
        let depth = nested(self.depth)?;
        self.out.push(b'{');
        write::string(self.out, variant);
        self.out.push(b':');
        Ok(Self { out: self.out, depth })
    }
}

impl<'a> ser::Serializer for Serializer<'a> {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Struct<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), JsonError> {
        self.literal(if value { b"true" } else { b"false" })
    }

    fn serialize_i8(self, value: i8) -> Result<(), JsonError> {
        write::integer(self.out, value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), JsonError> {
        write::integer(self.out, value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), JsonError> {
        write::integer(self.out, value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), JsonError> {
        write::integer(self.out, value)
    }

    fn serialize_i128(self, value: i128) -> Result<(), JsonError> {
        let value = i64::try_from(value).map_err(|_| Problem::IntegerRange)?;
        write::integer(self.out, value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), JsonError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), JsonError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), JsonError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), JsonError> {
        if value > INTEGER_MAX {
            return Err(Problem::IntegerRange.into());
        }
        write::unsigned(self.out, value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), JsonError> {
        self.serialize_u64(u64::try_from(value).map_err(|_| Problem::IntegerRange)?)
    }

    fn serialize_f32(self, value: f32) -> Result<(), JsonError> {
        write::float(self.out, value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), JsonError> {
        write::float(self.out, value)
    }

    fn serialize_char(self, value: char) -> Result<(), JsonError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), JsonError> {
        write::string(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), JsonError> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), JsonError> {
        self.literal(b"null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), JsonError> {
        self.literal(b"null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), JsonError> {
        self.literal(b"null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), JsonError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        let Serializer { out, depth } = self.variant(variant)?;
        value.serialize(Serializer { out: &mut *out, depth })?;
        out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, JsonError> {
        self.list(b"]")
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, JsonError> {
        self.list(b"]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, JsonError> {
        self.list(b"]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, JsonError> {
        self.variant(variant)?.list(b"]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, JsonError> {
        self.object(b"")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Struct<'a>, JsonError> {
        match name {
            NUMBER => Ok(Struct::Text {
                serializer: self,
                number: true,
            }),
            RAW_VALUE => Ok(Struct::Text {
                serializer: self,
                number: false,
            }),
            _ => self.object(b"").map(Struct::Object),
        }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'a>, JsonError> {
        self.variant(variant)?.object(b"}")
    }
}

/// A list under way, and what closes it.
struct List<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    empty: bool,
    close: &'static [u8],
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        value.serialize(Serializer {
            out: self.out,
            depth: self.depth,
        })
    }

    fn close(self) -> Result<(), JsonError> {
        self.out.extend_from_slice(self.close);
        Ok(())
    }
}

impl ser::SerializeSeq for List<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.item(value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

impl ser::SerializeTuple for List<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.item(value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for List<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.item(value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for List<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.item(value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

/// An object under way, and what closes it after its own brace.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    writer: ObjectWriter,
    close: &'static [u8],
}

impl Object<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), JsonError> {
        self.writer.key(self.out, key)?;
        value.serialize(Serializer {
            out: self.out,
            depth: self.depth,
        })
    }

    fn close(self) -> Result<(), JsonError> {
        self.writer.end(self.out)?;
        self.out.extend_from_slice(self.close);
        Ok(())
    }
}

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), JsonError> {
        key.serialize(KeySerializer {
            out: self.out,
            object: &mut self.writer,
        })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        value.serialize(Serializer {
            out: self.out,
            depth: self.depth,
        })
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Object<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), JsonError> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

/// A struct under way: an object, or a number or JSON text that `serde_json` hands on as text.
enum Struct<'a> {
    Object(Object<'a>),
    Text { serializer: Serializer<'a>, number: bool },
}

impl ser::SerializeStruct for Struct<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), JsonError> {
        match self {
            Struct::Object(object) => object.field(key, value),
            Struct::Text { serializer, number } => text(serializer.out, value, serializer.depth, *number),
        }
    }

    fn end(self) -> Result<(), JsonError> {
        match self {
            Struct::Object(object) => object.close(),
            Struct::Text { .. } => Ok(()),
        }
    }
}

/// Prints the JSON text that `value` is in canonical form.
fn text<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T, depth: usize, number: bool) -> Result<(), JsonError> {
    let mut string = Vec::new();
    value.serialize(Serializer {
        out: &mut string,
        depth: 0,
    })?;
    let string = string
        .strip_prefix(b"\"")
        .and_then(|string| string.strip_suffix(b"\""))
        .unwrap_or_default();
    let text = unescaped(string);
    let mut reader = Reader::new(text.as_bytes(), depth)?;
    if number && reader.kind()? != Kind::Number {
        return Err(Problem::Expected("a number").into());
    }
    reader.canonical(out)?;
    reader.end()
}

fn nested(depth: usize) -> Result<usize, JsonError> {
    Ok(depth.checked_sub(1).ok_or(Problem::Depth)?)
}

/// The name under which `serde_json` hands on a number with its feature `arbitrary_precision`.
const NUMBER: &str = "$serde_json::private::Number";

/// The name under which `serde_json` hands on JSON text with its feature `raw_value`.
const RAW_VALUE: &str = "$serde_json::private::RawValue";
