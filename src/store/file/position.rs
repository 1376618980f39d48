//! The position cache: where a commit near the head begins, so that opening reads on from there. Nothing trusts it: the
//! checkpoint behind it verifies, or the whole segment is read.

use super::disk::{DiskFile, How};
use super::layout::Layout;
use crate::error::Result;
use crate::hash::Hash;
use crate::json::{self, JsonError, Reader};
use crate::merkle::Tree;
use crate::store::Segment;

/// Where a commit begins, and what comes before it.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
    /// The tree of the records before.
    pub(super) tree: Tree,
    /// The hash of the record before; `None` at the beginning of a segment.
    pub(super) prev: Option<Hash>,
}

impl Position {
    pub(super) fn beginning(segment: u64) -> Self {
        Self {
            segment,
            offset: 0,
            tree: Tree::new(),
            prev: None,
        }
    }

    /// The position that the cache holds, if it is in `segment`.
    pub(super) fn load(layout: &Layout, segment: &Segment) -> Result<Option<Self>> {
        let content = layout.read(&layout.position(), POSITION_BYTES_MAX).ok().flatten();
        let position = content.and_then(|content| Self::parse(&content).ok().flatten());
        Ok(position.filter(|position| position.segment == segment.first && segment.name.ends_with(".jsonl")))
    }

    fn parse(content: &[u8]) -> Result<Option<Self>, JsonError> {
        let (mut segment, mut offset, mut size, mut prev, mut peaks) = (None, None, None, None, Vec::new());
        let mut reader = Reader::new(content, 2)?;
        reader.object::<JsonError>(|key, value| {
            match key {
                "segment" => segment = Some(value.unsigned()?),
                "offset" => offset = Some(value.unsigned()?),
                "size" => size = Some(value.unsigned()?),
                "prev" => prev = value.string()?.parse().ok(),
                "peaks" => value.list::<JsonError>(|_, value| {
                    peaks.extend(value.string()?.parse::<Hash>().ok());
                    Ok(())
                })?,
                _ => value.skip()?,
            }
            Ok(())
        })?;
        reader.end()?;
        let (Some(segment), Some(offset), Some(size), Some(prev)) = (segment, offset, size, prev) else {
            return Ok(None);
        };
        Ok(Tree::from_peaks(size, peaks).ok().map(|tree| Self {
            segment,
            offset,
            tree,
            prev: Some(prev),
        }))
    }

    fn print(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2048);
        out.extend_from_slice(b"{\"offset\":");
        json::unsigned(&mut out, self.offset);
        out.extend_from_slice(b",\"peaks\":[");
        for (index, peak) in self.tree.peaks().iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(&peak.to_hex());
            out.push(b'"');
        }
        out.extend_from_slice(b"],\"prev\":\"");
        out.extend_from_slice(&self.prev.unwrap_or(Hash::ZERO).to_hex());
        out.extend_from_slice(b"\",\"segment\":");
        json::unsigned(&mut out, self.segment);
        out.extend_from_slice(b",\"size\":");
        json::unsigned(&mut out, self.tree.size());
        out.push(b'}');
        out
    }
}

/// The cache's file, open for a writer. A write that fails only makes the next opening slower.
#[derive(Debug)]
pub(super) struct PositionFile {
    file: Box<dyn DiskFile>,
}

impl PositionFile {
    /// The file; `None` where it cannot be had. What stands there stays until a position is saved.
    pub(super) fn open(layout: &Layout) -> Option<Self> {
        let file = layout.disk.open(&layout.position(), How::Keep).ok()?;
        Some(Self { file })
    }

    /// Writes the position over the last one. It is padded, so that no rest of a longer one stays.
    pub(super) fn save(&self, position: &Position) {
        let mut content = position.print();
        content.resize(content.len().max(PADDED), b' ');
        let _ = self.file.write_all_at(&content, 0);
    }
}

const POSITION_BYTES_MAX: u64 = 16 * 1024;

/// 53 peaks and the rest fit.
const PADDED: usize = 4096;
