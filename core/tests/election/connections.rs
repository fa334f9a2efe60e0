//! Which of two connections stays, and what is said over it.

use quorate_core::election::{ElectionLinks, LinkOutput};
use quorate_core::jute::{
    ElectionDecoder, ElectionMessage, Encode as _, InitialMessage, Notification, PeerState,
};
use quorate_core::vocabulary::{LinkId, ServerId, Zxid};

fn links(me: u8) -> ElectionLinks {
    ElectionLinks::new(ServerId(me), vec![format!("h{me}:3888")])
}

fn initial(sid: i64) -> InitialMessage {
    InitialMessage { sid, addresses: vec!["h:3888".to_owned()] }
}

fn word(round: i64) -> Notification {
    Notification {
        state: PeerState::Looking,
        leader: 1,
        zxid: Zxid(7),
        election_epoch: round,
        peer_epoch: 0,
        version: 2,
        config: Default::default(),
    }
}

/// What was wanted, in words: writes by what they say.
fn told(out: &mut Vec<LinkOutput>) -> Vec<String> {
    let write = |bytes: &[u8]| {
        let is_initial = bytes[0] == 0xff;
        let mut decoder = ElectionDecoder::new(is_initial);
        decoder.push(bytes);
        match decoder.poll() {
            Ok(Some(ElectionMessage::Initial(initial))) => format!("I am {}", initial.sid),
            Ok(Some(ElectionMessage::Notification(word))) => format!("round {}", word.election_epoch),
            other => format!("{other:?}"),
        }
    };
    let words = out.iter().map(|output| match output {
        LinkOutput::Dial(to) => format!("dial {}", to.0),
        LinkOutput::Write(link, bytes) => format!("write {} {}", link.0, write(bytes)),
        LinkOutput::Close(link) => format!("close {}", link.0),
    });
    let words = words.collect();
    out.clear();
    words
}

#[test]
fn the_larger_id_dials_and_stays() {
    let (mut links, mut out) = (links(2), Vec::new());
    links.send(ServerId(1), &word(1), &mut out);
    links.send(ServerId(1), &word(2), &mut out);
    assert_eq!(told(&mut out), ["dial 1"]);
    links.dialled(ServerId(1), LinkId(10), &mut out);
    assert_eq!(told(&mut out), ["write 10 I am 2", "write 10 round 2"]);
    assert_eq!(links.peer_of(LinkId(10)), Some(ServerId(1)));
}

#[test]
fn the_smaller_id_hangs_up_and_is_called_back() {
    let (mut links, mut out) = (links(1), Vec::new());
    links.send(ServerId(2), &word(1), &mut out);
    links.dialled(ServerId(2), LinkId(10), &mut out);
    assert_eq!(told(&mut out), ["dial 2", "write 10 I am 1", "close 10"]);
    links.accepted(LinkId(11), &initial(2), &mut out);
    assert_eq!(told(&mut out), ["write 11 round 1"]);
}

#[test]
fn a_smaller_id_that_calls_is_called_back_and_its_old_connection_goes() {
    let (mut links, mut out) = (links(3), Vec::new());
    links.dialled(ServerId(2), LinkId(10), &mut out);
    told(&mut out);
    links.accepted(LinkId(11), &initial(2), &mut out);
    assert_eq!(told(&mut out), ["close 11", "close 10", "dial 2"]);
    links.accepted(LinkId(12), &initial(2), &mut out);
    assert_eq!(told(&mut out), ["close 12"], "one dial at a time");
    links.failed(ServerId(2));
    links.accepted(LinkId(13), &initial(2), &mut out);
    assert_eq!(told(&mut out), ["close 13", "dial 2"]);
}

#[test]
fn a_larger_id_that_calls_again_replaces_its_connection_and_hears_the_last_word_again() {
    let (mut links, mut out) = (links(1), Vec::new());
    links.accepted(LinkId(10), &initial(2), &mut out);
    links.send(ServerId(2), &word(1), &mut out);
    links.accepted(LinkId(11), &initial(2), &mut out);
    assert_eq!(told(&mut out), ["write 10 round 1", "close 10", "write 11 round 1"]);
}

#[test]
fn while_one_word_is_on_its_way_only_the_newest_waits() {
    let (mut links, mut out) = (links(1), Vec::new());
    links.accepted(LinkId(10), &initial(2), &mut out);
    for round in 1..=4 {
        links.send(ServerId(2), &word(round), &mut out);
    }
    assert_eq!(told(&mut out), ["write 10 round 1"]);
    links.written(LinkId(10), &mut out);
    links.written(LinkId(10), &mut out);
    assert_eq!(told(&mut out), ["write 10 round 4"]);
}

#[test]
fn a_broken_connection_is_dialled_again_with_the_next_word() {
    let (mut links, mut out) = (links(2), Vec::new());
    links.dialled(ServerId(1), LinkId(10), &mut out);
    links.closed(LinkId(10));
    assert!(!links.is_connected(ServerId(1)));
    told(&mut out);
    links.send(ServerId(1), &word(1), &mut out);
    assert_eq!(told(&mut out), ["dial 1"]);
}

#[test]
fn strangers_and_oneself_are_not_talked_to() {
    let (mut links, mut out) = (links(2), Vec::new());
    for (nth, sid) in [-1, 2, 4711, i64::MAX].into_iter().enumerate() {
        links.accepted(LinkId(nth as u64), &initial(sid), &mut out);
        assert_eq!(told(&mut out), [format!("close {nth}")], "of {sid}");
    }
    assert!(initial(1).to_bytes().starts_with(&(-65536_i64).to_be_bytes()));
}
