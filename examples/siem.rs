//! An authentication service whose events go to two targets, a syslog receiver and a webhook, both of which this program
//! starts itself: what arrives and after how many milliseconds, what an outage does, and what one event copied out of a
//! target proves.
//!
//! `cargo run --example siem --features syslog,webhook`

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName};
use indelible::proof::DeliveredRecord;
use indelible::sink::{Feed, Syslog, Webhook};
use indelible::{Actor, AuditLog, Change, Event, FileStore, Query, Receipt, Target, Verifier, action};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::Builder::new().prefix("indelible-").tempdir()?;
    let (arrived, arrivals) = channel();
    let syslog = receive("syslog", "127.0.0.1:0".parse()?, arrived.clone(), read_syslog)?;
    let webhook = receive("webhook", "127.0.0.1:0".parse()?, arrived.clone(), read_request)?;

    heading("A log that delivers to two targets");
    // In earnest: Syslog::tls("siem.example.com", 6514), and an https URL with a secret that is not in the code.
    let log = AuditLog::builder("auth.example.com/audit")
        .key_file(folder.path().join("audit.key"))
        .sink(Feed::new("syslog", Syslog::tcp("127.0.0.1", syslog.port()).app_name("auth")).without_checkpoints())
        .sink(
            // Only what went wrong, without what identifies people, each event with its proof.
            Feed::new(
                "alerts",
                Webhook::new(format!("http://{webhook}/alerts"), SECRET).allow_private_addresses(),
            )
            .filter(Query::parse("outcome=failure,denied")?)
            .without_personal_data()
            .without_checkpoints()
            .with_proofs(),
        )
        .open(FileStore::new(folder.path().join("audit")))?;
    println!("syslog to {syslog}, everything; alerts to http://{webhook}/alerts, what failed");
    let mut recorded = HashMap::new();
    // The log's own first two records.
    expect(&arrivals, &recorded, 2);

    heading("Each event is on disk when its receipt comes back, and at its targets soon after");
    for event in events() {
        let what = event.fields().action.to_string();
        let targets = if what.contains("failed") { 2 } else { 1 };
        let receipt = append(&log, event, &mut recorded)?;
        println!("seq {:>2}  {what}", receipt.seq);
        expect(&arrivals, &recorded, targets);
    }

    heading("A target is down: nothing is lost, nobody else waits, and it comes afterwards");
    log.add_sink(Feed::new("late", Syslog::tcp("127.0.0.1", free_port()?)).from_now_on())?;
    let late = append(
        &log,
        login(action::AUTH_LOGIN_SUCCEEDED, Actor::user("usr_carol")),
        &mut recorded,
    )?;
    expect(&arrivals, &recorded, 1);
    sleep(Duration::from_millis(300));
    for sink in log.state().sinks {
        let problem = sink.last_error.map(|problem| problem.to_string());
        let (name, lag, retries) = (sink.name, sink.lag_records, sink.retries);
        println!(
            "{name:<7} {lag} behind, {retries} retries  {}",
            problem.unwrap_or_default()
        );
    }
    println!("seq {:>2} is on disk all the same, and waits for it there", late.seq);
    log.remove_sink("late", Duration::from_secs(1))?;

    heading("One event, copied out of the webhook's receiver, verifies with nothing but the vkey");
    let receipt = append(
        &log,
        login(action::AUTH_LOGIN_FAILED, Actor::anonymous()),
        &mut recorded,
    )?;
    let copied = expect(&arrivals, &recorded, 2)
        .remove("webhook")
        .ok_or("it has arrived")?;
    let delivered = DeliveredRecord::from_json(copied.as_bytes())?;
    let proof = delivered.proof().ok_or("it has a proof")?;
    let checkpoint = Verifier::new(log.vkey()).verify_record(delivered.record(), proof)?;
    assert_eq!(delivered.record().hash(), receipt.hash);
    println!(
        "seq {} is record {} of the {} under the log's checkpoint",
        receipt.seq,
        receipt.seq,
        checkpoint.size()
    );
    let forged = copied
        .replace("203.0.113.66", "203.0.113.67")
        .replace("\"failure\"", "\"success\"");
    println!(
        "changed: {}",
        DeliveredRecord::from_json(forged.as_bytes())
            .err()
            .ok_or("it is found out")?
    );

    log.flush_sinks(Duration::from_secs(5))?;
    log.close(Duration::from_secs(5))?;
    Ok(())
}

