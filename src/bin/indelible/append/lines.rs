//! Lines of an input, in bounded memory.

use std::io::{ErrorKind, Read};

use crate::failure::Failure;

/// The lines of an input. Reading is a step of its own: [`next`](Self::next) never waits, [`fill`](Self::fill) does.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// No line feed stands between `start` and here.
    searched: usize,
    /// Where what was read ends.
    end: usize,
    number: u64,
    at_end: bool,
}

/// A line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Without its line feed.
    pub(super) bytes: &'a [u8],
    /// Whether more was read behind it.
    pub(super) more: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        let buffer = vec![0; BUFFER];
        let (start, searched, end, number, at_end) = (0, 0, 0, 0, false);
        Self {
            input,
            buffer,
            start,
            searched,
            end,
            number,
            at_end,
        }
    }

    /// The next line among what was read. The last line of the input needs no line feed.
    pub(super) fn next(&mut self) -> Option<Line<'_>> {
        let unsearched = self.buffer.get(self.searched..self.end).unwrap_or_default();
        let (end, next) = match memchr::memchr(b'\n', unsearched) {
            Some(at) => (self.searched + at, self.searched + at + 1),
            None if self.at_end && self.start < self.end => (self.end, self.end),
            None => {
                self.searched = self.end;
                return None;
            }
        };
        self.number += 1;
        let bytes = self.buffer.get(self.start..end).unwrap_or_default();
        (self.start, self.searched) = (next, next);
        Some(Line {
            number: self.number,
            bytes,
            more: next < self.end,
        })
    }

    /// Waits for more input; `false` at its end.
    ///
    /// # Errors
    ///
    /// Where the input cannot be read, or a line is longer than [`LINE_BYTES_MAX`].
    pub(super) fn fill(&mut self) -> Result<bool, Failure> {
        self.make_room()?;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(|error| Failure::new(format!("cannot be read: {error}")))?,
            }
        };
        self.end += count;
        self.at_end = count == 0;
        Ok(!self.at_end)
    }

    fn make_room(&mut self) -> Result<(), Failure> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.searched -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end > LINE_BYTES_MAX {
            let number = self.number + 1;
            return Err(Failure::new(format!(
                "line {number}: longer than {LINE_BYTES_MAX} bytes"
            )));
        }
        if self.end == self.buffer.len() {
            // One byte more than a line: its line feed.
            self.buffer.resize((self.end * 2).min(LINE_BYTES_MAX + 1), 0);
        }
        Ok(())
    }
}

/// The longest line that is read, without its line feed: four times the longest line of a log, for other spellings of
/// the same JSON.
pub(super) const LINE_BYTES_MAX: usize = 1024 * 1024;

const BUFFER: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of a few.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(self.1).min(out.len());
            let (now, later) = self.0.split_at(count);
            out.get_mut(..count).unwrap_or_default().copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn read(input: &[u8], piece: usize) -> Result<Vec<(u64, usize)>, Failure> {
        let mut lines = Lines::new(Pieces(input, piece));
        let mut found = Vec::new();
        loop {
            while let Some(line) = lines.next() {
                found.push((line.number, line.bytes.len()));
            }
            if !lines.fill()? {
                found.extend(lines.next().map(|line| (line.number, line.bytes.len())));
                return Ok(found);
            }
        }
    }

    #[test]
    fn lines_are_the_same_in_pieces_of_any_size() {
        for piece in [1, 2, 3, 7, 100] {
            assert_eq!(read(b"", piece).ok(), Some(vec![]));
            assert_eq!(read(b"\n", piece).ok(), Some(vec![(1, 0)]));
            assert_eq!(read(b"ab\n\nc", piece).ok(), Some(vec![(1, 2), (2, 0), (3, 1)]));
            assert_eq!(read(b"ab\nc\n", piece).ok(), Some(vec![(1, 2), (2, 1)]));
        }
    }

    #[test]
    fn a_line_of_the_longest_length_is_read_and_none_beyond() {
        let mut input = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(read(&input, 100_000).ok(), Some(vec![(1, LINE_BYTES_MAX)]));
        input.extend_from_slice(b"\ny");
        assert_eq!(read(&input, 70_000).ok(), Some(vec![(1, LINE_BYTES_MAX), (2, 1)]));
        input.splice(..0, *b"a\nx");
        let problem = read(&input, usize::MAX).err();
        let problem = problem.as_ref().map(AsRef::as_ref);
        assert_eq!(problem, Some("line 2: longer than 1048576 bytes"));
    }
}
