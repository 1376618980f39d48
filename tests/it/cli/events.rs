//! `check-event`.

use super::*;

/// A log of 20 logins, and record 7 as a sink delivers it with its proof.
fn delivered() -> (Folder, Value) {
    let folder = Folder::new();
    folder.append_good(logins(0..20));
    let segment = folder.read("audit/segments/00000000000000000000.jsonl");
    let line = segment.lines().find(|line| line.ends_with("\"seq\":7}")).unwrap();
    let mut event: Value = serde_json::from_str(line).unwrap();
    event["hash"] = indelible::Record::from_line(line.as_bytes())
        .unwrap()
        .hash()
        .to_string()
        .into();
    event["proof"] = folder.good(&["prove", "audit", "7"]).into();
    (folder, event)
}

/// The same JSON with other spaces, escapes and keys in another order, numbers as a printer of doubles writes them.
fn printed_anew(event: &Value) -> String {
    let mut text = serde_json::to_string_pretty(event)
        .unwrap()
        .replace("usr", "\\u0075\\u0073r");
    text = text.replace("\"seq\": 7", "\"seq\": 7.0");
    text
}

#[test]
fn an_event_is_checked_in_whatever_a_siem_makes_of_it() {
    let (folder, event) = delivered();
    let vkey = folder.vkey();
    let splunk = serde_json::json!({"preview": false, "result": {"_raw": event.to_string(), "_time": "2026-01-01"}});
    let datadog = serde_json::json!({"id": "x", "attributes": {"attributes": event, "tags": ["a"]}});
    let envelope = serde_json::json!({"time": 1.5, "event": event, "fields": {"seq": 7}});
    let list = serde_json::json!([1, "{not json", event]);
    let mut more = event.clone();
    more["_index"] = "main".into();
    for text in [
        event.to_string(),
        printed_anew(&event),
        splunk.to_string(),
        datadog.to_string(),
        envelope.to_string(),
        list.to_string(),
        more.to_string(),
    ] {
        folder.write("event", &text);
        let said = folder.good(&["check-event", "event", "--vkey", &vkey]);
        assert!(said.contains("record 7 is in the log auth.example.com/audit"), "{said}");
    }
    folder.write("events", format!("{event}\n\n{splunk}\n"));
    let said = folder.good(&["check-event", "events", "--vkey", &vkey]);
    assert_eq!(said.lines().count(), 2);
}

