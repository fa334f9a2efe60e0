//! Test vectors for ids and passwords; scripts for expiry, every invariant checked behind every command.

use super::SessionScope::{self, Global, Local};
use super::{SessionIds, SessionTracker, password};
use crate::vocabulary::{Entropy, ErrorCode, Millis, Mono, ServerId, SessionId};
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn passwords_are_javas() {
    let vectors = [
        (0x0100_0000_0000_0001, "054cc74a37327db215e702e20c73f005"),
        (0x8100_0000_0000_0001_u64 as i64, "054cc74a37327db215e702e20c73f005"),
        (0x0100_0000_cafe_0000, "a0dab897ad0736c67e7e63b13e58cc60"),
        (0x0100_0068_2196_0002, "423fee1795236b6a9c302eb7ff519773"),
    ];
    for (session, expected) in vectors {
        assert_eq!(hex(&password(SessionId(session))), expected, "of {session:x}");
    }
}

#[test]
fn ids_carry_the_server_and_count_up_from_a_place_of_their_own() {
    let first = |seed, incarnation| {
        let mut ids = SessionIds::new(ServerId(3), Entropy::new(seed, ServerId(3), incarnation));
        (ids.next(|_| false), ids.next(|_| false))
    };
    let (one, two) = first(1, 1);
    assert_eq!(one.0 as u64 >> 56, 3);
    assert_eq!(one.0 & 0xffff, 0);
    assert_eq!(two.0, one.0 + 1);
    assert_ne!(first(1, 2).0, one, "another incarnation starts elsewhere");
    assert_eq!(first(1, 1), (one, two), "the same one starts at the same place");
}

#[test]
fn ids_in_use_are_skipped_and_the_low_bits_are_never_all_zero() {
    let entropy = Entropy::new(1, ServerId(128), 1);
    let mut ids = SessionIds::new(ServerId(128), entropy);
    let first = ids.next(|_| false);
    assert_eq!(ids.next(|id| id.0 < first.0 + 4).0, first.0 + 4);

    ids.next = (1 << 56) - 1;
    assert_eq!(ids.next(|_| false).0 as u64, 0x80ff_ffff_ffff_ffff);
    // The next would be a container's owner; the counter wraps below the server's byte.
    assert_eq!(ids.next(|_| false).0 as u64, 0x8000_0000_0000_0001);
}

#[test]
#[should_panic(expected = "TTL node")]
fn server_255_makes_no_ids() {
    SessionIds::new(ServerId(255), Entropy::new(1, ServerId(255), 1));
}

/// At most `max` sessions that have ended.
fn expire(tracker: &mut SessionTracker, scope: SessionScope, now: Mono, max: usize) -> Vec<SessionId> {
    std::iter::from_fn(|| tracker.expire_one(scope, now)).take(max).collect()
}

fn run(script: &str) -> String {
    let mut out = String::new();
    let mut tracker = SessionTracker::new(ServerId(1), Millis(2000), Entropy::new(1, ServerId(1), 1));
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(out, "{line}").expect("a string takes all");
        if line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let now = Mono::from_millis(words[0].parse().expect("a time in ms"));
        let number = |place: usize| words[place].parse::<u64>().expect("a number");
        let session = || SessionId(number(2) as i64);
        let answer = match words[1] {
            "create" => {
                tracker.create(session(), Millis(number(3)), now);
                None
            }
            "touch" => Some(format!("{}", tracker.touch(session(), now))),
            "reattach" => Some(format!("{}", tracker.reattach(session(), Millis(number(3)), now))),
            "close" => Some(format!("{}", tracker.set_closing(session()))),
            "remove" => Some(format!("{}", tracker.remove(session()))),
            "check" => Some(format!("{:?}", tracker.check_session(session()))),
            "expire" => Some(format!("{:?}", expire(&mut tracker, Global, now, number(2) as usize))),
            "create-local" => {
                tracker.create_local(session(), Millis(number(3)), now);
                None
            }
            "upgrade" => Some(format!("{:?}", tracker.upgrade(session()))),
            "expire-local" => Some(format!("{:?}", expire(&mut tracker, Local, now, number(2) as usize))),
            "scope" => Some(format!("{:?}, {} local", tracker.scope(session()), tracker.local_len())),
            "dump" => {
                for (end, sessions) in tracker.queue(Global).buckets() {
                    writeln!(out, "  {} expire at {}: {sessions:?}", sessions.len(), end.as_millis())
                        .expect("a string takes all");
                }
                Some(format!(
                    "{} known, next {:?}",
                    tracker.len(),
                    tracker.next_expiry(Global).map(Mono::as_millis)
                ))
            }
            other => panic!("no command {other}"),
        };
        if let Some(answer) = answer {
            writeln!(out, "  {answer}").expect("a string takes all");
        }
        tracker.check().expect("the invariants hold");
    }
    out
}

