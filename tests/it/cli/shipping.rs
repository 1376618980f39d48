//! `ship` and `check-config`.

use super::*;

const CONFIG: &str = "origin = 'auth.example.com/audit'\npath = 'audit'\nkey_file = 'audit.key'\n\
                      [[sinks]]\nname = 'copy'\ntype = 'file'\npath = 'copy.jsonl'\n";

#[test]
fn a_configuration_is_checked() {
    let folder = Folder::new();
    folder.write("audit.toml", CONFIG);
    assert_eq!(folder.good(&["check-config", "audit.toml"]), "audit.toml is sound\n");
    folder.write("wrong.toml", CONFIG.replace("copy.jsonl'", "copy.jsonl'\npth = 1"));
    let said = folder.bad(1, &["check-config", "wrong.toml"]);
    assert_eq!(
        said,
        "indelible: wrong.toml: line 8: sinks[0].pth: there is no such key here\n"
    );
    folder.bad(2, &["check-config", "none.toml"]);
    folder.bad(2, &["ship", "--config", "wrong.toml"]);
}

#[test]
fn a_log_is_shipped_until_the_process_is_told_to_end() {
    let folder = Folder::new();
    folder.write("audit.toml", CONFIG);
    folder.append_good(logins(0..20));
    let mut ship = folder
        .command(&["ship", "audit", "--config", "audit.toml"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(ship.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "indelible: delivering to copy\n");
    folder.append_good(logins(20..40));
    let records = || {
        folder
            .read("copy.jsonl")
            .lines()
            .filter(|line| line.contains("\"hash\""))
            .count()
    };
    let began = std::time::Instant::now();
    while records() < 45 && began.elapsed() < std::time::Duration::from_secs(20) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = ship.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(ship.wait().unwrap().code(), Some(0));
    assert_eq!(records(), 45);
}

#[test]
fn a_sink_has_standard_output_for_itself() {
    let folder = Folder::new();
    folder.write(
        "audit.toml",
        CONFIG.replace("type = 'file'\npath = 'copy.jsonl'", "type = 'stdout'"),
    );
    let mut ship = folder
        .command(&["ship", "--config", "audit.toml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(ship.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert_eq!(said.next().unwrap(), "indelible: there is no log yet: it is waited for");
    folder.append_good(logins(0..20));
    let lines = BufReader::new(ship.stdout.take().unwrap()).lines();
    let records: Vec<Value> = lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .take(20)
        .collect();
    assert!(records.iter().any(|record| record["seq"] == 10), "{records:?}");
    ship.kill().unwrap();
    ship.wait().unwrap();
}
