//! Each rule of the witness check, broken alone; beside it what comes closest and holds.

use super::{Story, create, created, exists, get, set, shows, sync, synced, version};
use quorate_core::jute::{Response, Stat};
use quorate_core::vocabulary::Zxid;

#[test]
fn a_history_in_which_all_is_well_holds() {
    let story = Story::with_a()
        .op(0, (3, 6), 2, set("/a", "1", -1), version(1))
        .op(1, (4, 5), 1, get("/a"), shows("0", 0))
        .op(1, (7, 8), 2, sync(), synced())
        .op(1, (9, 10), 2, get("/a"), shows("1", 1))
        .op(1, (11, 12), 3, create("/a", "2", 0), Err(-110))
        .op(1, (13, 14), 3, exists("/b"), Err(-101));
    assert_eq!(story.witness(), Ok(()));
    assert!(story.is_explained());
}

#[test]
fn session_order_is_kept() {
    let story = |zxid| {
        Story::with_a()
            .op(0, (3, 4), 2, set("/a", "1", -1), version(1))
            .op(1, (5, 6), 2, exists("/b"), Err(-101))
            .op(1, (7, 8), zxid, exists("/b"), Err(-101))
    };
    assert_eq!(story(2).witness(), Ok(()));
    assert_eq!(story(1).witness(), Err("session_order"), "what a connection shows never goes back");
    let overtaken =
        Story::with_a().op(1, (3, 9), 1, exists("/b"), Err(-101)).op(1, (4, 8), 1, exists("/b"), Err(-101));
    assert_eq!(overtaken.witness(), Err("session_order"), "replies come in the order of requests");
}

#[test]
fn session_view_is_kept_over_connections() {
    let story = |zxid, data, version_shown| {
        Story::with_a()
            .op(0, (3, 4), 2, set("/a", "1", -1), version(1))
            .op(1, (5, 6), 2, exists("/b"), Err(-101))
            .reconnects(1, 7)
            .op(1, (8, 9), zxid, get("/a"), shows(data, version_shown))
    };
    assert_eq!(story(2, "1", 1).witness(), Ok(()));
    assert_eq!(story(1, "0", 0).witness(), Err("session_view"));
    let fresh = Story::with_a()
        .op(0, (3, 4), 2, set("/a", "1", -1), version(1))
        .op(1, (5, 6), 2, exists("/b"), Err(-101))
        .op(2, (8, 9), 1, get("/a"), shows("0", 0));
    assert_eq!(fresh.witness(), Ok(()), "another session may be behind");
}

#[test]
fn sync_shows_what_was_answered_before_it() {
    let story = |sent| {
        Story::with_a().op(0, (3, 6), 2, set("/a", "1", -1), version(1)).op(
            1,
            (sent, sent + 1),
            1,
            sync(),
            synced(),
        )
    };
    assert_eq!(story(5).witness(), Ok(()), "it need not show what is under way");
    assert_eq!(story(7).witness(), Err("sync"));
}

#[test]
fn linearizable_writes_are_in_real_time_order() {
    let story = |sent| {
        Story::with_a().op(0, (3, 6), 3, set("/a", "1", -1), version(1)).op(
            1,
            (sent, sent + 1),
            2,
            create("/b", "", 0),
            created("/b"),
        )
    };
    assert_eq!(story(5).witness(), Ok(()));
    assert_eq!(story(7).witness(), Err("linearizable_writes"));
    let read_first = Story::with_a().op(2, (3, 4), 3, exists("/c"), Err(-101)).op(
        1,
        (5, 6),
        2,
        create("/b", "", 0),
        created("/b"),
    );
    assert_eq!(read_first.witness(), Err("linearizable_writes"), "a read has shown a later moment before");
}

#[test]
fn zxid_unique_to_each_write() {
    let story = |zxid| {
        Story::with_a().op(0, (3, 6), 2, set("/a", "1", -1), version(1)).op(
            1,
            (4, 5),
            zxid,
            create("/b", "", 0),
            created("/b"),
        )
    };
    assert_eq!(story(3).witness(), Ok(()));
    assert_eq!(story(2).witness(), Err("zxid_unique"));
}

#[test]
fn replies_match_the_tree_at_their_zxid() {
    let read = |zxid, data, version_shown| {
        Story::with_a()
            .op(0, (3, 6), 2, set("/a", "1", -1), version(1))
            .op(1, (4, 5), zxid, get("/a"), shows(data, version_shown))
            .witness()
    };
    assert_eq!(read(1, "0", 0), Ok(()));
    assert_eq!(read(2, "1", 1), Ok(()));
    let broken = Err("replies_match_model");
    assert_eq!(read(1, "1", 1), broken, "another moment's");
    assert_eq!(read(2, "0", 1), broken, "other data");
    assert_eq!(read(2, "1", 2), broken, "another version");
    let told = |answer| Story::with_a().op(0, (3, 6), 2, set("/a", "1", 5), answer).witness();
    assert_eq!(told(Err(-103)), Ok(()));
    assert_eq!(told(version(1)), broken, "it expected another version");
    assert_eq!(told(Err(-101)), broken, "another error");
    let stat = |mzxid| {
        let stat = Stat { version: 1, czxid: Zxid(1), mzxid: Zxid(mzxid), ..Stat::default() };
        let story = Story::with_a().op(0, (3, 6), 2, set("/a", "1", -1), version(1));
        story.op(1, (7, 8), 2, exists("/a"), Ok(Response::Stat(stat))).witness()
    };
    assert_eq!(stat(2), Ok(()));
    assert_eq!(stat(1), broken, "it says that another write was the last");
}

#[test]
fn what_was_not_answered_may_be_anywhere_where_it_fits() {
    let read = |(sent, at), zxid, data| {
        Story::with_a()
            .lost(1, 5, set("/a", "1", -1))
            .op(2, (sent, at), zxid, get("/a"), shows(data, 1))
            .witness()
    };
    assert_eq!(read((6, 7), 2, "1"), Ok(()));
    assert_eq!(read((6, 7), 2, "2"), Err("replies_match_model"), "nobody asked for that");
    assert_eq!(read((3, 4), 2, "1"), Err("replies_match_model"), "nobody had asked for it yet");
}

#[test]
fn sequence_numbers_rise_with_zxids() {
    let story = |first, second| {
        let node = |number: i32| format!("/n{number:010}");
        Story::default()
            .op(0, (1, 4), 1, create("/n", "", 2), created(&node(first)))
            .op(1, (2, 3), 2, create("/n", "", 2), created(&node(second)))
            .witness()
    };
    assert_eq!(story(0, 1), Ok(()));
    assert_eq!(story(1, 0), Err("sequence_numbers"));
}

#[test]
fn reply_body_is_one_to_its_request() {
    let mut story = Story::with_a();
    story.history.connections[0].requests[0].reply.as_mut().unwrap().body.truncate(2);
    assert_eq!(story.witness(), Err("reply_body"));
}

#[test]
fn without_zxids_nothing_is_judged_by_them() {
    let story = Story::default().op(0, (1, 2), 0, create("/a", "0", 0), created("/a")).op(
        0,
        (3, 4),
        0,
        get("/a"),
        shows("1", 0),
    );
    assert_eq!(story.witness(), Ok(()));
    assert!(!story.is_explained(), "and the search judges all the same");
}