#[test]
fn a_changed_event_is_found_out() {
    let (folder, event) = delivered();
    let vkey = folder.vkey();
    let whole = event.to_string();
    for (from, to) in [
        ("usr_5", "usr_6"),
        ("\"seq\":7", "\"seq\":8"),
        ("index 7", "index 8"),
        ("203.0.113.7", "203.0.113.8"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        folder.write("event", &changed);
        folder.bad(1, &["check-event", "event", "--vkey", &vkey]);
    }
    // Also without the hash beside it, and by a line's number where there are several.
    let mut bare = event.clone();
    bare.as_object_mut().unwrap().remove("hash");
    bare["event"]["actor"]["id"] = "usr_mallory".into();
    folder.write("events", format!("{whole}\n{bare}\n"));
    let said = folder.bad(1, &["check-event", "events", "--vkey", &vkey]);
    assert!(said.contains("events line 2: record 7"), "{said}");
}

#[test]
fn each_event_of_a_list_is_checked() {
    let (folder, event) = delivered();
    let vkey = folder.vkey();
    let mut forged = event.clone();
    forged["event"]["actor"]["id"] = "usr_mallory".into();
    let elastic = |source: &Value| serde_json::json!({"_index": "audit", "_source": source});
    let lists = |second: &Value| {
        [
            serde_json::json!([event, second]),
            serde_json::json!([event.to_string(), second.to_string()]),
            serde_json::json!({"took": 1, "hits": {"hits": [elastic(&event), elastic(second)]}}),
            serde_json::json!([[event], [1, {"data": [second]}]]),
        ]
    };
    for (whole, changed) in lists(&event).into_iter().zip(lists(&forged)) {
        folder.write("events", whole.to_string());
        let said = folder.good(&["check-event", "events", "--vkey", &vkey]);
        assert_eq!(said.lines().count(), 2, "{said}");
        for text in [changed.to_string(), format!("{event}\n{changed}\n")] {
            folder.write("events", text);
            let said = folder.bad(1, &["check-event", "events", "--vkey", &vkey]);
            assert!(said.contains("was changed"), "{said}");
        }
    }
    // The library says of a list that it is no record.
    let list = serde_json::json!([event, forged]).to_string();
    let several = indelible::proof::DeliveredRecord::from_json(list.as_bytes()).expect_err("two");
    assert_eq!(several, indelible::proof::DeliveredError::Several);
}

#[test]
fn each_event_of_an_object_is_checked_and_each_checkpoint_between_them() {
    let (folder, event) = delivered();
    let vkey = folder.vkey();
    let mut forged = event.clone();
    forged["event"]["actor"]["id"] = "usr_mallory".into();
    let note = folder.good(&["checkpoint", "audit"]);
    let checkpoint = serde_json::json!({"checkpoint": note});
    let altered = serde_json::json!({"checkpoint": note.replacen("\n2", "\n1", 1)});
    for (first, second, problem) in [
        (&event, &forged, "was changed"),
        (&forged, &event, "was changed"),
        (&event, &altered, "a checkpoint: "),
        (&altered, &event, "a checkpoint: "),
        (&checkpoint, &altered, "a checkpoint: "),
    ] {
        let mut beside = first.clone();
        beside["more"] = second.clone();
        for text in [
            serde_json::json!({"a": first, "b": second}),
            serde_json::json!({"a": first.to_string(), "z": {"b": [second.to_string()]}}),
            serde_json::json!([first, second]),
            beside,
        ] {
            folder.write("events", text.to_string());
            let said = folder.bad(1, &["check-event", "events", "--vkey", &vkey]);
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.contains(problem), "{said}");
        }
    }
    // An event as it came, beside what was read in it, is one, also where that has lost the proof.
    let mut unproven = event.clone();
    unproven.as_object_mut().unwrap().remove("proof");
    let mut beside = event.clone();
    beside["message"] = event.to_string().into();
    for copies in [
        serde_json::json!({"_raw": event.to_string(), "parsed": unproven}),
        serde_json::json!({"a": unproven, "message": event.to_string()}),
        beside,
    ] {
        let text = copies.to_string();
        folder.write("event", &text);
        let said = folder.good(&["check-event", "event", "--vkey", &vkey]);
        assert_eq!(said.lines().count(), 1, "{said}");
        let one = indelible::proof::DeliveredRecord::from_json(text.as_bytes()).expect("one");
        assert!(one.proof().is_some());
    }
    let both = serde_json::json!({"a": checkpoint, "b": event}).to_string();
    indelible::proof::DeliveredRecord::from_json(both.as_bytes()).expect("one record");
}

#[test]
fn a_stream_of_values_is_read_in_whatever_lines_it_has() {
    let (folder, event) = delivered();
    let vkey = folder.vkey();
    let pretty = printed_anew(&event);
    let mut forged = event.clone();
    forged["event"]["actor"]["id"] = "usr_mallory".into();
    let as_text = serde_json::json!(event.to_string());
    for stream in [
        format!("{pretty}\n{pretty}\n{pretty}"),
        format!("\n{event}{event} {event}\r\n"),
        format!("\u{feff}{event}\n{event}\n\n{event}"),
        format!("{as_text}\n{pretty}\n{as_text}\n"),
        format!("[{event},\n{event}]\n{pretty}\n"),
    ] {
        folder.write("events", &stream);
        let said = folder.good(&["check-event", "events", "--vkey", &vkey]);
        assert_eq!(said.lines().count(), 3, "{said}");
        folder.write("events", format!("{stream}\n{forged}\n"));
        let said = folder.bad(1, &["check-event", "events", "--vkey", &vkey]);
        let line = stream.lines().count() + 1 + usize::from(stream.ends_with('\n'));
        assert!(said.contains(&format!("events line {line}: ")), "{line} {said}");
    }
    // What is cut is told once, and hides nothing that stands behind it.
    let text = event.to_string();
    let (in_string, in_object) = (text.find("auth.login").unwrap(), text.find(',').unwrap());
    for cut in [&text[..in_string], &text[..in_object], "}", "\"a"] {
        folder.write("events", format!("{cut}\n{event}\n{forged}\n{cut}"));
        let output = folder.run(&["check-event", "events", "--vkey", &vkey]);
        assert_eq!(output.status.code(), Some(1));
        let error = error_of(&output);
        assert!(
            error.contains("line 1: not JSON") && error.contains("line 3: the record was changed"),
            "{error}"
        );
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
    }
}

