//! `indelible verify`.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::Args;
use indelible::checkpoint::CheckpointError;
use indelible::note::VerifierKeyError;
use indelible::verify::Progress;
use indelible::{SignedCheckpoint, Verifier, VerifierKey};
use indicatif::{ProgressBar, ProgressStyle};

use crate::FOUND;
use crate::failure::{Failure, read_text};
use crate::opening;
use crate::output::Output;

/// Verify a log: every hash, link, signature and announcement
///
/// The vkey is to come from outside the log, from its owner. That the end was not cut off, or the whole rewritten by
/// who holds the key, shows only against an earlier checkpoint that was kept elsewhere: give it with --checkpoint.
///
/// Exit status 0: sound. 1: there are findings, printed with the most important one first. 2: it could not be checked.
/// A log may be verified while it is written.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  indelible verify audit --vkey \"$(cat audit.vkey)\"
  indelible verify audit --vkey \"$(cat audit.vkey)\" --checkpoint /mnt/elsewhere/audit.checkpoint --json")]
pub(crate) struct Verify {
    /// The log directory
    dir: PathBuf,

    /// The vkey of the log; more than one where the key was rotated and any may be the one to start from
    #[arg(long, required = true)]
    vkey: Vec<String>,

    /// A file with a checkpoint that was kept elsewhere: the log must contain all that it covers
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,

    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Verify, output: &mut Output) -> Result<ExitCode, Failure> {
    opening::reader(&arguments.dir)?;
    let mut verifier = verifier(&vkeys(&arguments.vkey)?)?;
    if let Some(path) = &arguments.checkpoint {
        verifier = verifier.trusted(read_checkpoint(path)?);
    }
    if stderr().is_terminal() {
        let bar = Bar::default();
        verifier = verifier.progress(move |progress| bar.show(progress));
    }
    let report = verifier.verify_dir(&arguments.dir);
    drop(verifier);
    let report = report?;
    match arguments.json {
        true => output.line(format_args!("{}", report.to_json())),
        false => output.text(&report.to_string()),
    }
    Ok(match report.is_sound() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FOUND),
    })
}

/// Reads vkeys. What is none is not repeated: it may be a private key, given by mistake.
pub(crate) fn vkeys(texts: &[String]) -> Result<Vec<VerifierKey>, Failure> {
    let read = |text: &String| {
        text.parse()
            .map_err(|error: VerifierKeyError| Failure::new(format!("--vkey: {error}")))
    };
    texts.iter().map(read).collect()
}

pub(crate) fn verifier(vkeys: &[VerifierKey]) -> Result<Verifier, Failure> {
    let (first, others) = vkeys.split_first().ok_or_else(|| Failure::new("no --vkey was given"))?;
    let verifier = Verifier::new(first.clone());
    Ok(others.iter().cloned().fold(verifier, Verifier::vkey))
}

fn read_checkpoint(path: &Path) -> Result<SignedCheckpoint, Failure> {
    let text = read_text(path, opening::CHECKPOINT_BYTES_MAX)?;
    // What copies one out of the JSON that a sink delivers may end it with one more line.
    let note = format!("{}\n", text.trim_end_matches('\n'));
    note.parse()
        .map_err(|error: CheckpointError| Failure::at(path, format!("not a checkpoint: {error}")))
}

/// Progress on a terminal, for a log that takes a while. It is wiped away at the end.
#[derive(Default)]
struct Bar {
    bar: OnceLock<ProgressBar>,
}

impl Bar {
    fn show(&self, progress: Progress) {
        let Some(total) = progress.records_total.filter(|total| *total >= SHOWN_FROM) else {
            return;
        };
        let bar = self.bar.get_or_init(|| {
            let style = ProgressStyle::with_template("{bar:40} {percent}% of {len} records, {eta} left");
            let bar = ProgressBar::new(total);
            style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
        });
        bar.set_position(progress.records);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

/// So many records are a large log.
const SHOWN_FROM: u64 = 20_000;
