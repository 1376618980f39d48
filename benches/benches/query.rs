//! Queries beside SQLite with indexes, over the same events; making the index, and its size.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use indelible::query::{CountBy, Field, Order};
use indelible::{AuditLog, FileStore, LogReader, Query, Timestamp};
use indelible_benches::arguments::Arguments;
use indelible_benches::events::{Login, ORIGIN};
use indelible_benches::folder::Folder;
use indelible_benches::latency::Latencies;
use indelible_benches::ours;
use indelible_benches::table::{Table, Target, count, figure};
use rusqlite::{Connection, params};

fn main() {
    let arguments = Arguments::read();
    let mut table = Table::new(&["records", "what", "ours", "p99", "SQLite", "p99", "ratio", "target"]);
    let sizes: &[u64] = arguments.count(&[200_000][..], &[1_000_000, 10_000_000]);
    for records in sizes.iter().filter(|records| arguments.wants(&records.to_string())) {
        measure(*records, &mut table);
    }
    table.print("Queries (medians)");
}

fn measure(records: u64, table: &mut Table) {
    let folder = Folder::new("query");
    let log = ours::open(&folder, "ours");
    ours::fill(&log, records, |number| Login::new(number).event());
    ours::wait_for_indexes(&folder.join("ours"));
    ours::close(&log);
    let log = index(&folder, records, table);
    let reader = log.reader();
    let sqlite = fill_sqlite(&folder.join("sqlite"), &reader);
    let at = |part: u64| {
        let record = reader.record(records / 4 * part).expect("a record");
        record.recorded_at().expect("a time")
    };
    let (start, end) = (at(1), at(3));
    let row = |what: &str,
               rounds: u64,
               limit: f64,
               ours: &mut dyn FnMut(u64) -> usize,
               theirs: &mut dyn FnMut(u64) -> usize| {
        let (mut mine, mut others) = (Latencies::new(), Latencies::new());
        let mut found = 0;
        for number in 0..rounds {
            let began = Instant::now();
            let count = ours(number);
            mine.push(began.elapsed());
            let began = Instant::now();
            assert_eq!(theirs(number), count, "{what} {number}: the answers differ");
            others.push(began.elapsed());
            found += count;
        }
        let (ours, theirs) = (mine.quantile_micros(0.5), others.quantile_micros(0.5));
        let micros = |value: f64| format!("{value:.0} µs");
        [
            count(records as f64),
            format!("{what} ({:.0} found)", found as f64 / rounds as f64),
            micros(ours),
            micros(mine.quantile_micros(0.99)),
            micros(theirs),
            micros(others.quantile_micros(0.99)),
            format!("{:.2}", ours / theirs),
            figure(ours / 1000.0, "ms", Target::AtMost(limit)),
        ]
    };
    let login = |number: u64| Login::new(number.wrapping_mul(0x9E37_79B9) % records);
    let limit = if records > 1_000_000 { 2.0 } else { 0.3 };
    table.row(row(
        "an actor's failed logins in a time range",
        ROUNDS,
        limit,
        &mut |number| {
            let query = Query::new()
                .action("auth.login.failed")
                .actor_id(login(number).user)
                .since(start)
                .until(end);
            reader.query(&query).expect("an answer").found.len()
        },
        &mut |number| {
            let sql = "SELECT event FROM events WHERE actor_id = ?1 AND action = 'auth.login.failed' \
                       AND occurred_at >= ?2 AND occurred_at < ?3 ORDER BY seq DESC LIMIT 100";
            rows(
                &sqlite,
                sql,
                params![login(number).user, start.to_string(), end.to_string()],
            )
        },
    ));
    table.row(row(
        "the newest 100",
        ROUNDS,
        1.0,
        &mut |_| reader.query(&Query::new()).expect("an answer").found.len(),
        &mut |_| {
            rows(
                &sqlite,
                "SELECT event FROM events ORDER BY seq DESC LIMIT 100",
                params![],
            )
        },
    ));
    table.row(row(
        "100 from a time on",
        ROUNDS,
        1.0,
        &mut |number| {
            let query = Query::new().since(later(start, number)).order(Order::OldestFirst);
            reader.query(&query).expect("an answer").found.len()
        },
        &mut |number| {
            let sql = "SELECT event FROM events WHERE occurred_at >= ?1 ORDER BY occurred_at LIMIT 100";
            rows(&sqlite, sql, params![later(start, number).to_string()])
        },
    ));
    let by_action = CountBy::new().field(Field::EventType);
    table.row(row(
        "count by action over all",
        10,
        300.0,
        &mut |_| reader.count(&Query::new(), &by_action).expect("counted").groups.len(),
        &mut |_| {
            rows(
                &sqlite,
                "SELECT action, count(*) FROM events GROUP BY action",
                params![],
            )
        },
    ));
    scan(&folder, &reader, records, table);
}