#[test]
fn the_rest_of_what_a_sink_delivered_is_passed_over_or_told() {
    let (folder, event) = delivered();
    let vkey = folder.vkey();
    let note = folder.good(&["checkpoint", "audit"]);
    let delivered = serde_json::json!({"data": {"checkpoint": note}, "type": "audit_log.checkpoint"});
    let ocsf = serde_json::json!({"raw_data": note, "unmapped": {"size": 20}});
    for (text, lines) in [
        (format!("{delivered}\n{event}\n{ocsf}\n"), 3),
        (serde_json::json!([ocsf, delivered, event]).to_string(), 3),
    ] {
        folder.write("events", text);
        let said = folder.good(&["check-event", "events", "--vkey", &vkey]);
        assert_eq!(said.lines().count(), lines, "{said}");
    }
    // What is no record any more hides nothing, and neither does what follows it go unchecked.
    let mut stripped = event.clone();
    stripped.as_object_mut().unwrap().remove("prev");
    let mut forged = event.clone();
    forged["event"]["actor"]["id"] = "usr_mallory".into();
    for (text, code) in [
        (format!("{stripped}\n{event}\n"), 2),
        (serde_json::json!([stripped, event]).to_string(), 2),
        (format!("{stripped}\n{forged}\n"), 1),
    ] {
        folder.write("events", text);
        let said = folder.bad(code, &["check-event", "events", "--vkey", &vkey]);
        assert!(said.contains("no record in it"), "{said}");
        assert_eq!(said.contains("was changed"), code == 1, "{said}");
    }
}

#[test]
fn what_cannot_be_checked_says_why() {
    let (folder, event) = delivered();
    let vkey = folder.vkey();
    let mut unproven = event.clone();
    unproven.as_object_mut().unwrap().remove("proof");
    let other = indelible::SigningKey::generate("auth.example.com/audit".parse().unwrap()).unwrap();
    let other = indelible::Signer::vkey(&other).to_string();
    for (text, vkey, expected) in [
        (unproven.to_string(), &vkey, "without a proof"),
        ("{".to_owned(), &vkey, "not JSON"),
        (" \n".to_owned(), &vkey, "there is no JSON in it"),
        ("{\"event\":{}}".to_owned(), &vkey, "no record"),
        (event.to_string(), &other, "not signed by"),
    ] {
        folder.write("event", &text);
        let said = folder.bad(2, &["check-event", "event", "--vkey", vkey]);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn checkpoints_between_the_events_are_checked_and_what_cannot_be_keeps_nothing_from_being_checked() {
    let (folder, event) = delivered();
    let vkey = folder.vkey();
    let checkpoint = folder.good(&["checkpoint", "audit"]);
    let delivered = serde_json::json!({"checkpoint": checkpoint});
    let splunk = serde_json::json!({"result": {"_raw": delivered.to_string()}});
    folder.write("events", format!("{event}\n{delivered}\n{splunk}\n"));
    let said = folder.good(&["check-event", "events", "--vkey", &vkey]);
    assert_eq!(said.lines().count(), 3, "{said}");
    assert_eq!(said.lines().nth(1), said.lines().nth(2));
    assert!(
        said.contains("\na checkpoint of the log auth.example.com/audit, of its first "),
        "{said}"
    );
    let forged = serde_json::json!({"checkpoint": checkpoint.replacen("\n2", "\n1", 1)});
    assert_ne!(forged, delivered);
    folder.write("events", format!("{event}\n{forged}\n"));
    let said = folder.bad(1, &["check-event", "events", "--vkey", &vkey]);
    assert!(said.contains("events line 2: a checkpoint: "), "{said}");
    // Each line is told, and that one was changed counts for more.
    let mut changed = event.clone();
    changed["event"]["actor"]["id"] = "usr_mallory".into();
    folder.write("events", format!("{event}\n{{}}\nnot JSON\n{changed}\n{event}\n"));
    let output = folder.run(&["check-event", "events", "--vkey", &vkey]);
    assert_eq!(output.status.code(), Some(1));
    let error = error_of(&output);
    assert_eq!(error.lines().count(), 3, "{error}");
    assert!(
        error.contains("line 2: there is no record") && error.contains("line 3: not JSON"),
        "{error}"
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}
