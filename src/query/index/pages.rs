//! An index file: pages of 4 KiB, each with a checksum, so that damage is seen in whatever part is read.
//!
//! Readers and writers see a stream of the pages' contents without the checksums.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Writes a stream as pages.
#[derive(Debug)]
pub(super) struct PageWriter<W> {
    out: W,
    page: Vec<u8>,
    number: u64,
}

impl<W: Write> PageWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            page: Vec::with_capacity(PAGE),
            number: 0,
        }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CONTENT - self.page.len()));
            self.page.extend_from_slice(now);
            bytes = later;
            if self.page.len() == CONTENT {
                self.end_page()?;
            }
        }
        Ok(())
    }

    /// Writes the last page.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.page.is_empty() {
            self.page.resize(CONTENT, 0);
            self.end_page()?;
        }
        Ok(self.out)
    }

    fn end_page(&mut self) -> io::Result<()> {
        self.out.write_all(&self.page)?;
        self.out.write_all(&checksum(&self.page, self.number))?;
        self.page.clear();
        self.number += 1;
        Ok(())
    }
}

/// Reads parts of the stream. Pages that are read again and again are kept.
#[derive(Debug)]
pub(super) struct Pages {
    file: File,
    kept: Mutex<HashMap<u64, Arc<[u8]>>>,
}

impl Pages {
    pub(super) fn new(file: File) -> Self {
        let kept = Mutex::default();
        Self { file, kept }
    }

    /// The bytes of the stream from `start` on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] where a page is not what was written, or there is none.
    pub(super) fn read(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        self.read_pagewise(start, length, &|number| self.page(number))
    }

    /// The same of a part so large that one page of it is hardly read twice: no page is kept.
    pub(super) fn read_once(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        self.read_pagewise(start, length, &|number| self.read_page(number))
    }

    fn read_pagewise(
        &self,
        start: u64,
        length: usize,
        page: &dyn Fn(u64) -> io::Result<Arc<[u8]>>,
    ) -> io::Result<Vec<u8>> {
        let content = CONTENT as u64;
        let (first, skipped) = (start / content, to_usize(start % content));
        let count = skipped.saturating_add(length).div_ceil(CONTENT);
        match count {
            0 => Ok(Vec::new()),
            1 | 2 => {
                let mut bytes = Vec::with_capacity(length);
                for number in first..first + count as u64 {
                    let page = page(number)?;
                    let from = if number == first { skipped } else { 0 };
                    let to = CONTENT.min(from + length - bytes.len());
                    bytes.extend_from_slice(page.get(from..to).unwrap_or_default());
                }
                Ok(bytes)
            }
            3..=PAGES_MAX => {
                let mut bytes = self.read_pages(first, count)?;
                bytes.drain(..skipped);
                bytes.truncate(length);
                Ok(bytes)
            }
            _ => Err(damaged("more than an index has")),
        }
    }

    /// The content of one page.
    fn page(&self, number: u64) -> io::Result<Arc<[u8]>> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = kept().get(&number) {
            return Ok(Arc::clone(page));
        }
        let page = self.read_page(number)?;
        let mut kept = kept();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(number, Arc::clone(&page));
        Ok(page)
    }

    fn read_page(&self, number: u64) -> io::Result<Arc<[u8]>> {
        let mut page = [0; PAGE];
        self.read_at(number, &mut page)?;
        Ok(content_of(&page, number)?.into())
    }

    fn read_pages(&self, first: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut pages = vec![0; count * PAGE];
        self.read_at(first, &mut pages)?;
        let mut bytes = Vec::with_capacity(count * CONTENT);
        for (page, number) in pages.chunks_exact(PAGE).zip(first..) {
            bytes.extend_from_slice(content_of(page, number)?);
        }
        Ok(bytes)
    }

    /// Reads whole pages, as they stand.
    fn read_at(&self, first: u64, pages: &mut [u8]) -> io::Result<()> {
        let at = first.checked_mul(PAGE as u64);
        let at = at.ok_or_else(|| damaged("beyond all files"))?;
        let read = self.file.read_exact_at(pages, at);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
            _ => error,
        })
    }

    /// Whether the file still has a name: an index that does not fit its segment any more is removed.
    pub(super) fn is_there(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.nlink() > 0)
    }
}

/// What a page holds, if it is what was written.
fn content_of(page: &[u8], number: u64) -> io::Result<&[u8]> {
    let (content, found) = page.split_at(CONTENT);
    match found == checksum(content, number) {
        true => Ok(content),
        false => Err(damaged("a page is not what was written")),
    }
}

pub(super) fn damaged(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the index is damaged: {problem}"))
}

fn checksum(content: &[u8], number: u64) -> [u8; 8] {
    xxh3_64_with_seed(content, number).to_le_bytes()
}

pub(super) fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

const PAGE: usize = 4096;

/// What a page holds of the stream.
const CONTENT: usize = PAGE - 8;

/// No part of an index is as large as this.
const PAGES_MAX: usize = 64 * 1024;

/// How many pages of an index are kept: 256 KiB.
const KEPT_MAX: usize = 64;
