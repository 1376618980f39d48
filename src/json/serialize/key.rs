//! Prints what a map's key is as a string.

use serde::ser::{self, Impossible, Serialize};

use crate::json::JsonError;
use crate::json::error::Problem;
use crate::json::object::ObjectWriter;

pub(super) struct KeySerializer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) object: &'a mut ObjectWriter,
}

impl KeySerializer<'_> {
    fn key(self, key: &str) -> Result<(), JsonError> {
        self.object.key(self.out, key)
    }
}

type NoKey = Impossible<(), JsonError>;

const NO_KEY: Problem = Problem::KeyType;

impl ser::Serializer for KeySerializer<'_> {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = NoKey;
    type SerializeTuple = NoKey;
    type SerializeTupleStruct = NoKey;
    type SerializeTupleVariant = NoKey;
    type SerializeMap = NoKey;
    type SerializeStruct = NoKey;
    type SerializeStructVariant = NoKey;

    fn serialize_bool(self, value: bool) -> Result<(), JsonError> {
        self.key(if value { "true" } else { "false" })
    }

    fn serialize_i8(self, value: i8) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_i16(self, value: i16) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_i32(self, value: i32) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_i64(self, value: i64) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_i128(self, value: i128) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_u8(self, value: u8) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_u16(self, value: u16) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_u32(self, value: u32) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_u64(self, value: u64) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_u128(self, value: u128) -> Result<(), JsonError> {
        self.key(&value.to_string())
    }

    fn serialize_f32(self, _: f32) -> Result<(), JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_f64(self, _: f64) -> Result<(), JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_char(self, value: char) -> Result<(), JsonError> {
        self.key(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), JsonError> {
        self.key(value)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_none(self) -> Result<(), JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), JsonError> {
        self.key(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<NoKey, JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_tuple(self, _: usize) -> Result<NoKey, JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<NoKey, JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<NoKey, JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<NoKey, JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<NoKey, JsonError> {
        Err(NO_KEY.into())
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<NoKey, JsonError> {
        Err(NO_KEY.into())
    }
}
