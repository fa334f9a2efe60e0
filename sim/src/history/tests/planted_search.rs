//! Each rule of the search, broken alone; beside it what comes closest and holds. All say zxid 0: none is needed.

use super::{Story, create, created, delete, exists, get, set, shows, sync, synced, version};
use crate::history::{Found, Options};
use bytes::Bytes;
use quorate_core::jute::{MultiOp, MultiResult, Request, Response, Stat};

const GONE: Result<Response, i32> = Err(-101);

fn deleted() -> Result<Response, i32> {
    Ok(Response::Empty)
}

#[test]
fn a_write_that_was_answered_is_shown_behind_a_sync() {
    let story = |syncs: bool, data, shown| {
        let story = Story::with_a().op(0, (3, 4), 0, set("/a", "1", -1), version(1));
        let story = if syncs { story.op(1, (5, 6), 0, sync(), synced()) } else { story };
        story.op(1, (7, 8), 0, get("/a"), shows(data, shown)).is_explained()
    };
    assert!(story(true, "1", 1));
    assert!(!story(true, "0", 0), "the write is lost");
    assert!(story(false, "0", 0), "who does not sync may be behind");
}

#[test]
fn who_need_not_trust_a_sync_says_so() {
    let story = Story::with_a()
        .op(0, (3, 4), 0, set("/a", "1", -1), version(1))
        .op(1, (5, 6), 0, sync(), synced())
        .op(1, (7, 8), 0, get("/a"), shows("0", 0));
    let weak = Options { weak_sync: true, ..Options::default() };
    assert_eq!(story.search(&weak), Found::Linearizable);
    assert!(!story.is_explained());
}

#[test]
fn a_read_does_not_show_the_future() {
    let story = |at| {
        Story::with_a()
            .op(1, (3, at), 0, get("/a"), shows("1", 1))
            .op(0, (10, 11), 0, set("/a", "1", -1), version(1))
            .is_explained()
    };
    assert!(story(10), "at the same time");
    assert!(!story(9));
}

#[test]
fn a_session_reads_what_it_wrote_and_never_goes_back() {
    let own = |session| {
        Story::with_a()
            .op(0, (3, 4), 0, set("/a", "1", -1), version(1))
            .op(session, (5, 6), 0, get("/a"), shows("0", 0))
            .is_explained()
    };
    assert!(own(1));
    assert!(!own(0));
    let back = |session| {
        Story::with_a()
            .op(0, (3, 10), 0, set("/a", "1", -1), version(1))
            .op(1, (4, 5), 0, get("/a"), shows("1", 1))
            .op(session, (6, 7), 0, get("/a"), shows("0", 0))
            .is_explained()
    };
    assert!(back(2));
    assert!(!back(1));
}

#[test]
fn a_write_to_another_path_carries_a_session_on() {
    let story = |writes: bool| {
        let story = Story::with_a().op(0, (3, 4), 0, set("/a", "1", -1), version(1));
        let story = if writes { story.op(1, (5, 6), 0, create("/b", "", 0), created("/b")) } else { story };
        story.op(1, (7, 8), 0, get("/a"), shows("0", 0)).is_explained()
    };
    assert!(story(false));
    assert!(!story(true), "/b was created behind it, and this session has seen that");
}

#[test]
fn writes_take_effect_between_request_and_reply() {
    let story = |sent| {
        Story::with_a()
            .op(0, (3, 6), 0, set("/a", "1", -1), version(2))
            .op(1, (sent, sent + 1), 0, set("/a", "2", -1), version(1))
            .is_explained()
    };
    assert!(story(5), "they overlap: the second came first");
    assert!(!story(7));
}

#[test]
fn one_version_is_expected_by_one_write() {
    let story = |second| {
        Story::with_a()
            .op(0, (3, 6), 0, set("/a", "1", 0), version(1))
            .op(1, (4, 5), 0, set("/a", "2", 0), second)
            .is_explained()
    };
    assert!(story(Err(-103)));
    assert!(!story(version(1)), "both were the only ones");
    let creations = |second| {
        Story::default()
            .op(0, (3, 6), 0, create("/a", "1", 0), created("/a"))
            .op(1, (4, 5), 0, create("/a", "2", 0), second)
            .is_explained()
    };
    assert!(creations(Err(-110)));
    assert!(!creations(created("/a")));
}

#[test]
fn what_was_not_answered_happens_once_or_never_and_not_before_it_was_asked_for() {
    let lost = Story::with_a().lost(1, 5, set("/a", "1", -1));
    let read = |shown| lost.clone().op(2, (8, 9), 0, get("/a"), shown).is_explained();
    assert!(read(shows("0", 0)), "never");
    assert!(read(shows("1", 1)), "once");
    assert!(!read(shows("1", 2)), "twice");
    let late = lost.clone().op(0, (20, 21), 0, set("/a", "2", -1), version(1));
    assert!(late.clone().op(0, (22, 23), 0, get("/a"), shows("1", 2)).is_explained(), "any time later");
    let early = lost.op(2, (3, 4), 0, get("/a"), shows("1", 1));
    assert!(!early.is_explained());
}

