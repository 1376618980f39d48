//! Exports that are compressed as they are written, and unpacked as they are verified.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::fmt;
#[cfg(any(feature = "gzip", feature = "compress"))]
use std::io::Write;
use std::io::{self, BufRead, Read};
use std::str::FromStr;

use crate::error::{Error, Result};

/// How the files of an export are compressed: see [`Export::compressed`](super::Export::compressed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip (RFC 1952), one member: with the feature `gzip`.
    Gzip,
    /// zstd (RFC 8878), one frame with a checksum: with the feature `compress`.
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// Its name: `gzip` or `zstd`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// How the name of a file ends: `gz` or `zst`.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.name() == name)
    }

    #[cfg(not(all(feature = "gzip", feature = "compress")))]
    fn missing(self) -> String {
        let feature = match self {
            Self::Gzip => "gzip",
            Self::Zstd => "compress",
        };
        format!("{self} needs a build with the feature {feature}")
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Self, UnknownCompression> {
        Self::of_name(name).ok_or(UnknownCompression)
    }
}

/// There is no such compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a compression is one of gzip, zstd")]
pub struct UnknownCompression;

/// Packs what is written, piece by piece.
pub(super) enum Packer {
    #[cfg(feature = "gzip")]
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    #[cfg(feature = "compress")]
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Packer {
    /// # Errors
    ///
    /// [`Cause::Configuration`](crate::Cause::Configuration) where the build has not the feature.
    pub(super) fn new(compression: Compression) -> Result<Self> {
        match compression {
            #[cfg(feature = "gzip")]
            Compression::Gzip => Ok(Self::Gzip(flate2::write::GzEncoder::new(
                Vec::new(),
                flate2::Compression::default(),
            ))),
            #[cfg(feature = "compress")]
            Compression::Zstd => {
                let failed = |error: io::Error| Error::configuration("compression", error.to_string());
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 0).map_err(failed)?;
                encoder.include_checksum(true).map_err(failed)?;
                Ok(Self::Zstd(encoder))
            }
            #[cfg(not(all(feature = "gzip", feature = "compress")))]
            missing => Err(Error::configuration("compression", missing.missing())),
        }
    }

    /// Packs a piece, and gives what is ready.
    #[cfg_attr(not(any(feature = "gzip", feature = "compress")), expect(unused_variables))]
    pub(super) fn pack(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match *self {
            #[cfg(feature = "gzip")]
            Self::Gzip(ref mut encoder) => {
                encoder.write_all(piece)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            #[cfg(feature = "compress")]
            Self::Zstd(ref mut encoder) => {
                encoder.write_all(piece)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    /// Gives the end.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip(encoder) => encoder.finish(),
            #[cfg(feature = "compress")]
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

/// What is unpacked from one member or one frame. Behind its end nothing may follow: see [`finish`](Self::finish).
pub(super) enum Unpacker<R: BufRead> {
    Plain(R),
    #[cfg(feature = "gzip")]
    Gzip(flate2::bufread::GzDecoder<R>),
    #[cfg(feature = "compress")]
    Zstd(zstd::stream::read::Decoder<'static, R>),
}

impl<R: BufRead> Unpacker<R> {
    pub(super) fn new(from: R, compression: Option<Compression>) -> io::Result<Self> {
        match compression {
            None => Ok(Self::Plain(from)),
            #[cfg(feature = "gzip")]
            Some(Compression::Gzip) => Ok(Self::Gzip(flate2::bufread::GzDecoder::new(from))),
            #[cfg(feature = "compress")]
            Some(Compression::Zstd) => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(from)?.single_frame();
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Ok(Self::Zstd(decoder))
            }
            #[cfg(not(all(feature = "gzip", feature = "compress")))]
            Some(missing) => Err(io::Error::new(io::ErrorKind::Unsupported, missing.missing())),
        }
    }

    /// Whether nothing stands behind what was unpacked.
    pub(super) fn finish(self) -> io::Result<bool> {
        let mut from = match self {
            Self::Plain(from) => from,
            #[cfg(feature = "gzip")]
            Self::Gzip(decoder) => decoder.into_inner(),
            #[cfg(feature = "compress")]
            Self::Zstd(decoder) => decoder.finish(),
        };
        Ok(from.fill_buf()?.is_empty())
    }
}

impl<R: BufRead> Read for Unpacker<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(from) => from.read(buffer),
            #[cfg(feature = "gzip")]
            Self::Gzip(decoder) => decoder.read(buffer),
            #[cfg(feature = "compress")]
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

/// The largest window is 8 MiB, as in compressed segments (FORMAT §5).
#[cfg(feature = "compress")]
const WINDOW_LOG_MAX: u32 = 23;
