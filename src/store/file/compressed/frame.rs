//! The header of a frame and of a block, as they stand in a file.

/// What a frame's header says (RFC 8878 §3.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// How long it is.
    pub(super) bytes: usize,
    /// Whether a checksum of four bytes follows the last block.
    pub(super) has_checksum: bool,
}

impl FrameHeader {
    /// Checks the header of a frame: no skippable frame and nothing else, a window of at most 8 MiB, no dictionary.
    pub(super) fn parse(header: &[u8]) -> Result<Self, String> {
        let Some((magic, rest)) = header.split_first_chunk() else {
            return Err("it is no zstd frame".into());
        };
        match u32::from_le_bytes(*magic) {
            FRAME => {}
            magic if magic & !0xf == SKIPPABLE_FRAME => return Err("a skippable frame".into()),
            _ => return Err("it is no zstd frame".into()),
        }
        let cut_off = || "it is cut off within a frame's header".to_owned();
        let (descriptor, mut rest) = rest.split_first().ok_or_else(cut_off)?;
        let single_segment = descriptor & 0x20 != 0;
        let mut window = None;
        if !single_segment {
            let (byte, after) = rest.split_first().ok_or_else(cut_off)?;
            let base = 1_u64 << (10 + (byte >> 3));
            window = Some(base + base / 8 * u64::from(byte & 7));
            rest = after;
        }
        let dictionary_bytes = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
        let content_bytes = match descriptor >> 6 {
            0 => usize::from(single_segment),
            flag => 1 << flag,
        };
        let (dictionary, rest) = rest.split_at_checked(dictionary_bytes).ok_or_else(cut_off)?;
        let (content, rest) = rest.split_at_checked(content_bytes).ok_or_else(cut_off)?;
        if dictionary.iter().any(|byte| *byte != 0) {
            return Err(format!("a frame with the dictionary {}", little_endian(dictionary)));
        }
        // A content size of two bytes counts from 256 on.
        let content = little_endian(content) + if content_bytes == 2 { 256 } else { 0 };
        let window = window.unwrap_or(content);
        if window > WINDOW_MAX {
            return Err(format!("a frame with a window of {window} bytes, at most {WINDOW_MAX}"));
        }
        Ok(Self {
            bytes: header.len() - rest.len(),
            has_checksum: descriptor & 0x04 != 0,
        })
    }
}

/// What a block's header says (RFC 8878 §3.1.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockHeader {
    pub(super) is_last: bool,
    /// How many bytes of the file it takes, without this header.
    pub(super) bytes: u64,
}

impl BlockHeader {
    /// `None` for what is no block.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let header = little_endian(header.get(..BLOCK_HEADER)?);
        let size = header >> 3;
        let bytes = match header >> 1 & 3 {
            // As it is, or compressed.
            0 | 2 => size,
            // One byte, repeated.
            1 => 1,
            _ => return None,
        };
        (size <= BLOCK_MAX).then_some(Self {
            is_last: header & 1 != 0,
            bytes,
        })
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
}

/// The magic number of a frame (RFC 8878 §3.1.1), and that of skippable ones without its last four bits (§3.1.2).
const FRAME: u32 = 0xfd2f_b528;
const SKIPPABLE_FRAME: u32 = 0x184d_2a50;

/// A frame's header in bytes, at most: magic number, descriptor, window, dictionary, content size.
pub(super) const FRAME_HEADER_MAX: usize = 4 + 1 + 1 + 4 + 8;

/// The largest window (FORMAT §5).
const WINDOW_MAX: u64 = 8 * 1024 * 1024;
pub(super) const WINDOW_LOG_MAX: u32 = 23;

/// A block's header in bytes.
pub(super) const BLOCK_HEADER: usize = 3;

/// The most that a block holds.
pub(super) const BLOCK_MAX: u64 = 128 * 1024;

/// The checksum of a frame's content in bytes.
pub(super) const CHECKSUM: u64 = 4;
