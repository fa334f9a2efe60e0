//! The other server is a script itself here, with numbers of its own; then it answers something else.

use super::{Comparison, Heard, Said, Script, Unfit, quiet};
use crate::plan::{Operation, Plan, Scenario};
use bytes::{BufMut, Bytes, BytesMut};
use quorate_core::jute::{ConnectRequest, Decode as _, EventType, Reader, ReplyHeader, WatcherEvent};
use quorate_core::vocabulary::{SessionId, Zxid};

const SEED: u64 = 3;

fn script() -> Script {
    let plan = Plan::expand(Scenario::R0, SEED);
    Script::of(&plan, "/dir").expect("its clients are scripts").expect("the quiet run breaks no rule")
}

/// How many answers differ of a server that answers `change`d.
fn differences(mut change: impl FnMut(usize, &mut Heard, &mut Vec<(Zxid, WatcherEvent)>)) -> usize {
    let mut comparison = Comparison::default();
    let script = script();
    let exchanges = script.exchanges.iter().enumerate();
    exchanges
        .filter(|(place, exchange)| {
            let Some(mut heard) = exchange.heard.clone() else { return false };
            let mut events = exchange.events.clone();
            change(*place, &mut heard, &mut events);
            comparison.hears((*place, exchange), &heard, &events).is_some()
        })
        .count()
}

/// The first reply that a change is made to.
fn change_one(mut change: impl FnMut(&mut ReplyHeader, &Bytes) -> Option<Bytes>) -> usize {
    let mut is_done = false;
    differences(|_, heard, _| {
        let Heard::Reply(header, body) = heard else { return };
        if !is_done && let Some(changed) = change(header, body) {
            (*body, is_done) = (changed, true);
        }
    })
}

#[test]
fn the_same_answers_are_the_same() {
    let script = script();
    assert!(script.exchanges.len() > 1500, "{} exchanges", script.exchanges.len());
    assert!(script.exchanges.iter().any(|exchange| !exchange.events.is_empty()));
    assert_eq!(differences(|_, _, _| {}), 0);
}

/// The other may be far on, and would not be behind somebody who has seen a few txns more than there are here.
#[test]
fn who_claims_to_be_ahead_is_far_ahead() {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(1_000_000),
        timeout: 40_000,
        session_id: SessionId(0),
        password: None,
        read_only: None,
    };
    let frame = Comparison::default().frame(&Said::Handshake(request));
    let heard = ConnectRequest::decode(&mut Reader::new(frame.slice(4..))).expect("it is one");
    assert!(heard.last_zxid_seen.0 > 1 << 32, "{heard:?}");
}

#[test]
fn a_session_with_another_name_owns_by_it() {
    let shift = |_: usize, heard: &mut Heard, _: &mut Vec<_>| {
        if let Heard::Connected(answer) = heard {
            answer.session_id = SessionId(answer.session_id.0 + 1);
        }
    };
    // Its ephemeral nodes still have the old name here, which is found out; nothing else has it.
    let differ = differences(shift);
    assert!(differ > 0 && differ < script().exchanges.len() / 10, "{differ} differ");
}

#[test]
fn another_code_differs() {
    let after = change_one(|header, body| {
        (header.err == -101).then(|| {
            header.err = -110;
            body.clone()
        })
    });
    assert_eq!(after, 1);
}

#[test]
fn another_version_differs() {
    // The answer to a setData is a stat alone; its version stands behind two zxids and two times.
    let after = change_one(|header, body| {
        (header.err == 0 && body.len() == 68).then(|| {
            let mut changed = BytesMut::from(&body[..]);
            changed[32..36].copy_from_slice(&77_i32.to_be_bytes());
            changed.freeze()
        })
    });
    assert_eq!(after, 1);
}

#[test]
fn another_time_of_day_does_not_differ() {
    let after = change_one(|header, body| {
        (header.err == 0 && body.len() == 68).then(|| {
            let mut changed = BytesMut::from(&body[..16]);
            changed.put_slice(&[1; 16]);
            changed.put_slice(&body[32..]);
            changed.freeze()
        })
    });
    assert_eq!(after, 0);
}

#[test]
fn an_event_that_does_not_come_differs_and_so_does_one_too_many() {
    let mut is_missing = false;
    let missing = differences(|_, _, events| {
        if !is_missing && !events.is_empty() {
            is_missing = events.pop().is_some();
        }
    });
    assert_eq!(missing, 1);
    let event = WatcherEvent { kind: EventType::NodeCreated, path: "/dir/never".to_owned() };
    let more = differences(|place, _, events| {
        if place == 100 {
            events.push((Zxid(1), event.clone()));
        }
    });
    assert_eq!(more, 1);
}

#[test]
fn a_txn_with_two_names_differs() {
    let mut seen = 0;
    let after = differences(|_, heard, _| {
        let Heard::Reply(header, _) = heard else { return };
        seen += 1;
        // One reply says that nothing of the last hundred has happened yet.
        if seen == 500 {
            header.zxid = Zxid(header.zxid.0 - 100);
        }
    });
    assert!(after > 0, "{after} differ");
}

#[test]
fn what_is_asked_stays_below_the_directory() {
    let quiet = quiet(&Plan::expand(Scenario::R1, SEED), "/dir").expect("its clients are scripts");
    let paths = quiet.operations.iter().filter_map(|planned| match &planned.operation {
        Operation::Create { path: Some(path), .. }
        | Operation::SetData { path: Some(path), .. }
        | Operation::Read { path: Some(path), .. } => Some(path.clone()),
        _ => None,
    });
    let paths: Vec<String> = paths.filter(|path| path.starts_with('/')).collect();
    assert!(paths.len() > 100);
    assert!(paths.iter().all(|path| path.starts_with("/dir") || path == "/zookeeper/quota/dir"), "{paths:?}");
    assert!(quiet.faults.is_empty() && quiet.ensemble.is_none());
}

#[test]
fn applications_and_scripted_servers_are_refused() {
    assert_eq!(quiet(&Plan::expand(Scenario::Rr(None), SEED), "/dir"), Err(Unfit::Applications));
    assert_eq!(quiet(&Plan::expand(Scenario::Rj, SEED), "/dir"), Err(Unfit::Accent));
}
