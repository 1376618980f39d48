//! What several targets need: folders to play in, edits that an input describes, files read back.

use std::path::Path;

use tempfile::TempDir;

/// A folder in memory, where there is one.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
    .expect("a folder")
}

/// Overwrites, inserts, removes, repeats and fills with zeros, as the input says in steps of six bytes.
pub fn edit(content: &mut Vec<u8>, edits: &[u8]) {
    for step in edits.chunks_exact(6).take(8) {
        let [what, high, low, length, byte, more] = step else {
            return;
        };
        let place = usize::from(u16::from_be_bytes([*high, *low])) % (content.len() + 1);
        let end = content.len().min(place + usize::from(*length));
        match what % 7 {
            0 => content.truncate(place),
            1 => drop(content.drain(place..end)),
            2 => content[place..end].fill(0),
            3 => content[place..end].fill(*byte),
            4 => drop(content.splice(place..place, [*byte, *more])),
            5 => content.extend_from_within(place..end),
            _ => content.resize(content.len() + usize::from(*length) * 16, 0),
        }
    }
}
