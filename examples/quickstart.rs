//! The first hour of an authentication service, on real files: logins, an administrator's change, reading back, verification, and what one changed byte does.
//!
//! `cargo run --example quickstart`, or with a folder of your own: `cargo run --example quickstart -- /tmp/somewhere`

use std::error::Error;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indelible::event::{Auth, EventError, Json};
use indelible::{Actor, AuditLog, Change, Event, FileStore, Record, Target, Verifier, action};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => tempfile::Builder::new().prefix("indelible-").tempdir()?.keep(),
    };
    fs::create_dir_all(&folder)?;
    let (audit, key) = (folder.join("audit"), folder.join("audit.key"));

    heading("A log in a folder");
    let log = AuditLog::builder("auth.example.com/audit")
        .key_file(&key)
        .source("auth-service/1.4.2")
        .open(FileStore::new(&audit))?;
    println!("log   {}", audit.display());
    println!("key   {}", key.display());
    println!("vkey  {}  (publish it: with it anyone can check the log)", log.vkey());

    heading("The first hour: each event is on disk, chained and signed when its receipt comes back");
    let first = log.state().size;
    for event in events() {
        let (what, began) = (event.fields().action.clone(), Instant::now());
        let receipt = log.append(event)?;
        let (seq, hash) = (receipt.seq, receipt.hash.to_string());
        println!("seq {seq:>2}  {what:<32} {}…  {:>6.0?}", &hash[..12], began.elapsed());
    }

    heading("Read back");
    for record in log.reader().records(first..)? {
        print(&record?)?;
    }

    heading("Verified, with nothing but the folder and the vkey");
    let vkey = log.vkey();
    let checkpoint = log.checkpoint()?;
    log.close(Duration::from_secs(5))?;
    print!(
        "{}",
        Verifier::new(vkey.clone()).trusted(checkpoint).verify_dir(&audit)?
    );

    heading("An intruder hides an address: one byte is changed in a copy");
    let copy = folder.join("audit-changed");
    let file = change_a_byte(&audit, &copy)?;
    println!("203.0.113.66 is now 203.0.113.67 in {}", file.display());
    let report = Verifier::new(vkey).verify_dir(&copy)?;
    print!("{report}");
    assert!(!report.is_sound());

    println!("\nThe files are yours to look at: {}", folder.display());
    Ok(())
}

/// What happens in the first hour.
fn events() -> Vec<Event> {
    let alice = || {
        Actor::user("usr_alice")
            .name("Alice Example")
            .email("alice@example.com")
    };
    let intruder = Ipv4Addr::new(203, 0, 113, 66);
    let login = |action, actor, ip: Ipv4Addr| {
        Event::new(action)
            .actor(actor)
            .target(Target::new("application", "app_dashboard"))
            .tenant("org_acme")
            .ip(ip)
    };
    let mut events = vec![
        login(action::AUTH_LOGIN_SUCCEEDED, alice(), Ipv4Addr::new(198, 51, 100, 7))
            .session("ses_1")
            .auth(Auth::new().method("password").mfa(true).factor("totp")),
    ];
    // Who fails to log in is not known: what was typed in may be a password, and is not recorded.
    events.extend((0..3).map(|_| {
        login(action::AUTH_LOGIN_FAILED, Actor::anonymous(), intruder)
            .target(Target::user("usr_alice"))
            .reason("invalid_credentials")
    }));
    events.push(
        login(
            action::SECURITY_BRUTE_FORCE_DETECTED,
            Actor::system("login-guard"),
            intruder,
        )
        .target(Target::user("usr_alice"))
        .metadata("attempts", 3),
    );
    events.push(
        Event::new(action::CONFIG_UPDATED)
            .actor(Actor::admin("usr_bob").email("bob@example.com"))
            .target(Target::new("organization", "org_acme"))
            .tenant("org_acme")
            .ip(Ipv4Addr::new(198, 51, 100, 9))
            .change(Change::new("mfa.required", false, true))
            .change(Change::new("session.lifetime_minutes", 480, 60))
            .change(Change::new("smtp.password", "hunter2", "correct horse")),
    );
    events
}

/// Prints a record for people.
fn print(record: &Record) -> Result<(), EventError> {
    let (Some(time), Some(event)) = (record.recorded_at(), record.event()?) else {
        return Ok(());
    };
    let fields = event.fields();
    let who = fields.actor.as_ref().map_or("nobody", |actor| &actor.id);
    let (seq, action, outcome) = (record.seq(), &fields.action, fields.outcome);
    println!("seq {seq:>2}  {time}  {action} ({outcome}) by {who}");
    for change in &fields.changes {
        let [old, new] = [&change.old, &change.new].map(|value| value.as_ref().map_or("-", Json::as_str));
        println!("        {}: {old} → {new}", change.field);
    }
    Ok(())
}

/// Copies the log's first segment and changes one byte in the copy. Gives the file.
fn change_a_byte(audit: &Path, copy: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let segment = Path::new("segments").join("00000000000000000000.jsonl");
    let content = fs::read_to_string(audit.join(&segment))?;
    fs::create_dir_all(copy.join("segments"))?;
    fs::write(copy.join(&segment), content.replacen("203.0.113.66", "203.0.113.67", 1))?;
    Ok(copy.join(segment))
}

fn heading(text: &str) {
    println!("\n{text}\n");
}