/// Words anywhere, which no index helps with, beside ripgrep over the same lines.
fn scan(folder: &Folder, reader: &LogReader, records: u64, table: &mut Table) {
    let segments = folder.join("ours/segments");
    let rg = |word: &str, threads: &str| {
        let began = Instant::now();
        let output = Command::new("rg")
            .args([
                "--ignore-case",
                "--fixed-strings",
                "--count",
                "--no-filename",
                "--text",
                "--threads",
                threads,
                word,
            ])
            .arg(&segments)
            .output()
            .ok()?;
        let lines: usize = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.parse::<usize>().ok())
            .sum();
        Some((began.elapsed(), lines))
    };
    if rg("nobody", "1").is_none() {
        eprintln!("ripgrep is not installed: scans are not measured");
        return;
    }
    let user = Login::new(records / 2).user;
    for word in ["zanzibar", &user] {
        let query = Query::new().words(word);
        let (mut mine, mut one, mut all) = (Latencies::new(), Latencies::new(), Latencies::new());
        for _ in 0..5 {
            let began = Instant::now();
            let found = reader.count(&query, &CountBy::new()).expect("counted").total;
            mine.push(began.elapsed());
            let Some((time, lines)) = rg(word, "1") else { return };
            one.push(time);
            assert_eq!(u64::try_from(lines).ok(), Some(found), "{word}");
            let Some((time, _)) = rg(word, "0") else { return };
            all.push(time);
        }
        let millis = |latencies: &mut Latencies| latencies.quantile_micros(0.5) / 1000.0;
        let (ours, one, all) = (millis(&mut mine), millis(&mut one), millis(&mut all));
        table.row([
            count(records as f64),
            format!("scan for {word:?}; ripgrep on one core {one:.0} ms"),
            format!("{ours:.0} ms"),
            String::new(),
            format!("{all:.0} ms"),
            String::new(),
            format!("{:.2}", ours / all),
            figure(ours / all, "", Target::AtMost(1.0)),
        ]);
    }
}

/// Makes all indexes anew.
fn index(folder: &Folder, records: u64, table: &mut Table) -> AuditLog {
    let path = folder.join("ours");
    fs::remove_dir_all(path.join("index")).expect("remove the indexes");
    let began = Instant::now();
    let builder = AuditLog::builder(ORIGIN).key_file(folder.join("ours.key"));
    let log = builder.open(FileStore::new(&path)).expect("open");
    let made = ours::wait_for_indexes(&path);
    let seconds = began.elapsed().as_secs_f64();
    let (index_bytes, segment_bytes) = (bytes_in(&path.join("index")), bytes_in(&path.join("segments")));
    let (made, all) = (
        made as f64,
        fs::read_dir(path.join("segments")).expect("segments").count() as f64,
    );
    let rate = records as f64 * made / all / seconds;
    table.row([
        count(records as f64),
        "indexing, a second".into(),
        count(rate),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        figure(rate, "", Target::AtLeast(300_000.0)),
    ]);
    let part = 100.0 * index_bytes * all / made / segment_bytes;
    table.row([
        count(records as f64),
        "the index, of the segments' bytes".into(),
        format!("{part:.1} %"),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        figure(part, "%", Target::AtMost(6.0)),
    ]);
    // That of the last segment is in memory soon.
    std::thread::sleep(Duration::from_secs(2));
    log
}

fn bytes_in(folder: &Path) -> f64 {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| entry.metadata().expect("its size").len() as f64)
        .sum()
}

fn fill_sqlite(path: &Path, reader: &LogReader) -> Connection {
    let mut connection = Connection::open(path).expect("open a database");
    let tables =
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, occurred_at TEXT, action TEXT, actor_id TEXT, event TEXT)";
    connection.execute(tables, []).expect("create the table");
    let transaction = connection.transaction().expect("begin");
    {
        let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = transaction.prepare(sql).expect("prepare");
        for record in reader.records(..).expect("records") {
            let record = record.expect("a record");
            let event = record.event().expect("an event").expect("not erased");
            let fields = event.fields();
            let occurred_at = fields.occurred_at.map(|time| time.to_string());
            let actor = fields.actor.as_ref().map(|actor| actor.id.clone());
            let row = params![record.seq(), occurred_at, fields.action.as_str(), actor, record.line()];
            insert.execute(row).expect("insert");
        }
    }
    transaction.commit().expect("commit");
    for columns in ["actor_id, occurred_at", "action, occurred_at", "occurred_at"] {
        let name = columns.replace(", ", "_");
        connection
            .execute(&format!("CREATE INDEX by_{name} ON events ({columns})"), [])
            .expect("create an index");
    }
    connection.execute("ANALYZE", []).expect("analyze");
    connection
}

fn rows(connection: &Connection, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> usize {
    let mut statement = connection.prepare_cached(sql).expect("prepare");
    let rows = statement
        .query_map(parameters, |row| row.get::<_, String>(0))
        .expect("query");
    rows.map(|row| row.expect("a row")).count()
}

fn later(time: Timestamp, number: u64) -> Timestamp {
    Timestamp::from_unix_micros(time.unix_micros() + i64::try_from(number).expect("few")).expect("a time")
}

/// How often each query is asked, with other values.
const ROUNDS: u64 = 300;
