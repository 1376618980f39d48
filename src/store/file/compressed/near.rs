//! Finding the frame where reading for one record begins, without unpacking those before it.
//!
//! No table of frames stands in the file: FORMAT §5 has no frame for it. Where frames begin is seen from the headers of
//! frames and blocks, of which each says where the next one stands; and what a frame holds, from its first lines.

use std::io;

use super::CompressedLines;
use super::frame::{BLOCK_HEADER, BlockHeader, CHECKSUM, FRAME_HEADER_MAX, FrameHeader};
use crate::error::{Error, Result};
use crate::store::file::disk::DiskFile;

/// Where a frame begins whose first line is not after the record `from`. A file that is not in order gives some frame's
/// beginning, at the worst that of the file: so does one whose frames do not begin where lines do.
pub(super) fn frame_near(lines: &mut CompressedLines, from: u64) -> Result<u64> {
    let failed = |error| Error::io("read", &lines.path, error);
    let starts = frame_starts(lines.frames.file()).map_err(failed)?;
    let start_of = |index: usize| starts.get(index).copied().unwrap_or(0);
    // The frame `low` is right; those from `high` on are not looked at.
    let (mut low, mut high) = (0, starts.len());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        lines.seek(start_of(middle))?;
        match lines.next_seq()? {
            Some(seq) if seq <= from => low = middle,
            _ => high = middle,
        }
    }
    Ok(start_of(low))
}

/// Where the frames of a file begin, up to where it is not in order or has more of them than any segment.
fn frame_starts(file: &dyn DiskFile) -> io::Result<Vec<u64>> {
    let (size, mut starts, mut start) = (file.size()?, Vec::new(), 0);
    let mut headers = 0;
    while start < size && headers < HEADERS_MAX {
        let mut buffer = [0; FRAME_HEADER_MAX + BLOCK_HEADER];
        let read = read_up_to(file, &mut buffer, start)?;
        let Ok(frame) = FrameHeader::parse(read) else {
            break;
        };
        starts.push(start);
        // The first block's header was read with the frame's.
        let mut block = BlockHeader::parse(read.get(frame.bytes..).unwrap_or_default());
        start += to_u64(frame.bytes);
        loop {
            headers += 1;
            let Some(BlockHeader { is_last, bytes }) = block.filter(|_| headers < HEADERS_MAX) else {
                return Ok(starts);
            };
            start += to_u64(BLOCK_HEADER) + bytes;
            if is_last {
                break;
            }
            let mut buffer = [0; BLOCK_HEADER];
            block = BlockHeader::parse(read_up_to(file, &mut buffer, start)?);
        }
        start += if frame.has_checksum { CHECKSUM } else { 0 };
    }
    Ok(starts)
}

fn read_up_to<'a>(file: &dyn DiskFile, buffer: &'a mut [u8], offset: u64) -> io::Result<&'a [u8]> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(buffer.get_mut(count..).unwrap_or_default(), offset + to_u64(count))? {
            0 => break,
            more => count += more,
        }
    }
    Ok(buffer.get(..count).unwrap_or_default())
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// So many blocks hold 32 GiB. What a file has beyond them is read from the last frame that was found on.
const HEADERS_MAX: usize = 256 * 1024;
