//! The command line `indelible`: write an audit log, read it, and check it.
//!
//! Exit status 0 means that all went well, 1 that a check found something, 2 that a command could not be carried out. A
//! closed pipe is not an error.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod append;
mod cat;
mod check_config;
mod check_event;
mod check_proof;
mod checkpoint;
mod compress;
mod count;
mod erase;
mod export;
mod failure;
mod hold;
mod keygen;
mod opening;
mod output;
mod plain;
mod prove;
mod publish;
mod query;
mod retention;
mod rotate_key;
mod rows;
mod ship;
mod table;
mod tail;
mod values;
mod verify;
mod verify_export;
mod vkey;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use failure::{Failure, complain};
use output::Output;

/// A tamper-evident audit log: write it, read it, check it.
#[derive(Debug, Parser)]
#[command(name = "indelible", version, disable_help_subcommand = true, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keygen(keygen::Keygen),
    Vkey(vkey::Vkey),
    Append(append::Append),
    Verify(verify::Verify),
    Checkpoint(checkpoint::Checkpoint),
    Cat(cat::Cat),
    Query(query::Query),
    Count(count::Count),
    Tail(tail::Tail),
    Prove(prove::Prove),
    CheckProof(check_proof::CheckProof),
    CheckEvent(check_event::CheckEvent),
    CheckConfig(check_config::CheckConfig),
    Ship(ship::Ship),
    RotateKey(rotate_key::RotateKey),
    Compress(compress::Compress),
    Erase(Box<erase::Erase>),
    Export(Box<export::Export>),
    VerifyExport(verify_export::VerifyExport),
    Publish(publish::Publish),
    Retention(retention::Apply),
    Hold(hold::Hold),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return answer_usage(&error),
    };
    let mut output = Output::new();
    let done = run(arguments.command, &mut output);
    // What was printed before a failure is handed on first, and a failure to print counts only where nothing else
    // failed.
    let printed = output.finish();
    match done.and_then(|code| printed.map(|()| code)) {
        Ok(code) => code,
        Err(failure) => {
            complain(&failure);
            ExitCode::from(FAILED)
        }
    }
}

fn run(command: Command, output: &mut Output) -> Result<ExitCode, Failure> {
    match command {
        Command::Keygen(arguments) => keygen::run(&arguments, output),
        Command::Vkey(arguments) => vkey::run(&arguments, output),
        Command::Append(arguments) => append::run(&arguments, output),
        Command::Verify(arguments) => verify::run(&arguments, output),
        Command::Checkpoint(arguments) => checkpoint::run(&arguments, output),
        Command::Cat(arguments) => cat::run(&arguments, output),
        Command::Query(arguments) => query::run(&arguments, output),
        Command::Count(arguments) => count::run(&arguments, output),
        Command::Tail(arguments) => tail::run(&arguments, output),
        Command::Prove(arguments) => prove::run(&arguments, output),
        Command::CheckProof(arguments) => check_proof::run(&arguments, output),
        Command::CheckEvent(arguments) => check_event::run(&arguments, output),
        Command::CheckConfig(arguments) => check_config::run(&arguments, output),
        Command::Ship(arguments) => ship::run(&arguments),
        Command::RotateKey(arguments) => rotate_key::run(&arguments, output),
        Command::Compress(arguments) => compress::run(&arguments, output),
        Command::Erase(arguments) => erase::run(&arguments, output),
        Command::Export(arguments) => export::run(&arguments, output),
        Command::VerifyExport(arguments) => verify_export::run(&arguments, output),
        Command::Publish(arguments) => publish::run(&arguments, output),
        Command::Retention(arguments) => retention::run(&arguments, output),
        Command::Hold(arguments) => hold::run(&arguments, output),
    }
}

/// Help and the version, which were asked for, or what is wrong with the arguments.
fn answer_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return ExitCode::from(FAILED);
    }
    let text = error.to_string();
    if text.contains(PRIVATE) {
        complain("a private key was given as an argument, which nothing takes; it is not repeated here");
        return ExitCode::from(FAILED);
    }
    complain(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    ExitCode::from(FAILED)
}

/// A check found something.
const FOUND: u8 = 1;

/// A command could not be carried out.
const FAILED: u8 = 2;

/// What a private key begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

const AFTER_HELP: &str = "\
Exit status: 0 all went well, 1 a check found something, 2 the command could not be carried out.

Example:
  indelible keygen audit.key --origin auth.example.com/audit
  indelible append audit --key audit.key events.jsonl
  indelible verify audit --vkey \"$(indelible vkey audit.key)\"";
