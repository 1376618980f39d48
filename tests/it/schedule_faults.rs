//! Exports that a log makes by itself, beside clocks that jump and positions that are not what they were.

use std::fs;
use std::time::Duration;

use crate::scene::*;
use crate::schedule::*;

#[test]
fn a_clock_that_jumps_makes_one_export_and_no_pause_until_it_is_that_time() {
    let (world, year) = (World::new(), 365 * 24 * HOUR);
    let log = world.open();
    wait_for_exports(&log, 1);
    let stays = |exports: u64| {
        std::thread::sleep(Duration::from_millis(2_500));
        assert_eq!(log.state().exports[0].exports, exports);
    };
    world.clock.forward(year);
    wait_for_exports(&log, 2);
    stays(2);
    world.clock.back(year);
    wait_for_exports(&log, 3);
    stays(3);
    // Back and forth over the beginning of the hour, which is 08:00: one export.
    world.clock.back(HOUR / 2);
    stays(3);
    world.clock.forward(3 * HOUR / 4);
    stays(3);
    world.clock.forward(HOUR);
    wait_for_exports(&log, 4);
    world.check(&log);
}

#[test]
fn a_position_that_no_manifest_says_is_not_believed() {
    let world = World::new();
    let log = world.open();
    wait_for_exports(&log, 1);
    log.close(Duration::from_secs(10)).expect("closed");
    type Change = fn(&str, u64) -> String;
    let changes: [Change; 5] = [
        |text, seq| text.replace(&format!("\"seq\":{seq}"), &format!("\"seq\":{}", seq + 1)),
        |text, seq| text.replace(&format!("\"seq\":{seq}"), "\"seq\":0"),
        |text, seq| text.replace(&format!("\"seq\":{seq}"), "\"seq\":9007199254740991"),
        |_, seq| format!("{{\"seq\":{}}}\n", seq + 1),
        |text, _| text.replace("20", "99"),
    ];
    for change in changes {
        let text = fs::read_to_string(world.remembered()).expect("remembered");
        let said: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let changed = change(&text, said["seq"].as_u64().expect("a number"));
        assert_ne!(text, changed);
        fs::write(world.remembered(), changed).expect("written");
        world.clock.forward(HOUR);
        let log = world.open();
        wait_for_exports(&log, 1);
        log.append(login(1)).expect("recorded");
        world.check(&log);
        log.close(Duration::from_secs(10)).expect("closed");
    }
}