/// What a receiver has got.
struct Arrival {
    at: Instant,
    target: &'static str,
    text: String,
}

/// When each record was acknowledged, by its `seq`.
type Recorded = HashMap<u64, Instant>;

fn append(log: &AuditLog, event: Event, recorded: &mut Recorded) -> Result<Receipt, indelible::Error> {
    let receipt = log.append(event)?;
    recorded.insert(receipt.seq, Instant::now());
    Ok(receipt)
}

/// Waits for so many arrivals, prints each with how long it took since its acknowledgement, and gives the texts by target.
fn expect(arrivals: &Receiver<Arrival>, recorded: &Recorded, count: usize) -> HashMap<&'static str, String> {
    let mut texts = HashMap::new();
    for _ in 0..count {
        let Ok(Arrival { at, target, text }) = arrivals.recv_timeout(Duration::from_secs(10)) else {
            panic!("nothing has arrived for ten seconds");
        };
        let seq = DeliveredRecord::from_json(text.as_bytes()).map(|delivered| delivered.record().seq());
        let seq = seq.unwrap_or_else(|error| panic!("{error}: {text}"));
        let took = recorded
            .get(&seq)
            .map(|acknowledged| at.saturating_duration_since(*acknowledged));
        let took = took.map_or("".into(), |took| format!("{:.2} ms", took.as_secs_f64() * 1e3));
        println!("        {target:<8} {took:>9}  {:.100}…", text);
        texts.insert(target, text);
    }
    texts
}

/// A receiver on a port of its own.
fn receive(
    target: &'static str,
    address: SocketAddr,
    arrived: Sender<Arrival>,
    read: fn(&mut BufReader<TcpStream>) -> std::io::Result<String>,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let arrived = arrived.clone();
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while let Ok(text) = read(&mut stream) {
                    let at = Instant::now();
                    let _ = arrived.send(Arrival { at, target, text });
                }
            });
        }
    });
    Ok(address)
}

/// The text of a syslog message: `LENGTH SP <PRI>1 TIME HOST APP PROCID MSGID [DATA] TEXT` (RFC 6587, RFC 5424).
fn read_syslog(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut length = Vec::new();
    stream.read_until(b' ', &mut length)?;
    let length = String::from_utf8_lossy(&length).trim().parse();
    let mut message = vec![0; length.map_err(std::io::Error::other)?];
    stream.read_exact(&mut message)?;
    let message = String::from_utf8(message).map_err(std::io::Error::other)?;
    let text = message.split_once("] ").map(|(_, text)| text.to_owned());
    text.ok_or_else(|| std::io::Error::other("no structured data"))
}

/// The body of a request, which is answered once its signature is verified by a library of Standard Webhooks.
fn read_request(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut length, mut headers) = (0, HeaderMap::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(std::io::Error::other)?;
            }
            Some((name, value)) => {
                let name: HeaderName = name.parse().map_err(std::io::Error::other)?;
                headers.insert(name, value.parse().map_err(std::io::Error::other)?);
            }
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let verified = standardwebhooks::Webhook::new(SECRET).and_then(|webhook| webhook.verify(&body, &headers));
    verified.map_err(std::io::Error::other)?;
    stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    String::from_utf8(body).map_err(std::io::Error::other)
}

/// A port at which nobody listens.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn login(action: indelible::Action, actor: Actor) -> Event {
    Event::new(action)
        .actor(actor)
        .target(Target::new("application", "app_dashboard"))
        .tenant("org_acme")
        .ip(Ipv4Addr::new(203, 0, 113, 66))
}

fn events() -> Vec<Event> {
    vec![
        login(
            action::AUTH_LOGIN_SUCCEEDED,
            Actor::user("usr_alice").email("alice@example.com"),
        ),
        login(action::AUTH_LOGIN_FAILED, Actor::anonymous()).reason("invalid_credentials"),
        Event::new(action::CONFIG_UPDATED)
            .actor(Actor::admin("usr_bob").email("bob@example.com"))
            .target(Target::new("organization", "org_acme"))
            .change(Change::new("mfa.required", false, true)),
    ]
}

fn heading(text: &str) {
    println!("\n{text}\n");
}

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
