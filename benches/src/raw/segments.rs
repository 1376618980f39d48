//! The files of raw, prepared ahead as those of a log are.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// The file that is being written, and the one that is being prepared.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    file: File,
    end: u64,
    size: u64,
    number: u64,
    space: Arc<Space>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Space {
    path: PathBuf,
    state: Mutex<Spare>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Spare {
    wanted: bool,
    ready: Option<File>,
    stop: bool,
}

impl Segments {
    pub(super) fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("make a folder");
        let file = open(&name(folder, 0));
        zero(&file, 0, SMALL_SPACE);
        file.sync_data().expect("sync");
        sync_folder(folder);
        let space = Arc::new(Space {
            path: folder.join("spare"),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&space);
        Self {
            folder: folder.to_owned(),
            file,
            end: 0,
            size: SMALL_SPACE,
            number: 0,
            space,
            thread: Some(std::thread::spawn(move || own.run())),
        }
    }

    /// Writes bytes; they are durable when this returns.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len() as u64;
        if end > SEGMENT_SIZE || (end > self.size && self.space.state().ready.is_some()) {
            self.begin();
        }
        self.file.write_all_at(bytes, self.end).expect("write");
        self.file.sync_data().expect("sync");
        self.end += bytes.len() as u64;
        self.size = self.size.max(self.end);
        if self.size - self.end < self.size / 2 {
            self.space.want();
        }
    }

    /// Cuts the file off and goes on with the prepared one, or with a new one where that is not ready.
    fn begin(&mut self) {
        if self.size != self.end {
            self.file.set_len(self.end).expect("truncate");
            self.file.sync_data().expect("sync");
        }
        self.number += 1;
        let path = name(&self.folder, self.number);
        let prepared = self.space.state().ready.take();
        (self.file, self.size) = match prepared {
            Some(file) => {
                fs::rename(&self.space.path, &path).expect("rename");
                (file, SEGMENT_SIZE)
            }
            None => {
                let file = open(&path);
                zero(&file, 0, SMALL_SPACE);
                (file, SMALL_SPACE)
            }
        };
        self.file.sync_data().expect("sync");
        sync_folder(&self.folder);
        self.end = 0;
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.space.state().stop = true;
        self.space.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Space {
    fn state(&self) -> std::sync::MutexGuard<'_, Spare> {
        self.state.lock().expect("no thread panicked")
    }

    fn want(&self) {
        let mut state = self.state();
        if !state.wanted && state.ready.is_none() {
            state.wanted = true;
            self.changed.notify_one();
        }
    }

    fn run(&self) {
        loop {
            let mut state = self.state();
            while !state.stop && !state.wanted {
                state = self.changed.wait(state).expect("no thread panicked");
            }
            if state.stop {
                return;
            }
            drop(state);
            let file = open(&self.path);
            zero(&file, 0, SEGMENT_SIZE);
            file.sync_data().expect("sync");
            let mut state = self.state();
            state.ready = Some(file);
            state.wanted = false;
        }
    }
}

fn name(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}"))
}

fn open(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    options.open(path).expect("open")
}

fn zero(file: &File, mut at: u64, end: u64) {
    let zeros = vec![0; 1024 * 1024];
    while at < end {
        let count = zeros.len().min((end - at) as usize);
        file.write_all_at(&zeros[..count], at).expect("write zeros");
        at += count as u64;
    }
}

fn sync_folder(folder: &Path) {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .expect("sync the folder");
}

const SEGMENT_SIZE: u64 = 64 * 1024 * 1024;
const SMALL_SPACE: u64 = 1024 * 1024;