fn both(data: &str) -> Request {
    let op = |path: &str| MultiOp::SetData {
        path: Some(path.to_owned()),
        data: Some(Bytes::copy_from_slice(data.as_bytes())),
        version: -1,
    };
    Request::Multi(vec![op("/a"), op("/b")])
}

#[test]
fn a_multi_is_one_moment() {
    let stat = Stat { version: 1, ..Stat::default() };
    let done = Ok(Response::Multi(vec![MultiResult::SetData { stat }, MultiResult::SetData { stat }]));
    let story = |b, shown| {
        Story::with_a()
            .op(0, (3, 4), 0, create("/b", "0", 0), created("/b"))
            .op(0, (5, 20), 0, both("1"), done.clone())
            .op(1, (6, 7), 0, get("/a"), shows("1", 1))
            .op(1, (8, 9), 0, get("/b"), shows(b, shown))
            .is_explained()
    };
    assert!(story("1", 1));
    assert!(!story("0", 0), "half of it");
    let failed = |code, second| {
        let results = vec![MultiResult::Error { code }, MultiResult::Error { code: second }];
        Story::with_a().op(0, (5, 20), 0, both("1"), Ok(Response::Multi(results))).is_explained()
    };
    assert!(failed(0, -101), "there is no /b");
    assert!(!failed(-101, -2), "there is /a");
}

#[test]
fn a_parent_that_goes_is_judged_with_its_children() {
    let story = |answer: Result<Response, i32>| {
        Story::with_a()
            .op(0, (3, 4), 0, create("/a/c", "", 0), created("/a/c"))
            .op(1, (5, 6), 0, delete("/a"), answer)
            .is_explained()
    };
    assert!(story(Err(-111)));
    assert!(!story(deleted()), "it has a child");
    let below = |answer| {
        Story::with_a()
            .op(0, (3, 4), 0, delete("/a"), deleted())
            .op(1, (5, 6), 0, create("/a/c", "", 0), answer)
            .is_explained()
    };
    assert!(below(Err(-101)));
    assert!(!below(created("/a/c")));
}

#[test]
fn an_ephemeral_lives_as_long_as_its_session() {
    let begin = Story::with_a().op(1, (3, 4), 0, create("/e", "", 1), created("/e"));
    let looks = |story: Story, shown: Result<Response, i32>| {
        story.op(2, (20, 21), 0, sync(), synced()).op(2, (22, 23), 0, exists("/e"), shown)
    };
    assert!(looks(begin.clone(), version(0)).is_explained());
    assert!(looks(begin.clone(), GONE).is_explained(), "the session may have expired");
    let goes_on = |story: Story| story.op(1, (30, 31), 0, set("/a", "1", -1), version(1));
    assert!(goes_on(looks(begin.clone(), version(0))).is_explained());
    assert!(!goes_on(looks(begin.clone(), GONE)).is_explained(), "its session works on");
    let closed = || begin.clone().op(1, (5, 6), 0, Request::CloseSession, deleted());
    assert!(looks(closed(), GONE).is_explained());
    assert!(!looks(closed(), version(0)).is_explained(), "its session is closed");
    assert!(
        !looks(Story::with_a().op(1, (3, 4), 0, create("/e", "", 0), created("/e")), GONE).is_explained()
    );
}

#[test]
fn a_sequential_node_has_a_greater_number_than_those_before() {
    let story = |sent, number: i32| {
        Story::default()
            .op(0, (1, 5), 0, create("/n", "", 2), created("/n0000000003"))
            .op(1, (sent, sent + 1), 0, create("/n", "", 2), created(&format!("/n{number:010}")))
            .is_explained()
    };
    assert!(story(6, 4));
    assert!(story(4, 2), "they overlap");
    assert!(!story(6, 2));
}

#[test]
fn who_was_not_told_the_name_may_have_created_it() {
    let story = |path: &str| {
        Story::default()
            .lost(0, 1, create("/n", "x", 2))
            .op(1, (3, 4), 0, get(path), shows("x", 0))
            .is_explained()
    };
    assert!(story("/n0000000003"));
    assert!(!story("/m0000000003"), "nobody asked for such a one");
}

#[test]
fn the_window_is_the_first_reply_that_cannot_be() {
    let mut story = Story::with_a();
    for number in 1..=50 {
        let at = 10 * number as u64;
        story = story.op(0, (at, at + 1), 0, set("/a", &format!("{number}"), -1), version(number));
        story = story.op(1, (at + 2, at + 3), 0, sync(), synced());
        let (data, shown) = if number == 30 { (29, 29) } else { (number, number) };
        story = story.op(1, (at + 4, at + 5), 0, get("/a"), shows(&format!("{data}"), shown));
    }
    let Found::NotLinearizable(window) = story.search(&Options::default()) else { panic!("it is not") };
    assert_eq!((window.paths, window.to), (vec!["/a".to_owned()], 305));
    assert!(window.from >= 300, "{} is long before", window.from);
    assert!(window.detail.contains("\"29\", version 29"), "{}", window.detail);
}

#[test]
fn a_search_without_a_budget_gives_up() {
    let story = Story::with_a();
    assert_eq!(
        story.search(&Options { budget: 0, ..Options::default() }),
        Found::GaveUp(vec!["/a".to_owned()])
    );
}
