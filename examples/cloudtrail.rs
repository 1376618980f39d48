//! Real records of AWS CloudTrail through the log: one after the other, each durable before the next, and then submitted without waiting. Both logs are verified.
//!
//! `cargo run --release --example cloudtrail`, or with another file of events, one JSON object a line: `… --example cloudtrail -- events.jsonl`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indelible::{AuditLog, Event, FileStore, Receipt, Ticket, Verifier};

fn main() -> Result<(), Box<dyn Error>> {
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let file = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/cloudtrail.jsonl"));
    let text = fs::read_to_string(&file)?;
    println!(
        "{} events, {} bytes of JSON: {}",
        text.lines().count(),
        text.len(),
        file.display()
    );

    run("each waits for its receipt", &text, |log, events| {
        events.map(|event| log.append(event?).map_err(Into::into)).collect()
    })?;
    run("submitted, durable in the end", &text, |log, events| {
        let submit = |event: Result<Event, Box<dyn Error>>| Ok::<_, Box<dyn Error>>(log.submit(event?)?);
        let tickets: Vec<Ticket> = events.map(submit).collect::<Result<_, _>>()?;
        tickets.into_iter().map(|ticket| Ok(ticket.wait()?)).collect()
    })
}

type Events<'a> = &'a mut dyn Iterator<Item = Result<Event, Box<dyn Error>>>;

/// Records all events in a new log, tells time and rate, and verifies the log.
fn run(
    how: &str,
    text: &str,
    record: impl Fn(&AuditLog, Events<'_>) -> Result<Vec<Receipt>, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let audit = folder.path().join("audit");
    let log = AuditLog::builder("cloudtrail.example.com/audit")
        .key_file(folder.path().join("audit.key"))
        .open(FileStore::new(&audit))?;
    let lines = text.lines().enumerate();
    let mut events = lines.map(|(index, line)| {
        Event::from_json(line.as_bytes()).map_err(|error| format!("line {}: {error}", index + 1).into())
    });

    let began = Instant::now();
    let receipts = record(&log, &mut events)?;
    let took = began.elapsed();
    let state = log.state();
    println!("\n{how}:");
    rate("recorded", receipts.len(), took);
    println!("  {} commits, {} bytes", state.commits, state.bytes);

    let (vkey, checkpoint) = (log.vkey(), log.checkpoint()?);
    log.close(Duration::from_secs(10))?;
    let began = Instant::now();
    let report = Verifier::new(vkey).trusted(checkpoint).verify_dir(&audit)?;
    rate("verified", usize::try_from(report.records)?, began.elapsed());
    for line in report.to_string().lines() {
        println!("  {line}");
    }
    if report.is_sound() {
        Ok(())
    } else {
        Err("the log is not sound".into())
    }
}

fn rate(what: &str, count: usize, took: Duration) {
    println!(
        "  {what} {count} in {took:.1?}: {:.0} per second",
        count as f64 / took.as_secs_f64()
    );
}
