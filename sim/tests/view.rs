//! The page of a run: it has everything, asks nobody for anything, and who looks on changes nothing.

use quorate_sim::view::{Shown, Window, page, record};
use quorate_sim::{Checks, Outcome, Plan, Scenario, run};
use serde_json::Value;

fn look(scenario: &str, seed: u64) -> (Outcome, String) {
    let plan = Plan::expand(scenario.parse().expect("a scenario"), seed);
    let (outcome, timeline) = record(&plan, Checks::All).expect("it has a timeline");
    let shown = Shown { replay: "quorate-sim run".to_string(), window: Window::default() };
    assert_eq!(timeline.noted(), outcome.counters.events);
    (outcome.clone(), page((&plan, &outcome), &timeline, &shown))
}

/// What the page has of the run.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("type=\"application/json\">").expect("the data's element");
    let (json, _) = rest.split_once("</script>").expect("its end");
    serde_json::from_str(json).expect("JSON")
}

fn column<'a>(data: &'a Value, table: &str, name: &str) -> &'a Vec<Value> {
    data[table][name].as_array().expect("a column")
}

#[test]
fn a_page_has_the_whole_run_and_nothing_from_elsewhere() {
    let (outcome, page) = look("r1", 1);
    for outside in ["http://", "https://", "src=", "url(", "@import", "fetch(", "XMLHttpRequest", "import("] {
        assert!(!page.contains(outside), "the page has {outside}");
    }
    let data = data(&page);
    assert_eq!(data["noted"], outcome.counters.events);
    let strings = data["strings"].as_array().expect("texts");
    let counted = column(&data, "events", "at").len();
    assert_eq!(data["all_events"], counted);
    assert!(counted as u64 > outcome.counters.events, "servers tell something beside");
    for table in ["events", "messages"] {
        let columns = data[table].as_object().expect("columns");
        let lengths: Vec<usize> =
            columns.values().map(|column| column.as_array().map_or(0, Vec::len)).collect();
        assert!(
            lengths[0] > 1000 && lengths.iter().all(|length| *length == lengths[0]),
            "{table}: {lengths:?}"
        );
    }
    for number in column(&data, "messages", "zxid") {
        let text = strings[number.as_u64().expect("a number") as usize].as_str().expect("a text");
        assert!(text.is_empty() || text.starts_with("0x"), "{text} is no zxid");
    }
}

/// What is sent is heard, but where something breaks.
#[test]
fn packets_are_heard_or_lost() {
    let data = data(&look("r1", 1).1);
    let fates = column(&data, "messages", "fate");
    let count = |fate: u64| fates.iter().filter(|known| known.as_u64() == Some(fate)).count();
    let (on_their_way, heard, lost) = (count(0), count(1), count(2));
    assert!(
        heard > 5000 && lost > 0 && lost < heard / 5 && on_their_way < 200,
        "{on_their_way} {heard} {lost}"
    );
    let strings = data["strings"].as_array().expect("texts");
    for name in ["PROPOSAL", "ACK", "COMMIT", "NEWLEADER", "notification", "connect", "connected"] {
        let number = strings.iter().position(|text| text == name).expect(name) as u64;
        assert!(
            column(&data, "messages", "name").iter().any(|known| known.as_u64() == Some(number)),
            "no {name}"
        );
    }
    assert!(strings.iter().all(|text| text != "unreadable"), "something was said that the page can't read");
}

#[test]
fn who_looks_on_changes_nothing() {
    for (scenario, seed) in [("r0", 3), ("r1", 3), ("rr", 3)] {
        let plan = Plan::expand(scenario.parse::<Scenario>().expect("a scenario"), seed);
        let (seen, unseen) = (look(scenario, seed).0, run(&plan, None));
        assert_eq!(seen.trace_hash, unseen.trace_hash, "{scenario} {seed}");
        assert_eq!(seen.counters.events, unseen.counters.events, "{scenario} {seed}");
    }
}

#[test]
fn a_violation_is_in_the_page_as_it_is() {
    let (outcome, page) = look("rr-unfenced-mutex", 29);
    let violation = outcome.violation.expect("it breaks on purpose");
    assert_eq!(data(&page)["violation"]["detail"], violation.detail.as_str());
}

#[test]
fn a_story_of_java_is_refused() {
    let refused = record(&Plan::expand(Scenario::Rj, 1), Checks::All).expect_err("it has no timeline");
    assert!(refused.to_string().contains("has no timeline"), "{refused}");
}
