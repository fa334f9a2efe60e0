//! Small spaces, whole; a planted bug, found at once and told again.

use super::choice::Choice;
use super::*;

fn small() -> Bounds {
    Bounds { servers: 2, txns: 1, crashes: 1, cuts: 0, timers: 0, ..Bounds::default() }
}

#[test]
fn a_small_space_has_the_same_states_in_every_build() {
    let report = explore(&small(), |_| {});
    assert_eq!(report.violation, None);
    assert_eq!(report.end, End::Whole);
    assert_eq!((report.states, report.transitions, report.depth), (232, 354, 24));
}

#[test]
fn what_bounds_an_exploration_is_told_with_the_depth_up_to_which_everything_was_seen() {
    let mut levels = Vec::new();
    let report = explore(&Bounds { max_states: 50, ..small() }, |progress| levels.push(progress));
    assert_eq!((report.end, report.states, report.violation), (End::Full, 50, None));
    assert_eq!(levels.last().map(|level| level.depth), Some(report.depth));
    let report = explore(&Bounds { depth: 3, ..small() }, |_| {});
    assert_eq!((report.end, report.depth), (End::Depth, 3));
    assert_eq!(report.states, levels[2].states, "the same states at every depth");
}

#[test]
fn a_disk_that_forgets_is_found_on_a_shortest_path_which_is_told_again() {
    let bounds = small();
    let report = explore_in(Space::forgetful(&bounds), &bounds, &mut |_| {});
    let violation = report.violation.expect("what is committed is lost");
    let path = report.path.expect("a violation has a path");
    assert_eq!(violation.checker, "committed_never_lost");
    let saved = Path::from_json(&path.to_json()).expect("what was saved can be read");
    assert_eq!(saved, path);
    let mut lines = Vec::new();
    let again = saved.replay_in(Space::forgetful(&bounds), |line| lines.push(line));
    assert_eq!(again.expect("every step can happen"), Some(violation));
    assert_eq!(lines.len(), path.len() + 1, "{lines:#?}");
    assert!(lines.len() < 60, "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("crashes")), "{lines:#?}");
    assert_eq!(saved.replay(|_| {}).expect("every step can happen"), None, "a disk that keeps everything");
}

#[test]
fn a_path_that_can_not_be_run_is_refused() {
    let path = Path::new(&small(), &[Choice::Heal], "no_panic");
    assert!(matches!(path.replay(|_| {}), Err(PathError::Step(1))));
    let newer = path.to_json().replace("\"format\": 1", "\"format\": 2");
    assert!(matches!(Path::from_json(&newer), Err(PathError::Format(2))));
    let large = path.to_json().replace("\"servers\": 2", "\"servers\": 9");
    assert!(matches!(Path::from_json(&large), Err(PathError::Bounds(_))));
    assert!(matches!(Path::from_json("{}"), Err(PathError::Json(_))));
}