#[test]
fn a_session_lives_for_its_timeout_and_at_most_a_tick_longer() {
    insta::assert_snapshot!(run("
        # The tick is 2000. Heard of at 0 and at 1999 with 4000 to live: up to 6000, and to 8000 at the boundary itself.
        0 create 1 4000
        1999 create 2 4000
        2000 create 3 4000
        2000 dump
        5999 expire 10
        6000 expire 10
        7999 expire 10
        8000 expire 10
    "));
}

#[test]
fn a_touch_moves_a_session_only_when_its_bucket_changes() {
    insta::assert_snapshot!(run("
        0 create 1 4000
        1500 touch 1
        1500 dump
        2500 touch 1
        2500 dump
        # An unknown session can't be touched.
        2500 touch 7
        # A clock that stands still, or an old time, shortens no life.
        0 touch 1
        2500 dump
    "));
}

#[test]
fn a_closing_session_is_neither_touched_nor_used_nor_expired() {
    insta::assert_snapshot!(run("
        0 create 1 4000
        0 check 1
        0 check 2
        100 close 1
        100 check 1
        100 touch 1
        100 reattach 1 8000
        100 create 1 8000
        100 close 1
        100 dump
        9000 expire 10
        9000 remove 1
        9000 check 1
        9000 remove 1
    "));
}

#[test]
fn expired_sessions_come_a_few_at_a_time_and_are_closing_at_once() {
    insta::assert_snapshot!(run("
        0 create 3 4000
        0 create 1 4000
        0 create 2 4000
        0 create 4 9000
        6000 expire 2
        6000 check 1
        6000 touch 1
        6000 dump
        # The third is still due, but came back before its turn.
        6001 touch 3
        6001 expire 2
        6001 dump
        6001 remove 1
        6001 remove 2
        60000 expire 9
        60000 dump
    "));
}

#[test]
fn a_local_session_ends_in_its_own_scope_and_an_upgrade_takes_the_rest_of_its_time_along() {
    insta::assert_snapshot!(run("
        0 create-local 1 4000
        0 create 2 4000
        0 create-local 3 4000
        0 scope 1
        1000 upgrade 1
        1000 upgrade 1
        1000 upgrade 2
        1000 upgrade 9
        1000 scope 1
        6000 expire 10
        6000 scope 3
        6000 expire-local 10
        # A closing one keeps its scope until it is removed.
        6000 scope 3
        6000 remove 3
        6000 scope 3
        # One that a txn begins is no server's own any more.
        7000 create-local 4 4000
        7000 create 4 8000
        7000 scope 4
        12000 expire-local 10
        16000 expire 10
    "));
}

#[test]
fn reattaching_changes_the_timeout() {
    insta::assert_snapshot!(run("
        0 create 1 4000
        1000 reattach 1 20000
        1000 dump
        3000 touch 1
        3000 dump
        # A shorter one counts at once.
        3000 reattach 1 4000
        3000 dump
        23000 touch 1
        23000 dump
    "));
}

#[test]
fn new_ids_are_neither_tracked_nor_owners_of_nodes() {
    let mut tracker = SessionTracker::new(ServerId(1), Millis(2000), Entropy::new(1, ServerId(1), 1));
    let first = tracker.next_id(|_| false);
    tracker.create(first, Millis(4000), Mono(0));
    let mut again = SessionTracker::new(ServerId(1), Millis(2000), Entropy::new(1, ServerId(1), 1));
    again.create(first, Millis(4000), Mono(0));
    let owner = SessionId(first.0 + 1);
    assert_eq!(again.next_id(|id| id == owner), SessionId(first.0 + 2));
    assert_eq!(again.check_session(owner), Err(ErrorCode::UnknownSession));
    assert_eq!(again.timeout(first), Some(Millis(4000)));
}

/// The tracker against a list of last touches that is searched from end to end.
#[test]
fn sessions_end_when_a_naive_list_says_so() {
    use crate::vocabulary::EntropyPurpose;
    const TICK: u64 = 100;
    let entropy = Entropy::new(4, ServerId(1), 1);
    let mut drawn = 0;
    let mut below = |bound| {
        drawn += 1;
        entropy.below(EntropyPurpose::Backoff, drawn, bound)
    };
    let mut tracker = SessionTracker::new(ServerId(1), Millis(TICK), entropy);
    // Session, timeout, last heard of.
    let mut naive: Vec<(i64, u64, u64)> = Vec::new();
    let mut now = 0;
    let mut expiries = 0;
    for _ in 0..20_000 {
        now += below(40);
        let mono = Mono::from_millis(now);
        let id = below(12) as i64 + 1;
        let known = naive.iter().position(|session| session.0 == id);
        match (below(6), known) {
            (0, None) => {
                naive.push((id, below(900), now));
                tracker.create(SessionId(id), Millis(naive.last().expect("just pushed").1), mono);
            }
            (1, Some(place)) => {
                assert!(tracker.set_closing(SessionId(id)) && !tracker.touch(SessionId(id), mono));
                assert!(tracker.remove(SessionId(id)));
                naive.remove(place);
            }
            (2, Some(place)) => {
                naive[place] = (id, below(900), now);
                assert!(tracker.reattach(SessionId(id), Millis(naive[place].1), mono));
            }
            (3 | 4, known) => {
                assert_eq!(tracker.touch(SessionId(id), mono), known.is_some());
                known.into_iter().for_each(|place| naive[place].2 = now);
            }
            _ => {
                let max = below(4) as usize;
                let ended = |session: &(i64, u64, u64)| (session.2 + session.1) / TICK * TICK + TICK <= now;
                let expired = expire(&mut tracker, Global, mono, max);
                assert_eq!(expired.len(), naive.iter().filter(|session| ended(session)).count().min(max));
                for session in expired {
                    let place = naive.iter().position(|other| other.0 == session.0).expect("a known session");
                    assert!(ended(&naive[place]), "{session} expired too early");
                    naive.remove(place);
                    tracker.remove(session);
                    expiries += 1;
                }
            }
        }
        tracker.check().expect("the invariants hold");
        assert_eq!(tracker.len(), naive.len());
        let next = naive.iter().map(|session| (session.2 + session.1) / TICK * TICK + TICK).min();
        assert_eq!(tracker.next_expiry(Global).map(Mono::as_millis), next);
    }
    assert!(expiries > 100, "only {expiries} sessions expired");
}
