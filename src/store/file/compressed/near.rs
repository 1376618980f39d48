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
    let mut seq_of = |index: usize| {
        lines.seek(start_of(index))?;
        lines.next_seq()
    };
    let Some(last) = starts.len().checked_sub(1).filter(|last| *last > 0) else {
        return Ok(0);
    };
    // The first frame is right, and those from `high` on are not looked at. Of both, the first `seq` where it is known.
    let (mut low, mut high) = ((0, seq_of(0)?), (starts.len(), None));
    let mut middle = last;
    for step in 0.. {
        match seq_of(middle)? {
            Some(seq) if seq <= from => low = (middle, Some(seq)),
            seq => high = (middle, seq),
        }
        if high.0 - low.0 <= 1 {
            break;
        }
        // Frames hold about as many records each. Where they do not, halves come to an end too.
        middle = match (low, high) {
            ((low, Some(low_seq)), (high, Some(high_seq))) if step % 3 != 2 => {
                between((low, low_seq), (high, high_seq), from).clamp(low + 1, high - 1)
            }
            ((low, _), (high, _)) => low + (high - low) / 2,
        };
    }
    Ok(start_of(low.0))
}

/// Where `from` is among the frames from one to another, if their records are spread evenly.
fn between((low, low_seq): (usize, u64), (high, high_seq): (usize, u64), from: u64) -> usize {
    let frames = u128::try_from(high - low).unwrap_or(0);
    let records = u128::from(high_seq.saturating_sub(low_seq)).max(1);
    let beyond = u128::from(from.saturating_sub(low_seq)) * frames / records;
    low.saturating_add(usize::try_from(beyond).unwrap_or(usize::MAX))
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
