//! What an election port reads: every form of notification, initial messages of all versions, and nonsense.

use quorate_core::jute::{
    ElectionDecoder, ElectionMessage, ElectionViolation, Encode as _, InitialMessage, Notification, PeerState,
};
use quorate_core::vocabulary::Zxid;

fn poll(accepted: bool, bytes: &[u8]) -> Result<Option<ElectionMessage>, ElectionViolation> {
    let mut decoder = ElectionDecoder::new(accepted);
    // One byte at a time: a connection may split anywhere.
    for (nth, byte) in bytes.iter().enumerate() {
        decoder.push(&[*byte]);
        match decoder.poll() {
            Ok(None) => {}
            other => {
                assert!(nth + 1 == bytes.len() || other.is_err(), "a message came early");
                return other;
            }
        }
    }
    Ok(None)
}

fn frame(fields: &[i64], tail: &[i32]) -> Vec<u8> {
    let mut payload = 2_i32.to_be_bytes().to_vec();
    fields.iter().for_each(|field| payload.extend(field.to_be_bytes()));
    tail.iter().for_each(|field| payload.extend(field.to_be_bytes()));
    let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
    bytes.extend(payload);
    bytes
}

fn notification(bytes: &[u8]) -> Option<(i64, i64, i32)> {
    match poll(false, bytes) {
        Ok(Some(ElectionMessage::Notification(word))) => {
            assert_eq!((word.state, word.leader), (PeerState::Leading, 3));
            Some((word.election_epoch, word.peer_epoch, word.version))
        }
        Ok(Some(ElectionMessage::Malformed)) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn notifications_of_every_age_are_read() {
    let zxid = 0x5_0000_0007;
    assert_eq!(
        notification(&frame(&[3, zxid, 9], &[])),
        Some((9, 5, 0)),
        "28 bytes: the epoch is the zxid's"
    );
    assert_eq!(notification(&frame(&[3, zxid, 9, 6], &[])), Some((9, 6, 0)));
    assert_eq!(
        notification(&frame(&[3, zxid, 9, 6], &[1])),
        Some((9, 6, 0)),
        "40 bytes: the version is not read"
    );
    assert_eq!(notification(&frame(&[3, zxid, 9, 6], &[1, 0])), Some((9, 6, 1)));
    assert_eq!(notification(&frame(&[3, zxid, 9, 6], &[2, 0])), Some((9, 6, 2)));
    assert_eq!(notification(&frame(&[3, zxid, 9, 6], &[2, 99])), None, "a config longer than the frame");
    assert_eq!(notification(&frame(&[3], &[])), None);
}

#[test]
fn what_is_written_is_read() {
    let word = Notification {
        state: PeerState::Looking,
        leader: i64::MIN,
        zxid: Zxid(-1),
        election_epoch: 12,
        peer_epoch: i64::MIN,
        version: 2,
        config: b"server.1=a:1:2:participant\nversion=0".as_slice().into(),
    };
    let payload = word.to_bytes();
    let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
    bytes.extend(&payload);
    assert_eq!(poll(false, &bytes), Ok(Some(ElectionMessage::Notification(word))));
    for addresses in [vec!["a:1".to_owned()], vec!["a:1".to_owned(), "[::1]:2".to_owned()]] {
        let initial = InitialMessage { sid: 7, addresses };
        assert_eq!(poll(true, &initial.to_bytes()), Ok(Some(ElectionMessage::Initial(initial))));
    }
}

#[test]
fn a_server_before_3_5_says_its_id_only() {
    let initial = InitialMessage { sid: 4, addresses: Vec::new() };
    assert_eq!(poll(true, &4_i64.to_be_bytes()), Ok(Some(ElectionMessage::Initial(initial))));
}

#[test]
fn nonsense_closes_the_connection() {
    assert_eq!(poll(true, &(-7_i64).to_be_bytes()), Err(ElectionViolation::Version(-7)));
    for length in [0, -1, 2049, i32::MAX] {
        let mut bytes = (-65536_i64).to_be_bytes().to_vec();
        bytes.extend(1_i64.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        assert_eq!(poll(true, &bytes), Err(ElectionViolation::AddressesLength(length)));
    }
    for length in [0, -1, 524_289, i32::MIN] {
        assert_eq!(poll(false, &length.to_be_bytes()), Err(ElectionViolation::FrameLength(length)));
    }
}
